"""Owns which loss is allowed to a corpus, whether a value that came back kept within it, and what the loss costs.

Loss is asked for by configuration alone. Nothing here trusts the store: values are compared with those that went in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from stratakv.cli.demonstration.exactness import same
from stratakv.config import OptimizationConfig
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from benchmarks.reduction.corpora import Array, Corpus, Neighbours

NEAREST = 10
MIN_CONFIDENCE = 0.3
_SPARSE_PARTS = ("indptr", "indices", "data")


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss that is allowed.

    Attributes:
        name: How the table calls it.
        settings: Settings of the namespace that all keys are in.
    """

    name: str
    settings: tuple[tuple[str, Any], ...]


def _loss(name: str, **settings: Any) -> Loss:
    return Loss(name, (("lossy", True), *settings.items()))


VECTOR_LOSSES = (
    _loss("int8", strategy="quantize_int8", min_cosine=0.999),
    _loss("int4", strategy="quantize_int4", min_cosine=0.95),
    _loss("1 bit", strategy="binarize", min_cosine=0.5),
)
GRAPH_LOSS = _loss("pruned", strategy="graph_prune", min_confidence=MIN_CONFIDENCE)


def losses_for(corpus: Corpus) -> tuple[Loss, ...]:
    """Return what may be tried: quantisation of float vectors, pruning of edges that have a confidence."""
    if corpus.kind == "graph":
        return (GRAPH_LOSS,) if corpus.confident else ()
    floats = all(isinstance(value, np.ndarray) and value.dtype.kind == "f" for value in corpus.items.values())
    return VECTOR_LOSSES if corpus.kind == "vectors" and floats else ()


def configuration(level: str, loss: Loss | None) -> OptimizationConfig:
    """Return the store's settings.

    Raises:
        ConfigurationError: The level is unknown, or this version does not offer the loss.
    """
    namespaces = {} if loss is None else {"vectors": {"match": "*", **dict(loss.settings)}}
    config = OptimizationConfig(enabled=True, optimization_level=level, namespaces=namespaces)
    config.validate()
    return config


def refusal(level: str, loss: Loss) -> str | None:
    """Return why this version does not offer a loss; None where it does."""
    try:
        configuration(level, loss)
    except ConfigurationError as error:
        return str(error)
    return None


def identical(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, bit for bit and type by type, sparse matrices included."""
    if type(one) is type(other) and all(hasattr(one, part) for part in _SPARSE_PARTS):
        parts = all(same(getattr(one, part), getattr(other, part)) for part in _SPARSE_PARTS)
        return parts and bool(one.shape == other.shape) and one.has_sorted_indices == other.has_sorted_indices
    return same(one, other)


def wrong_with(original: Any, got: Any, loss: Loss) -> str | None:
    """Say what is wrong with a value that may have lost precision; None if it kept within its bounds."""
    if type(got) is not type(original):
        return f"is a {type(got).__name__}"
    if isinstance(original, list):
        return _wrong_edges(original, got)
    if (got.dtype, got.shape) != (original.dtype, original.shape):
        return f"is {got.dtype}{got.shape}"
    if not bool(np.isfinite(got).all()):
        return "has numbers that are not finite"
    least = dict(loss.settings)["min_cosine"]
    cosine = vector_error(original, got)[1]
    return f"has a cosine of {cosine:.4g}, below {least}" if cosine < least else None


def _wrong_edges(original: list[Any], got: list[Any]) -> str | None:
    """Edges may go only where their confidence is low; the others stay, in order."""
    rest = iter(original)
    if not all(any(same(edge, candidate) for candidate in rest) for edge in got):
        return "has edges that were not there"
    needed = sum(edge[3] >= MIN_CONFIDENCE for edge in original)
    kept = sum(edge[3] >= MIN_CONFIDENCE for edge in got)
    return None if kept == needed else f"lacks {needed - kept} edges that are confident enough"


def vector_error(original: Array, got: Array) -> tuple[float, float]:
    """Return (the worst error as a share of its vector's largest number, the least cosine), over the rows."""
    before, after = (np.atleast_2d(array).astype(np.float64) for array in (original, got))
    largest = np.abs(before).max(axis=-1)
    worst = np.abs(after - before).max(axis=-1) / np.where(largest > 0, largest, 1.0)
    norms = np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
    cosines = np.where(norms > 0, (before * after).sum(axis=-1) / np.where(norms > 0, norms, 1.0), 1.0)
    return float(worst.max(initial=0.0)), float(cosines.min(initial=1.0))


def nearest(base: Array, queries: Array, metric: Literal["cosine", "L2"]) -> Array:
    """Return the numbers of the rows nearest to each query, nearest first; equal ones by number."""
    rows, asked = base.astype(np.float64), queries.astype(np.float64)
    scores = asked @ rows.T
    if metric == "cosine":
        norms = np.linalg.norm(rows, axis=1)
        scores = -scores / np.where(norms > 0, norms, 1.0)
    else:
        scores = (rows * rows).sum(axis=1) - 2 * scores
    order: Array = np.argsort(scores, axis=1, kind="stable")[:, :NEAREST]
    return order


def recall(base: Array, neighbours: Neighbours) -> float:
    """Return which share of the true ten nearest rows is found among these vectors."""
    found = nearest(base, neighbours.queries, neighbours.metric)
    truth = neighbours.truth[:, :NEAREST]
    hits = sum(len(set(one) & set(other)) for one, other in zip(found.tolist(), truth.tolist(), strict=True))
    return hits / truth.size
