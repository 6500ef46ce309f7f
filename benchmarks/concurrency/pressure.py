"""Owns keeping a store's own threads at work: one thread stores, deletes and asks for moves, in small steps.

It changes other keys than those that are read, while it is on, so that checkpoint, demotion, promotion and compaction
always have something to do.
"""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

from benchmarks.durability.records import marked
from stratakv import OptimizationConfig, StorageTier

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv import OptimizationMiddleware

STEP = 20
STEP_SECONDS = 0.004


def settings(path: Path) -> OptimizationConfig:
    """Return settings with which everything is due all the time."""
    return OptimizationConfig(
        enabled=True,
        storage={"path": str(path), "checkpoint_interval_seconds": 1.0, "pack_size_mb": 1, "grace_seconds": 0},
        tiered_storage={
            "migration_interval_seconds": 0.5,
            "hot_to_warm_idle_hours": 24,
            "warm_to_cold_idle_hours": 1 / 3600,
            "cold": {"backup_interval_seconds": 2.0},
        },
        adaptive={"prices": {"transfer_gb": 0}},  # compaction of cold pays
    )


class Pressure:
    """A thread that changes keys. A context manager: within it, it is on.

    Args:
        memory: The store.
        others: The keys that it may change, with their values.
    """

    def __init__(self, memory: OptimizationMiddleware, others: dict[str, Any]) -> None:
        self._memory = memory
        self._others = others
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        chance = random.Random(5)
        keys = list(self._others)
        while not self._stop.wait(STEP_SECONDS):
            chosen = chance.sample(keys, min(STEP, len(keys)))
            self._memory.store_many({key: marked(self._others[key], chance.getrandbits(60)) for key in chosen})
            self._memory.delete(chance.choice(keys))
            key = chance.choice(keys)
            self._memory.tiered_storage.migrate_tier(key, chance.choice((StorageTier.WARM, StorageTier.COLD)))
