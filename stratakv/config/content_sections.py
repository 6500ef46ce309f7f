"""The sections that say how contents are kept: `compression`, `deduplication` and `serialization`.

Owns these declarations, and which of the names they know stand for nothing yet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from stratakv.config.setting import FRACTION, Limits, Section, declared, setting
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator

STRATEGIES = tuple(strategy.value for strategy in CompressionStrategy)
UNAVAILABLE_STRATEGIES = frozenset({"quantize_int8", "quantize_int4", "binarize", "graph_prune", "sparse_csr"})
"""Known names whose codecs do not exist yet."""

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
        "Codec where nothing else is asked; 'adaptive' leaves the choice to the engine. 'none', 'lz4', 'zstd', "
        "'zlib' and 'blosc' are there; the others are refused in this version",
        choices=STRATEGIES,
    )
    compression_level: int | None = setting(
        None,
        "1 fastest to 9 smallest; none = from the optimisation level",
        limits=Limits(low=1, high=9),
        from_level=True,
    )
    quantization_bits: int = setting(
        8, "Bits of a quantised number, where loss is allowed (not used yet)", choices=(4, 8)
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
        if self.default_strategy in UNAVAILABLE_STRATEGIES:
            yield (
                "default_strategy",
                f"is {self.default_strategy!r}, which is not available in this version: use 'adaptive'",
            )


@dataclass(slots=True)
class DeduplicationConfig(Section):
    """Equal contents are kept once."""

    enabled: bool = setting(True, "False stores every value on its own")
    enable_bloom_filter: bool = setting(True, "Spare look-ups of contents that are surely new")
    bloom_filter_size: int = setting(
        100_000,
        "Contents expected (not bits); it grows by itself beyond",
        limits=Limits(low=1, high=10_000_000_000),
    )
    false_positive_rate: float = setting(
        0.01, "Share of new contents that the filter may take for known", limits=Limits(above=0, below=1)
    )


@dataclass(slots=True)
class SerializationConfig(Section):
    """Which values are accepted."""

    allow_pickle: bool = setting(False, "Accept any picklable object. Only for data that you trust")
    enums: list[str | type] = field(
        default_factory=list,
        metadata=declared("Enum classes accepted as values: 'package.module:Class'", check=_check_enum),
    )
