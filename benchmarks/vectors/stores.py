"""Owns taking a table, a vector a value, through stores of its own, one for each loss that is allowed.

A store begins without a model: what it stores before it has learned one is kept in steps of 8 bits, and counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import DifferenceError
from benchmarks.reduction.corpora import Corpus
from benchmarks.reduction.loss import VECTOR_LOSSES, Loss
from benchmarks.reduction.rows import measure, prepare
from stratakv.engine.rotation import DEFAULT_MIN_COSINE

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.vectors.tables import Table

BOUNDS = (DEFAULT_MIN_COSINE, 0.998, 0.99)
QUICK_BOUNDS = (DEFAULT_MIN_COSINE,)


def losses(*, quick: bool) -> list[Loss]:
    """Return what is allowed in turn."""
    rotated = [_rotated(bound) for bound in (QUICK_BOUNDS if quick else BOUNDS)]
    return rotated if quick else [*rotated, *(loss for loss in VECTOR_LOSSES if loss.name in {"int8", "int4"})]


def _rotated(bound: float) -> Loss:
    return Loss("rotated", (("lossy", True), ("strategy", "rotated"), ("min_cosine", bound)))


def stored(table: Table, loss: Loss, progress: Callable[[str, int, int], None]) -> dict[str, Any]:
    """Return what is told of a table in a settled store.

    Raises:
        DifferenceError: A vector came back past its bound, or changed from one read to the next.
        UnsettledError: The store does not come to rest.
    """
    items = {f"{table.name}:{number}": row.copy() for number, row in enumerate(table.base)}
    row = measure(prepare(Corpus(table.name, "vectors", items, table.neighbours)), "moderate", loss, progress)
    if row["differences"]:
        raise DifferenceError(f"{table.name}, {loss.name}: {row['first_differences'][0]}")
    dictionaries = row["disk"]["dictionaries"]
    return {
        "way": f"store, {loss.name}",
        "bound": dict(loss.settings)["min_cosine"],
        "bytes": row["payload_bytes"] - dictionaries,
        "model": dictionaries,
        "catalog": row["disk"]["catalog"] - dictionaries,
        "recall": row["accuracy"]["recall_at_10"],
        "least_cosine": row["accuracy"]["least_cosine"],
        "in_ram_share": 1 - row["ram_reduction"],
        "decode_us": row["microseconds"]["decode"],
    }
