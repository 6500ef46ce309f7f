"""Configuration: the only reader of YAML and of the environment."""

from __future__ import annotations

from stratakv.config.content_sections import (
    CompressionConfig,
    DeduplicationConfig,
    SerializationConfig,
)
from stratakv.config.levels import LEVELS
from stratakv.config.loading import LoadedConfig, load_config
from stratakv.config.model import OptimizationConfig, get_optimization_level_preset
from stratakv.config.namespaces import Namespaces
from stratakv.config.place_sections import (
    ColdConfig,
    StorageConfig,
    TieredStorageConfig,
    WarmConfig,
    WrapConfig,
)
from stratakv.config.policy_sections import AdaptiveConfig, NamespaceConfig, PricesConfig, TargetsConfig
from stratakv.config.sources import Source

__all__ = [
    "LEVELS",
    "AdaptiveConfig",
    "ColdConfig",
    "CompressionConfig",
    "DeduplicationConfig",
    "LoadedConfig",
    "NamespaceConfig",
    "Namespaces",
    "OptimizationConfig",
    "PricesConfig",
    "SerializationConfig",
    "Source",
    "StorageConfig",
    "TargetsConfig",
    "TieredStorageConfig",
    "WarmConfig",
    "WrapConfig",
    "get_optimization_level_preset",
    "load_config",
]
