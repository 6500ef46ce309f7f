"""The optimisation levels: one table of what each of them decides. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Level:
    """What an optimisation level decides where nothing more precise is configured.

    Attributes:
        compression_level: 1 (fastest) to 9 (smallest).
        background_budget_us_per_kb: Microseconds of encoding for a KB in background work.
        read_budget_us_per_kb: Microseconds of decoding a KB from a pack.
        hot_capacity_mb: MB of RAM for values.
        migration_interval_seconds: Seconds between rounds of movement between tiers.
        prune_after_days: Days after which prunable data goes.
    """

    compression_level: int
    background_budget_us_per_kb: float
    read_budget_us_per_kb: float
    hot_capacity_mb: float
    migration_interval_seconds: float
    prune_after_days: float


LEVELS = {
    "conservative": Level(3, 150.0, 20.0, 500.0, 600.0, 90.0),
    "moderate": Level(6, 800.0, 100.0, 200.0, 300.0, 30.0),
    "aggressive": Level(9, 4000.0, 400.0, 100.0, 60.0, 7.0),
}
DEFAULT_LEVEL = "moderate"
