"""The sections that steer decisions: `adaptive` and `namespaces`.

Owns these declarations and the contradictions within one section, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from stratakv.config.content_sections import COSINE, LOSSY_STRATEGIES, STRATEGIES
from stratakv.config.setting import (
    FRACTION,
    NOT_NEGATIVE,
    PERCENT,
    POSITIVE,
    Limits,
    Section,
    declared,
    setting,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_PATTERN = 1024


def _check_pattern(value: str) -> str | None:
    return None if 0 < len(value) <= _LONGEST_PATTERN else f"a glob pattern of 1 to {_LONGEST_PATTERN:,} characters"


@dataclass(slots=True)
class TargetsConfig(Section):
    """What the adaptive engine works towards."""

    memory_reduction_percent: float = setting(
        75.0, "Bytes to be saved, in percent of the plain bytes; statistics compare with it", limits=PERCENT
    )
    overhead_percent: float = setting(
        5.0,
        "Time that callers may spend waiting for what lies below RAM, in percent of the time that passes",
        limits=NOT_NEGATIVE,
    )


@dataclass(slots=True)
class PricesConfig(Section):
    """What things cost, in one currency. The statistics estimate the object store's monthly bill from them."""

    ram_gb_month: float = setting(3.0, "One GB of RAM for a month", limits=NOT_NEGATIVE)
    ssd_gb_month: float = setting(0.08, "One GB of SSD for a month", limits=NOT_NEGATIVE)
    object_gb_month: float = setting(0.023, "One GB in the object store for a month", limits=NOT_NEGATIVE)
    put_per_1000: float = setting(0.005, "1,000 writing requests to the object store", limits=NOT_NEGATIVE)
    get_per_1000: float = setting(0.0004, "1,000 reading requests to the object store", limits=NOT_NEGATIVE)
    transfer_gb: float = setting(0.09, "One GB read from the object store over the network", limits=NOT_NEGATIVE)
    blocked_second: float = setting(
        1e-5,
        "A second of whoever waits: a thread about 1e-5, a GPU 1e-3, a person 1e-2",
        limits=NOT_NEGATIVE,
    )


@dataclass(slots=True)
class AdaptiveConfig(Section):
    """The engine that watches telemetry and retunes thresholds, shares of RAM and budgets of codecs."""

    enabled: bool = setting(True, "False freezes every threshold where it is: as configured, or as tuned before")
    telemetry_interval_seconds: float = setting(10.0, "Seconds between looks at what happened", limits=POSITIVE)
    retune_interval_seconds: float = setting(300.0, "Seconds between retunes", limits=POSITIVE)
    retune_requests: int = setting(20_000, "Requests after which a retune comes earlier", limits=Limits(low=1))
    learning_rate: float = setting(
        0.5, "How much of a wanted change is made at once; 0 watches and changes nothing", limits=FRACTION
    )
    cool_down_seconds: float = setting(
        600.0, "Seconds that a setting stays after a change that was rolled back", limits=NOT_NEGATIVE
    )
    shortest_idle_seconds: float = setting(
        10.0, "No tuned threshold is shorter: seconds of idling in a tier", limits=NOT_NEGATIVE
    )
    longest_idle_hours: float = setting(
        2160.0, "No tuned threshold is longer: hours of idling in a tier", limits=POSITIVE
    )
    hot_capacity_min_mb: float | None = setting(
        None, "With hot_capacity_max_mb: MB that RAM for values never shrinks below", limits=POSITIVE
    )
    hot_capacity_max_mb: float | None = setting(
        None,
        "With hot_capacity_min_mb: MB that RAM for values may grow to; none = it stays at tiered_storage."
        "hot_capacity_mb",
        limits=POSITIVE,
    )
    divide_hot: bool = setting(True, "True divides RAM between namespaces by what a byte of it saves each of them")
    targets: TargetsConfig = field(default_factory=TargetsConfig, metadata=declared("What it works towards"))
    prices: PricesConfig = field(default_factory=PricesConfig, metadata=declared("What things cost"))

    def contradictions(self) -> Iterator[tuple[str, str]]:
        low, high = self.hot_capacity_min_mb, self.hot_capacity_max_mb
        if (low is None) != (high is None):
            missing = "hot_capacity_min_mb" if low is None else "hot_capacity_max_mb"
            yield missing, "is missing: the capacity moves between two bounds; set both, or neither"
        elif low is not None and high is not None and low > high:
            yield "hot_capacity_min_mb", f"is {low:g}, above hot_capacity_max_mb ({high:g})"
        if self.shortest_idle_seconds > self.longest_idle_hours * 3600:
            yield "shortest_idle_seconds", "is longer than longest_idle_hours"


@dataclass(slots=True)
class NamespaceConfig(Section):
    """A policy label for some of the keys. The first that matches a key, in file order, takes it."""

    match: str | list[str] = field(
        default_factory=list,
        metadata=declared(
            "Glob pattern, or list of them, over keys; none = only by namespace= at store",
            check=_check_pattern,
        ),
    )
    strategy: str | None = setting(
        None, "Codec for its values; none = compression.default_strategy", choices=STRATEGIES
    )
    lossy: bool | None = setting(
        None,
        "True allows loss (see compression.lossy), False forbids it, also to calls; none = compression.lossy",
    )
    max_relative_error: float | None = setting(
        None, "Greatest relative error of a quantised number; none = compression.max_relative_error", limits=POSITIVE
    )
    min_cosine: float | None = setting(
        None, "Least cosine of a quantised row; none = compression.min_cosine", limits=COSINE
    )
    min_confidence: float | None = setting(
        None, "Edges of graphs with a smaller weight go; none = compression.min_confidence"
    )
    max_edge_age_days: float | None = setting(
        None, "Edges of graphs that are older go; none = compression.max_edge_age_days", limits=POSITIVE
    )
    ttl: float | None = setting(None, "Seconds a value lives after its last store; none = for ever", limits=POSITIVE)
    prunable: bool = setting(False, "True allows old values to be deleted")
    prune_after_days: float | None = setting(
        None,
        "Days after its last write when a prunable value goes; none = from the optimisation level",
        limits=POSITIVE,
        from_level=True,
    )
    blocked_second: float | None = setting(
        None,
        "What a second costs of whoever waits for its values; none = adaptive.prices.blocked_second",
        limits=NOT_NEGATIVE,
    )
    dedup_scope: Literal["store", "namespace"] = setting(
        "store", "Whether equal contents are shared with the whole store, or only within the namespace"
    )

    def contradictions(self) -> Iterator[tuple[str, str]]:
        if self.strategy in LOSSY_STRATEGIES and self.lossy is False:
            yield "strategy", f"is {self.strategy!r}, which loses precision, but lossy is false: set lossy to true"
        if self.lossy and self.strategy not in {None, "adaptive", *LOSSY_STRATEGIES}:
            yield "lossy", f"is true, but strategy is {self.strategy!r}, which loses nothing: remove one of them"
        if self.strategy == "graph_prune" and self.min_confidence is None and self.max_edge_age_days is None:
            yield "strategy", "is 'graph_prune', which removes nothing here: set min_confidence or max_edge_age_days"
        if self.prune_after_days is not None and not self.prunable:
            yield (
                "prune_after_days",
                "has no effect because prunable is false: set prunable to true, or remove it",
            )
