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
        5.0, "Time that may be added to an operation, in percent (not used yet)", limits=NOT_NEGATIVE
    )


@dataclass(slots=True)
class PricesConfig(Section):
    """What things cost, in one currency. The statistics estimate the object store's monthly bill from them."""

    ram_gb_month: float = setting(3.0, "One GB of RAM for a month (not used yet)", limits=NOT_NEGATIVE)
    ssd_gb_month: float = setting(0.08, "One GB of SSD for a month (not used yet)", limits=NOT_NEGATIVE)
    object_gb_month: float = setting(0.023, "One GB in the object store for a month", limits=NOT_NEGATIVE)
    put_per_1000: float = setting(0.005, "1,000 writing requests to the object store", limits=NOT_NEGATIVE)
    get_per_1000: float = setting(0.0004, "1,000 reading requests to the object store", limits=NOT_NEGATIVE)
    transfer_gb: float = setting(0.09, "One GB read from the object store over the network", limits=NOT_NEGATIVE)
    blocked_second: float = setting(
        1e-5,
        "A second of whoever waits: a thread about 1e-5, a GPU 1e-3, a person 1e-2 (not used yet)",
        limits=NOT_NEGATIVE,
    )


@dataclass(slots=True)
class AdaptiveConfig(Section):
    """The engine that watches telemetry and retunes the thresholds. It does not exist yet: thresholds stay."""

    enabled: bool = setting(True, "False leaves every threshold where it is configured (not used yet)")
    telemetry_interval_seconds: float = setting(10.0, "Seconds between samples (not used yet)", limits=POSITIVE)
    retune_interval_seconds: float = setting(300.0, "Seconds between retunes (not used yet)", limits=POSITIVE)
    retune_requests: int = setting(
        20_000, "Requests after which a retune comes earlier (not used yet)", limits=Limits(low=1)
    )
    learning_rate: float = setting(0.5, "How much of a wanted change is made at once (not used yet)", limits=FRACTION)
    targets: TargetsConfig = field(default_factory=TargetsConfig, metadata=declared("What it works towards"))
    prices: PricesConfig = field(default_factory=PricesConfig, metadata=declared("What things cost"))


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
