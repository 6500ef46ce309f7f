"""`OptimizationConfig`: all settings of a store, and the values that follow from its optimisation level.

A plain mutable object: assigning checks nothing, `validate` checks all. Whoever takes one copies it first
(`copy`), so that later changes by its owner have no effect. Never reads a file or the environment.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

from stratakv.config.content_sections import (
    LOSSY_STRATEGIES,
    CompressionConfig,
    DeduplicationConfig,
    SerializationConfig,
)
from stratakv.config.levels import DEFAULT_LEVEL, LEVELS, Level
from stratakv.config.place_sections import StorageConfig, TieredStorageConfig, WrapConfig
from stratakv.config.policy_sections import AdaptiveConfig, NamespaceConfig
from stratakv.config.schema import adopt_sections
from stratakv.config.setting import Section, declared, setting
from stratakv.errors import ConfigurationError

BYTES_PER_MB = 1 << 20
S = TypeVar("S", bound=Section)


@dataclass(slots=True, init=False)
class OptimizationConfig(Section):
    """All settings. Sections may be given as their dataclass or as a plain mapping of names to values.

    1 MB is 1,048,576 bytes throughout, 1 KB is 1,024.

    Raises:
        ConfigurationError: A mapping holds a key that is no setting. Values are checked by `validate`.
    """

    enabled: bool | None = setting(
        None, "Turn optimisation on or off; none = on, except for a wrapped engine without any configuration"
    )
    optimization_level: str = setting(
        DEFAULT_LEVEL,
        "Decides every setting below whose value is 'from the optimisation level'",
        choices=tuple(LEVELS),
    )
    enable_compression: bool = setting(True, "False turns compression off, whatever its section says")
    enable_tiered_storage: bool = setting(True, "False turns tiers off, whatever their section says")
    enable_deduplication: bool = setting(True, "False turns deduplication off, whatever its section says")
    storage: StorageConfig = field(
        default_factory=StorageConfig,
        metadata=declared("Where the store lies and what an acknowledgement promises"),
    )
    wrap: WrapConfig = field(default_factory=WrapConfig, metadata=declared("How a wrapped engine is used"))
    compression: CompressionConfig = field(
        default_factory=CompressionConfig, metadata=declared("How values are encoded")
    )
    tiered_storage: TieredStorageConfig = field(
        default_factory=TieredStorageConfig, metadata=declared("Hot, warm and cold")
    )
    deduplication: DeduplicationConfig = field(
        default_factory=DeduplicationConfig, metadata=declared("Equal contents are kept once")
    )
    adaptive: AdaptiveConfig = field(default_factory=AdaptiveConfig, metadata=declared("Retuning by telemetry"))
    serialization: SerializationConfig = field(
        default_factory=SerializationConfig, metadata=declared("Which values are accepted")
    )
    namespaces: dict[str, NamespaceConfig] = field(
        default_factory=dict, metadata=declared("Policy labels for some of the keys")
    )

    def __init__(
        self,
        *,
        enabled: bool | None = None,
        optimization_level: str = DEFAULT_LEVEL,
        enable_compression: bool = True,
        enable_tiered_storage: bool = True,
        enable_deduplication: bool = True,
        storage: StorageConfig | Mapping[str, object] | None = None,
        wrap: WrapConfig | Mapping[str, object] | None = None,
        compression: CompressionConfig | Mapping[str, object] | None = None,
        tiered_storage: TieredStorageConfig | Mapping[str, object] | None = None,
        deduplication: DeduplicationConfig | Mapping[str, object] | None = None,
        adaptive: AdaptiveConfig | Mapping[str, object] | None = None,
        serialization: SerializationConfig | Mapping[str, object] | None = None,
        namespaces: Mapping[str, NamespaceConfig | Mapping[str, object]] | None = None,
    ) -> None:
        self.enabled = enabled
        self.optimization_level = optimization_level
        self.enable_compression = enable_compression
        self.enable_tiered_storage = enable_tiered_storage
        self.enable_deduplication = enable_deduplication
        self.storage = _section(StorageConfig, storage, "storage")
        self.wrap = _section(WrapConfig, wrap, "wrap")
        self.compression = _section(CompressionConfig, compression, "compression")
        self.tiered_storage = _section(TieredStorageConfig, tiered_storage, "tiered_storage")
        self.deduplication = _section(DeduplicationConfig, deduplication, "deduplication")
        self.adaptive = _section(AdaptiveConfig, adaptive, "adaptive")
        self.serialization = _section(SerializationConfig, serialization, "serialization")
        self.namespaces = dict(namespaces or {})  # type: ignore[arg-type]  # see adopt_sections
        adopt_sections(self)

    def copy(self) -> Self:
        """Return an independent copy, sections and lists included."""
        return copy.deepcopy(self)

    @property
    def level(self) -> Level:
        """What the optimisation level decides.

        Raises:
            ConfigurationError: There is no such level.
        """
        try:
            return LEVELS[self.optimization_level]
        except (KeyError, TypeError):
            self.validate()
            raise

    @property
    def effective_compression_level(self) -> int:
        """1 to 9, as configured or from the optimisation level."""
        configured = self.compression.compression_level
        return self.level.compression_level if configured is None else configured

    @property
    def effective_background_budget(self) -> float:
        """Microseconds of encoding for a KB in background work, as configured or from the optimisation level."""
        configured = self.compression.background_budget_us_per_kb
        return self.level.background_budget_us_per_kb if configured is None else configured

    @property
    def effective_read_budget(self) -> float:
        """Microseconds of decoding for a KB from a pack, as configured or from the optimisation level."""
        configured = self.compression.read_budget_us_per_kb
        return self.level.read_budget_us_per_kb if configured is None else configured

    @property
    def effective_hot_capacity_bytes(self) -> int:
        """Bytes of RAM for values at first, as configured or from the optimisation level, within the bounds set."""
        configured = self.tiered_storage.hot_capacity_mb
        megabytes = self.level.hot_capacity_mb if configured is None else configured
        low, high = self.adaptive.hot_capacity_min_mb, self.adaptive.hot_capacity_max_mb
        if low is not None and high is not None:
            megabytes = min(max(megabytes, low), high)
        return max(1, int(megabytes * BYTES_PER_MB))

    @property
    def effective_migration_interval(self) -> float:
        """Seconds between rounds of movement, as configured or from the optimisation level."""
        configured = self.tiered_storage.migration_interval_seconds
        return self.level.migration_interval_seconds if configured is None else configured

    def effective_prune_days(self, namespace: str | None = None) -> float:
        """Days after which prunable data of a namespace goes, as configured or from the optimisation level.

        Says when, not whether: only data stored as prunable is pruned. Unknown namespaces have the level's.
        """
        rule = None if namespace is None else self.namespaces.get(namespace)
        if rule is None or rule.prune_after_days is None:
            return self.level.prune_after_days
        return rule.prune_after_days

    def is_enabled(self, wrapped: bool, configured: bool) -> bool:
        """Tell whether optimisation is on.

        Args:
            wrapped: Whether an engine is wrapped; a store that stands alone is on.
            configured: Whether the user gave any configuration; without one, wrapping is opt-in and off.

        `enabled: true` or `false` decides alone.
        """
        if self.enabled is not None:
            return self.enabled
        return configured or not wrapped

    def contradictions(self) -> Iterator[tuple[str, str]]:
        for name, rule in self.namespaces.items():
            if rule.strategy in LOSSY_STRATEGIES and rule.lossy is None and not self.compression.lossy:
                yield (
                    f"namespaces.{name}.strategy",
                    f"is {rule.strategy!r}, which loses precision: allow it with lossy: true",
                )
        if self.wrap.mode != "write_through":
            return
        advice = "but wrap.mode is 'write_through', where loss is refused: use 'absorb', or a lossless setting"
        if self.compression.lossy:
            yield "compression.lossy", f"is true, {advice}"
        for name, rule in self.namespaces.items():
            if rule.lossy:
                yield f"namespaces.{name}.lossy", f"is true, {advice}"


def _section(kind: type[S], given: S | Mapping[str, object] | None, name: str) -> S:
    if given is None:
        return kind()
    if isinstance(given, kind):
        return given
    if isinstance(given, Mapping):
        return kind.from_mapping(given, name)
    raise ConfigurationError(
        f"key {name!r} must be a {kind.__name__} or a mapping of its settings, not {type(given).__name__}"
    )


def get_optimization_level_preset(level: str) -> OptimizationConfig:
    """Return a new configuration with optimisation on and the level's values written out.

    Args:
        level: `conservative`, `moderate` or `aggressive`.

    Raises:
        ConfigurationError: There is no such level.
    """
    config = OptimizationConfig(enabled=True, optimization_level=level)
    decided = config.level
    config.compression.compression_level = decided.compression_level
    config.tiered_storage.hot_capacity_mb = decided.hot_capacity_mb
    config.tiered_storage.migration_interval_seconds = decided.migration_interval_seconds
    return config
