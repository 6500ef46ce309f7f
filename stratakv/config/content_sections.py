"""The sections that say how contents are kept: `compression`, `deduplication` and `serialization`.

Owns these declarations, and which of the names they know stand for nothing yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from stratakv.config.setting import FRACTION, POSITIVE, Limits, Section, declared, setting
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator

STRATEGIES = tuple(strategy.value for strategy in CompressionStrategy)
LOSSY_STRATEGIES = frozenset({"quantize_int8", "quantize_int4", "binarize", "rotated", "graph_prune"})
"""They change values, so they need a permission: `lossy: true`."""

COSINE = Limits(low=-1, high=1)

_IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*[.:][^\W\d]\w*(\.[^\W\d]\w*)*")


def _check_enum(value: object) -> str | None:
    if isinstance(value, str):
        return None if _IMPORT_PATH.fullmatch(value) else "an importable class such as 'package.module:Colour'"
    return None if isinstance(value, type) and issubclass(value, Enum) else "a subclass of enum.Enum"


@dataclass(slots=True)
class CompressionConfig(Section):
    """How values are encoded."""

    enabled: bool = setting(True, "False keeps every value as it is serialised")
    default_strategy: str = setting(
        "adaptive",
        "Codec of new values where nothing else is asked; 'adaptive' leaves the choice to the engine. On disk values "
        "are encoded anew by what is measured to suit them, but for 'none', which holds everywhere. Strategies that "
        "lose precision need lossy: true",
        choices=STRATEGIES,
    )
    compression_level: int | None = setting(
        None,
        "1 fastest to 9 smallest; none = from the optimisation level",
        limits=Limits(low=1, high=9),
        from_level=True,
    )
    lossy: bool = setting(
        False,
        "True allows loss within a measured bound: 'adaptive' then quantises arrays of floats to quantization_bits, "
        "and prunes graphs where min_confidence or max_edge_age_days is set. With False a call may still ask for loss",
    )
    quantization_bits: int = setting(
        8, "Bits of a quantised number, where 'adaptive' may lose precision", choices=(4, 8)
    )
    max_relative_error: float | None = setting(
        None,
        "Greatest difference that quantising may make to a number, as a share of the greatest magnitude in its row; "
        "past it the array is kept exactly; none = no such bound",
        limits=POSITIVE,
    )
    min_cosine: float | None = setting(
        None,
        "Least cosine between a row and what quantising leaves of it; below it the array is kept exactly; none = 0.999 "
        "for quantize_int8, 0.95 for quantize_int4, 0.5 for binarize, and for rotated, which takes as few bits as the "
        "bound allows, 0.9995",
        limits=COSINE,
    )
    min_confidence: float | None = setting(
        None, "Edges of graphs with a smaller weight are removed where loss is allowed; none = no edge for its weight"
    )
    max_edge_age_days: float | None = setting(
        None, "Older edges of graphs are removed where loss is allowed; none = no edge for its age", limits=POSITIVE
    )
    store_budget_us_per_kb: float = setting(
        25.0,
        "Microseconds that encoding a KB, or a smaller value, may take when it is stored: 'adaptive' takes the "
        "smallest result within, and the quickest codec where none keeps to it",
        limits=POSITIVE,
    )
    background_budget_us_per_kb: float | None = setting(
        None,
        "Microseconds that encoding a KB may take when background work packs it; none = from the optimisation level",
        limits=POSITIVE,
        from_level=True,
    )
    read_budget_us_per_kb: float | None = setting(
        None,
        "Microseconds that decoding a KB from a cold pack may take; a tenth of it in warm, and in blocks of many "
        "values, which are decoded whole for one of them; none = from the optimisation level",
        limits=POSITIVE,
        from_level=True,
    )
    episodic_compression_target: float = setting(
        0.70, "Share of bytes to be saved on episodic records, for reports and tuning (not used yet)", limits=FRACTION
    )
    session_compression_target: float = setting(0.60, "The same for session state (not used yet)", limits=FRACTION)
    semantic_compression_target: float = setting(0.80, "The same for semantic graphs (not used yet)", limits=FRACTION)
    vector_compression_target: float = setting(0.85, "The same for vectors (not used yet)", limits=FRACTION)
    dictionary_kb: int = setting(
        64,
        "KB of a trained dictionary for each namespace; 0 = no dictionaries",
        limits=Limits(low=0, high=1024),
    )
    warm_block_kb: int = setting(
        4,
        "KB of values compressed together on SSD: larger is smaller and slower to read",
        limits=Limits(low=1, high=65_536),
    )
    cold_block_kb: int = setting(
        256, "KB of values compressed together in the cold tier", limits=Limits(low=1, high=65_536)
    )

    def contradictions(self) -> Iterator[tuple[str, str]]:
        if self.lossy and self.default_strategy not in {"adaptive", *LOSSY_STRATEGIES}:
            yield "lossy", f"is true, but default_strategy is {self.default_strategy!r}, which loses nothing"
        if self.default_strategy in LOSSY_STRATEGIES and not self.lossy:
            yield (
                "default_strategy",
                f"is {self.default_strategy!r}, which loses precision: allow it with lossy: true, or use 'adaptive'",
            )


@dataclass(slots=True)
class DeduplicationConfig(Section):
    """Equal contents are kept once."""

    enabled: bool = setting(True, "False stores every value on its own")
    enable_bloom_filter: bool = setting(True, "Spare look-ups of contents that are surely new")
    bloom_filter_size: int = setting(
        100_000,
        "Contents expected (not bits); the filter starts for 16,384 of them or fewer and doubles on its way",
        limits=Limits(low=1, high=10_000_000_000),
    )
    false_positive_rate: float = setting(
        0.01, "Share of new contents that the filter may take for known", limits=Limits(above=0, below=1)
    )
    large_value_kb: float = setting(
        256.0,
        "KB of plaintext from which a value is kept in chunks that versions of it share",
        limits=Limits(low=1, high=1 << 20),
    )
    chunk_kb: float = setting(
        4.0,
        "Mean KB of a chunk; sixteen times that in values of 16 MB and more. Smaller ones find more that is alike",
        limits=Limits(low=0.25, high=128),
    )


@dataclass(slots=True)
class SerializationConfig(Section):
    """Which values are accepted."""

    allow_pickle: bool = setting(False, "Accept any picklable object. Only for data that you trust")
    enums: list[str | type] = field(
        default_factory=list,
        metadata=declared("Enum classes accepted as values: 'package.module:Class'", check=_check_enum),
    )
