"""The optimisation levels: one table of what each of them decides. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Level:
    """What an optimisation level decides where nothing more precise is configured.

    Attributes:
        compression_level: 1 (fastest) to 9 (smallest).
        hot_capacity_mb: MB of RAM for values.
        migration_interval_seconds: Seconds between rounds of movement between tiers.
        prune_after_days: Days after which prunable data goes.
    """

    compression_level: int
    hot_capacity_mb: float
    migration_interval_seconds: float
    prune_after_days: float


LEVELS = {
    "conservative": Level(3, 500.0, 600.0, 90.0),
    "moderate": Level(6, 200.0, 300.0, 30.0),
    "aggressive": Level(9, 100.0, 60.0, 7.0),
}
DEFAULT_LEVEL = "moderate"
