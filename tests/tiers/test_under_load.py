"""All movement at once beneath eight busy threads: every read returns what its thread wrote last."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from stratakv import SystemClock
from stratakv.errors import TierUnavailableError
from stratakv.testing import FlakyBackend
from stratakv.testing.backend_material import in_threads
from tests.crash import soundness
from tests.tiers.sick_backends import COLD, WARM, check_sums, far, open_store
from tests.tiers.test_overflow import until

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from stratakv import OptimizationMiddleware
    from stratakv.backends.base import Backend

SECONDS = 3.0
PADDING = "what makes a few values fill a pack " * 8

BUSY: dict[str, Any] = {
    "storage": {
        "pack_size_mb": 0.02, "checkpoint_interval_seconds": 0.02, "grace_seconds": 0.05, "sync_interval_ms": 50.0,
        "dirty_limit_entries": 200,
    },
    "tiered_storage": {
        "hot_capacity_mb": 0.02, "hot_to_warm_idle_hours": 0.00001, "warm_to_cold_idle_hours": 0.00002,
        "promote_to_warm_accesses": 1, "promote_to_hot_accesses": 2, "migration_interval_seconds": 0.05,
    },
}  # fmt: skip


class Weather:
    """The chance of a backend that fails now and then, until it is calm."""

    def __init__(self) -> None:
        self.calm = False
        self._random = random.Random(7)

    def __call__(self) -> float:
        return 1.0 if self.calm else self._random.random()


class Owner:
    """One thread with keys of its own, and contents that it shares with the others."""

    def __init__(self, memory: OptimizationMiddleware, number: int, *, sick: bool) -> None:
        self.memory = memory
        self.number = number
        self.random = random.Random(number)
        self.model: dict[str, object] = {}
        self.steps = 0
        self._excused: tuple[type[Exception], ...] = (TierUnavailableError,) if sick else ()

    def key(self) -> str:
        return f"{self.number}:{self.random.randrange(60)}"

    def value(self) -> object:
        if self.random.random() < 0.2:
            return ["shared", self.random.randrange(20), PADDING]
        return {"owner": self.number, "step": self.steps, "noise": self.random.randbytes(200), "text": PADDING}

    def work(self) -> None:
        clock = SystemClock()
        end = clock.monotonic() + SECONDS
        while clock.monotonic() < end:
            self.steps += 1
            try:
                self.step()
            except self._excused:
                continue

    def step(self) -> None:
        memory, key = self.memory, self.key()
        match self.random.randrange(10):
            case 0 | 1 | 2:
                value = self.value()
                tier = self.random.choice([None, WARM, COLD])
                assert memory.store(key, value) if tier is None else memory.store(key, value, tier)
                self.model[key] = value
            case 3:
                assert memory.delete(key) == (self.model.pop(key, None) is not None)
            case 4:
                memory.tiered_storage.migrate_tier(key, self.random.choice([WARM, COLD]))
            case 5:
                keys = [self.key() for _ in range(5)]
                wanted = {name: self.model[name] for name in keys if name in self.model}
                assert memory.retrieve_many(keys) == wanted
            case 6:
                assert (key in memory) == (key in self.model)
            case _:
                assert memory.retrieve(key) == self.model.get(key)


def run(path: Path, backend: Backend, flaky: Weather | None = None) -> dict[str, Any]:
    with open_store(path / "store", backend, SystemClock(), cold={"backup_interval_seconds": 0.2}, **BUSY) as memory:
        owners = [Owner(memory, number, sick=flaky is not None) for number in range(8)]
        in_threads(8, lambda number: owners[number].work())
        statistics = memory.get_statistics()
        if flaky is not None:
            flaky.calm = True
            until(lambda: memory.get_statistics()["tiered_storage"]["cold"]["state"] == "closed")
        expected = {key: value for owner in owners for key, value in owner.model.items()}
        assert memory.retrieve_many(expected) == expected
        assert set(memory) == set(expected)
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        soundness.check_sums(memory.tiered_storage._store)
        check_sums(memory)
        assert memory.retrieve_many(expected) == expected
    with open_store(path / "store", far(path)) as memory:
        assert memory.retrieve_many(expected) == expected
        assert set(memory) == set(expected)
        memory.maintain(settle=True)
        check_sums(memory)
    return dict(statistics)


def test_reads_are_right_while_everything_moves(tmp_path: Path) -> None:
    statistics = run(tmp_path, far(tmp_path))
    background, tiers = statistics["background"], statistics["tiered_storage"]
    assert background["failures"] == 0, background["last_failure"]
    assert background["corruptions"] == 0
    assert background["checkpoints"] > 5
    assert min(tiers["demotions"], tiers["promotions"], tiers["compactions"]) > 0


def test_reads_are_right_or_refused_while_cold_fails_now_and_then(tmp_path: Path) -> None:
    weather = Weather()
    flaky = FlakyBackend(far(tmp_path), rate=0.03, chance=weather, calls={"put", "get_range", "delete", "list"})
    statistics = run(tmp_path, flaky, weather)
    assert flaky.failures > 0
    assert statistics["background"]["corruptions"] == 0
