"""stratakv: a transparent key-value middleware with compression, deduplication and hot, warm and cold tiers."""

from __future__ import annotations

from stratakv.clock import Clock, ManualClock, SystemClock
from stratakv.config import OptimizationConfig, get_optimization_level_preset, load_config
from stratakv.engine.compression import CompressionEngine, CompressionResult, DecompressionResult
from stratakv.engine.dedup import DeduplicationEngine
from stratakv.engine.middleware import OptimizationMiddleware
from stratakv.engine.tiers import TieredStorageManager
from stratakv.errors import (
    CapacityError,
    ClosedError,
    ConfigurationError,
    CorruptionError,
    SerializationError,
    StoreLockedError,
    StrataError,
    TierUnavailableError,
)
from stratakv.types import CompressionStrategy, StorageTier

__version__ = "0.1.0"
__all__ = [
    "CapacityError",
    "Clock",
    "ClosedError",
    "CompressionEngine",
    "CompressionResult",
    "CompressionStrategy",
    "ConfigurationError",
    "CorruptionError",
    "DecompressionResult",
    "DeduplicationEngine",
    "ManualClock",
    "OptimizationConfig",
    "OptimizationMiddleware",
    "SerializationError",
    "StorageTier",
    "StoreLockedError",
    "StrataError",
    "SystemClock",
    "TierUnavailableError",
    "TieredStorageManager",
    "__version__",
    "get_optimization_level_preset",
    "load_config",
]
