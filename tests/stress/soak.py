"""A soak's parts: values that tell whose they are, threads that use a store, weather, and the process's size."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from stratakv import OptimizationConfig, StorageTier
from stratakv.errors import TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratakv import OptimizationMiddleware
    from stratakv.testing import TcpProxy

OWNERS = 3
KEYS_EACH = 4000
SHARED_EVERY = 10
SHARED_CONTENTS = 300
PACE_SECONDS = 0.001
DELAY_SECONDS = 0.05
HOT_MB = 64
UNREACHED = object()


def value_of(key: str, number: int) -> dict[str, object]:
    """Return the value that `key` has as its `number`-th; one in ten is another key's as well."""
    if number % SHARED_EVERY == 0:
        key, number = "shared", number % SHARED_CONTENTS
    chance = random.Random(f"{key}/{number}")
    size = chance.choice((20, 100, 400, 1500, 6000))
    words = " ".join(f"word{chance.randrange(500)}" for _ in range(size // 4))
    return {"key": key, "number": number, "words": words, "noise": chance.randbytes(size)}


def is_of(key: str, value: object) -> bool:
    """Tell whether a value is one that `key` had at some time."""
    if not isinstance(value, dict) or value["key"] not in (key, "shared"):
        return False
    return value == value_of(value["key"], value["number"])


def settings(path: Path, url: str, bucket: str) -> OptimizationConfig:
    """Return the settings of a store whose background never rests for long, with 64 MB of RAM for values."""
    return OptimizationConfig(
        storage={"path": str(path), "checkpoint_interval_seconds": 0.5, "grace_seconds": 3, "pack_size_mb": 2},
        compression={"compression_level": 1},  # a backlog drains as fast as it is encoded
        adaptive={"enabled": False},  # what is due must not depend on what is learnt: the backlog has to drain
        tiered_storage={
            "hot_capacity_mb": HOT_MB,
            "migration_interval_seconds": 1.5,
            "hot_to_warm_idle_hours": 3 / 3600,
            "warm_to_cold_idle_hours": 5 / 3600,
            "cold": {
                "backend": "s3", "bucket": bucket, "prefix": "soak", "endpoint_url": url, "region": "us-east-1",
                "connect_timeout_seconds": 1, "read_timeout_seconds": 2, "attempts": 2, "backup_interval_seconds": 5,
            },
        },
    )  # fmt: skip


class Soak:
    """The threads of one soak.

    Attributes:
        model: Key -> number of its value, for keys that have one.
        counts: How often each call was made, and how often it was refused.
        failures: What went wrong; must stay empty.
        rss: Bytes, sampled.
    """

    def __init__(self, memory: OptimizationMiddleware, proxy: TcpProxy) -> None:
        self.memory, self.proxy = memory, proxy
        self.model: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self.rss: list[int] = []
        self._over = threading.Event()
        self._tally = threading.Lock()

    def run(self, seconds: float, period: float) -> None:
        """Use the store for so long; every `period` the cold tier goes or comes back."""
        works: list[Callable[[], None]] = [partial(self._own, owner) for owner in range(OWNERS)]
        works += [self._look, lambda: self._change_weather(period), self._sample]
        threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in works]
        for thread in threads:
            thread.start()
        self._over.wait(seconds)
        self._over.set()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads), "a call did not return within a minute"
        self.proxy.delay(0)
        self.proxy.pass_on()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:
            self.failures.append(failure)
            self._over.set()

    def _count(self, what: str) -> None:
        with self._tally:
            self.counts[what] += 1

    def _own(self, owner: int) -> None:
        """Change keys that nobody else changes, so that what they hold is known at every moment."""
        chance = random.Random(owner)
        numbers = itertools.count(owner)
        while not self._over.wait(PACE_SECONDS):
            key = f"{owner}:{int(KEYS_EACH * chance.random() ** 2)}"
            roll = chance.random()
            if roll < 0.4:
                number = next(numbers)
                tier = StorageTier.COLD if chance.random() < 0.05 else StorageTier.HOT
                assert self.memory.store(key, value_of(key, number), tier)
                self.model[key] = number
                self._count("store")
            elif roll < 0.46:
                assert self.memory.delete(key) is (self.model.pop(key, None) is not None)
                self._count("delete")
            elif roll < 0.54:
                self._migrate(key, chance.choice(list(StorageTier)))
            else:
                found = self._read(key)
                if found is not UNREACHED:
                    number = self.model.get(key, -1)
                    assert found == (None if number < 0 else value_of(key, number)), key

    def _migrate(self, key: str, tier: StorageTier) -> None:
        try:
            assert self.memory.tiered_storage.migrate_tier(key, tier) is (key in self.model)
            self._count("migrate")
        except TierUnavailableError:
            assert tier is StorageTier.HOT
            self._count("migrate refused")

    def _read(self, key: str) -> object:
        try:
            found = self.memory.retrieve(key)
        except TierUnavailableError:
            self._count("retrieve refused")
            return UNREACHED
        self._count("retrieve")
        return found

    def _look(self) -> None:
        """Read keys that others change."""
        chance = random.Random(99)
        while not self._over.wait(PACE_SECONDS):
            key = f"{chance.randrange(OWNERS)}:{chance.randrange(KEYS_EACH)}"
            found = self._read(key)
            assert found is None or found is UNREACHED or is_of(key, found), key

    def _change_weather(self, period: float) -> None:
        proxy = self.proxy
        changes: list[Callable[[], None]] = [
            proxy.black_hole, proxy.pass_on, proxy.refuse, proxy.pass_on, lambda: proxy.delay(DELAY_SECONDS),
            proxy.pass_on,
        ]  # fmt: skip
        for change in itertools.cycle(changes):
            if self._over.wait(period):
                return
            proxy.delay(0)
            change()

    def _sample(self) -> None:
        while not self._over.wait(0.25):
            self.rss.append(resident_bytes())


def resident_bytes() -> int:
    """Return the process's resident set."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; return whether it does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(1)
    return condition()
