"""Permission: which loss a configuration, a namespace or a call allows, and up to which bound.

Pure. Without a rule from here nothing is ever changed. The bounds that a strategy has of itself (`OWN_BOUNDS`) are what
it reaches on ordinary vectors, so that they hold there and catch what it does not suit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.rotation import DEFAULT_MIN_COSINE
from stratakv.errors import ConfigurationError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from stratakv.config import NamespaceConfig, OptimizationConfig

QUANTIZERS = {CompressionStrategy.QUANTIZE_INT8: 8, CompressionStrategy.QUANTIZE_INT4: 4}
LOSSY = frozenset(
    {*QUANTIZERS, CompressionStrategy.BINARIZE, CompressionStrategy.ROTATED, CompressionStrategy.GRAPH_PRUNE}
)

OWN_BOUNDS = {
    CompressionStrategy.QUANTIZE_INT8: 0.999,
    CompressionStrategy.QUANTIZE_INT4: 0.95,
    CompressionStrategy.BINARIZE: 0.5,
    CompressionStrategy.ROTATED: DEFAULT_MIN_COSINE,
}
"""Least cosine where no bound is configured. Sentence embeddings reach 0.99997, 0.99 and 0.8 on average; a rotation is
learned to reach its bound, whatever it is."""

SECONDS_A_DAY = 86_400


class _Bounds(NamedTuple):
    """The settings that a namespace and the section `compression` have in common."""

    max_relative_error: float | None = None
    min_cosine: float | None = None
    min_confidence: float | None = None
    max_edge_age_days: float | None = None


_NOTHING = _Bounds()


@dataclass(frozen=True, slots=True)
class LossRule:
    """What may be done to a value.

    Attributes:
        arrays: What arrays of floats become; None leaves them alone.
        max_relative_error: Bound on `Loss.relative_error`; None for none.
        min_cosine: Bound on `Loss.cosine`.
        prunes: Whether edges may be removed.
        min_confidence: Edges with a smaller weight go; None keeps all.
        max_age_seconds: Edges older than this go; None keeps all.
    """

    arrays: CompressionStrategy | None
    max_relative_error: float | None
    min_cosine: float
    prunes: bool
    min_confidence: float | None
    max_age_seconds: float | None


class Permissions:
    """The rules of one configuration.

    Args:
        config: Where they come from; None allows loss only to calls that name a lossy strategy.
        enabled: False allows none at all: without compression it would save nothing.
    """

    def __init__(self, config: OptimizationConfig | None, *, enabled: bool = True) -> None:
        self._compression = None if config is None else config.compression
        self._enabled = enabled

    def rule(self, namespace: NamespaceConfig | None, asked: CompressionStrategy | None = None) -> LossRule | None:
        """Return the rule for a value; None where nothing may be lost.

        Args:
            namespace: The value's namespace, whose settings outrank the section `compression`.
            asked: A strategy named by the call: a lossy one is a permission, any other one but ADAPTIVE forbids loss.

        Raises:
            ConfigurationError: The call asks for loss in a namespace whose `lossy` is set to false, or for pruning
                where no bound is set.
        """
        if not self._enabled:
            return None
        if asked in LOSSY and namespace is not None and namespace.lossy is False:
            raise ConfigurationError(
                f"{asked} loses precision, but the value's namespace has lossy: false: use another namespace, or one "
                f"of the strategies that lose nothing"
            )
        shared = self._compression
        named = None if shared is None else CompressionStrategy(shared.default_strategy)
        allowed = shared is not None and shared.lossy
        if namespace is not None:
            allowed = allowed if namespace.lossy is None else namespace.lossy
            named = named if namespace.strategy is None else CompressionStrategy(namespace.strategy)
        if asked is not None and asked is not CompressionStrategy.ADAPTIVE:
            allowed, named = asked in LOSSY, asked
        if not allowed:
            return None
        found = self._rule(namespace, named)
        if found is None and asked is CompressionStrategy.GRAPH_PRUNE:
            raise ConfigurationError(
                "GRAPH_PRUNE removes nothing here: set min_confidence or max_edge_age_days, for the value's namespace "
                "or in the section compression"
            )
        return found

    def _rule(self, namespace: NamespaceConfig | None, named: CompressionStrategy | None) -> LossRule | None:
        shared, own = self._compression or _NOTHING, namespace or _NOTHING
        arrays = named if named in OWN_BOUNDS else None
        least = shared.min_confidence if own.min_confidence is None else own.min_confidence
        days = shared.max_edge_age_days if own.max_edge_age_days is None else own.max_edge_age_days
        if named is None or named is CompressionStrategy.ADAPTIVE:
            bits = 8 if self._compression is None else self._compression.quantization_bits
            arrays = next(strategy for strategy, its_bits in QUANTIZERS.items() if its_bits == bits)
        elif named not in LOSSY:
            return None
        prunes = named not in OWN_BOUNDS and (least is not None or days is not None)
        if arrays is None and not prunes:
            return None
        cosine = shared.min_cosine if own.min_cosine is None else own.min_cosine
        if cosine is None:
            cosine = OWN_BOUNDS[arrays] if arrays is not None else -1.0
        error = shared.max_relative_error if own.max_relative_error is None else own.max_relative_error
        return LossRule(arrays, error, cosine, prunes, least, None if days is None else days * SECONDS_A_DAY)
