"""Threads beside a tuner that retunes and divides RAM all the time: values are exact, no entry is lost or doubled."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from pathlib import Path

THREADS, STEPS, KEYS = 4, 3000, 150


def value(key: str, turn: int) -> dict[str, object]:
    return {"key": key, "turn": turn, "text": f"{key} {turn} " * (turn % 40)}


class User(threading.Thread):
    """Changes keys of its own and reads them back; each thread has its own keys, so it knows what to expect."""

    def __init__(self, memory: OptimizationMiddleware, number: int) -> None:
        super().__init__()
        self.memory = memory
        self.number = number
        self.known: dict[str, dict[str, object]] = {}
        self.failures: list[BaseException] = []

    def run(self) -> None:
        try:
            self._work()
        except BaseException as failure:
            self.failures.append(failure)

    def _work(self) -> None:
        chance = random.Random(self.number)
        for turn in range(STEPS):
            key = f"n{chance.randrange(3)}:{self.number}:{int(chance.paretovariate(0.6)) % KEYS}"
            if chance.random() < 0.25:
                self.known[key] = value(key, turn)
                self.memory[key] = self.known[key]
            elif chance.random() < 0.05:
                self.memory.delete(key)
                self.known.pop(key, None)
            else:
                assert self.memory.retrieve(key) == self.known.get(key)
            if turn % 200 == 0:
                assert self.memory.get_statistics()["adaptive"]["enabled"]


@pytest.mark.parametrize("policy", ["adaptive", "lirs", "gdsf"])
def test_values_are_exact_beside_constant_retunes(tmp_path: Path, policy: str) -> None:
    config = OptimizationConfig(
        storage={"path": str(tmp_path / "s")},
        tiered_storage={
            "hot_capacity_mb": 0.1, "eviction_policy": policy, "migration_interval_seconds": 0.05,
            "promote_to_hot_accesses": 1,
        },
        adaptive={
            "telemetry_interval_seconds": 0.02, "retune_interval_seconds": 0.05, "retune_requests": 10,
            "learning_rate": 1.0, "shortest_idle_seconds": 0.0, "hot_capacity_min_mb": 0.05, "hot_capacity_max_mb": 0.2,
        },
        namespaces={f"n{number}": {"match": f"n{number}:*", "blocked_second": 10.0**-number} for number in range(3)},
    )  # fmt: skip
    with OptimizationMiddleware(config=config) as memory:
        users = [User(memory, number) for number in range(THREADS)]
        for user in users:
            user.start()
        for user in users:
            user.join()
        assert not [failure for user in users for failure in user.failures]
        memory.maintain()  # however quick the threads were, there is one retune at least
        statistics = memory.get_statistics()
        assert statistics["adaptive"]["retunes"] >= 1
        assert statistics["background"]["failures"] == 0
        for user in users:
            for key, expected in user.known.items():
                assert memory[key] == expected
        memory.maintain(settle=True)
        hot = memory.tiered_storage._store.parts.hot
        divisions = [hot.divisions.common, *hot.divisions.own.values()]
        assert sum(len(division.policy) for division in divisions) == len(hot.entries)
        assert sum(division.held for division in divisions) == sum(e.bytes_as(k) for k, e in hot.entries.items())
        for user in users:
            for key, expected in user.known.items():
                assert memory[key] == expected
