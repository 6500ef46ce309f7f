"""Threads: whatever runs beside it, each key behaves as if its operations happened one after the other."""

from __future__ import annotations

import os
import random
import shutil
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.clock import ManualClock
from tests.model.linearizability import ABSENT, Recorder, is_linearisable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEYS = [f"key:{number}" for number in range(6)]
PADDING = "so that a few values fill a pack, and a few more the hot tier " * 4
JOIN_SECONDS = 60


def busy(path: Path, durability: str = "process") -> OptimizationConfig:
    """Limits so small that checkpoints, back-pressure, eviction and movement never rest."""
    return OptimizationConfig(
        storage={
            "path": str(path), "durability": durability, "checkpoint_interval_seconds": 0.01, "sync_interval_ms": 5,
            "dirty_limit_entries": 24, "pack_size_mb": 0.001, "grace_seconds": 0, "reserve_kb": 0,
        },
        tiered_storage={"hot_capacity_mb": 0.006, "migration_interval_seconds": 0.05, "warm_to_cold_idle_hours": 0},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    """Let threads meet in the middle of things."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    yield
    sys.setswitchinterval(before)


class Crew:
    """Threads that start together; a failure of one is the test's."""

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        self.threads: list[threading.Thread] = []
        self.gate = threading.Event()

    def add(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            self.gate.wait()
            try:
                work()
            except BaseException as failure:
                self.failures.append(failure)

        self.threads.append(threading.Thread(target=guarded, daemon=True))

    def run(self) -> None:
        for thread in self.threads:
            thread.start()
        self.gate.set()
        for thread in self.threads:
            thread.join(JOIN_SECONDS)
        assert not any(thread.is_alive() for thread in self.threads), "a thread is stuck"
        if self.failures:
            raise self.failures[0]


class Client:
    """One caller and what it did.

    Its values are either its own, so that a reader tells whose they are, or of a few that all write, so that contents
    are shared.
    """

    def __init__(self, memory: OptimizationMiddleware, recorder: Recorder, number: int, seed: int) -> None:
        self.memory = memory
        self.recorder = recorder
        self.number = number
        self.random = random.Random(1000 * seed + number)
        self.written = 0

    def value(self) -> tuple[Any, ...]:
        self.written += 1
        if self.random.random() < 0.3:
            return ("shared", self.random.randrange(3), PADDING)
        return (self.number, self.written, PADDING)

    def act(self) -> None:
        memory, run = self.memory, self.recorder.run
        key, value = self.random.choice(KEYS), self.value()
        match self.random.randrange(12):
            case 0 | 1 | 2:
                run(key, "put", value, lambda: memory.store(key, value))
            case 3 | 4 | 5:
                run(key, "get", None, lambda: memory.retrieve(key, ABSENT))
            case 6:
                run(key, "contains", None, lambda: key in memory)
            case 7:
                run(key, "delete", None, lambda: memory.delete(key))
            case 8:
                run(key, "add", value, lambda: memory.add(key, value))
            case 9:
                expected = run(key, "get", None, lambda: memory.retrieve(key, ABSENT))
                run(key, "replace", (value, expected), lambda: memory.replace(key, value, expected))
            case 10:
                tier = self.random.choice(list(StorageTier))
                run(key, "put", value, lambda: memory.store(key, value, tier))
            case 11:
                keys = self.random.sample(KEYS, 3)
                self.recorder.run_many(keys, lambda: memory.retrieve_many(keys))


def run_clients(path: Path, durability: str, *, seed: int, calls: int) -> Recorder:
    recorder, crew, done = Recorder(), Crew(), threading.Event()
    memory = OptimizationMiddleware(config=busy(path, durability))
    callers = 8

    def call(client: Client) -> None:
        nonlocal callers
        try:
            for _ in range(calls):
                client.act()
        finally:
            with finished:
                callers -= 1
                if not callers:
                    done.set()

    def disturb() -> None:
        chance = random.Random(seed)
        while not done.is_set():
            memory.tiered_storage.migrate_tier(chance.choice(KEYS), chance.choice(list(StorageTier)))
            memory.maintain(settle=chance.random() < 0.5)

    def observe() -> None:
        while not done.is_set():
            assert 0 <= len(memory) <= len(KEYS)
            assert set(memory.keys()) <= set(KEYS)
            statistics = memory.get_statistics()
            assert statistics["background"]["last_failure"] is None
            assert statistics["background"]["corruptions"] == 0

    finished = threading.Lock()
    for number in range(callers):
        client = Client(memory, recorder, number, seed)
        crew.add(partial(call, client))
    crew.add(disturb)
    crew.add(observe)
    crew.run()
    memory.shutdown()
    with OptimizationMiddleware(config=busy(path, durability)) as again:
        for key in KEYS:
            recorder.run(key, "get", None, partial(again.retrieve, key, ABSENT))
    return recorder


def check_histories(recorder: Recorder) -> None:
    for key, history in recorder.histories.items():
        assert is_linearisable(history), f"the answers about {key} fit no order of its operations"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("durability", ["process", "sync"])
def test_histories_of_overlapping_keys_are_linearisable(tmp_path: Path, durability: str) -> None:
    recorder = run_clients(tmp_path / "store", durability, seed=1, calls=1000)
    assert sum(map(len, recorder.histories.values())) > 8 * 1000
    check_histories(recorder)


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("durability", ["process", "sync", "none"])
def test_many_more_histories_are_linearisable(tmp_path: Path, durability: str) -> None:
    for seed in range(int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200")) // 5):
        check_histories(run_clients(tmp_path / str(seed), durability, seed=seed, calls=400))
        shutil.rmtree(tmp_path / str(seed))


@pytest.mark.timeout(120)
def test_batches_of_many_threads_end_whole(tmp_path: Path) -> None:
    """The last of the batches that overlap is there with all its keys, also after a reopening."""
    keys = [f"batch:{number}" for number in range(20)]
    crew = Crew()
    memory = OptimizationMiddleware(config=busy(tmp_path))

    def write(writer: int) -> None:
        for turn in range(30):
            memory.store_many(dict.fromkeys(keys, (writer, turn, PADDING)))

    for writer in range(8):
        crew.add(partial(write, writer))
    crew.add(partial(memory.maintain, settle=True))
    crew.run()
    assert len(set(memory.retrieve_many(keys).values())) == 1
    memory.shutdown()
    with OptimizationMiddleware(config=busy(tmp_path)) as again:
        found = again.retrieve_many(keys)
        assert found.keys() == set(keys)
        assert len(set(found.values())) == 1
        assert next(iter(found.values()))[1] == 29


def test_a_batch_torn_by_a_crash_is_not_there_at_all(tmp_path: Path) -> None:
    memory = OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock())
    memory.store_many({f"k{number}": ("before", number) for number in range(9)})
    (journal,) = (tmp_path / "store" / "journal").glob("*.log")
    before = journal.stat().st_size
    memory.store_many({f"k{number}": ("after", number) for number in range(12)})
    after = journal.stat().st_size
    for length in [*range(before, after, (after - before) // 40), after - 1, after]:
        torn = tmp_path / "torn"
        shutil.copytree(tmp_path / "store", torn)
        os.truncate(torn / "journal" / journal.name, length)
        with OptimizationMiddleware(path=torn, clock=ManualClock()) as again:
            told = {value[0] for value in again.values()}
            assert told == ({"after"} if length == after else {"before"})
            assert len(again) == (12 if length == after else 9)
        shutil.rmtree(torn)
    memory.shutdown()


def test_many_readers_of_one_cold_value_get_it(tmp_path: Path) -> None:
    memory = OptimizationMiddleware(config=busy(tmp_path))
    value = ("cold", PADDING)
    memory.store("k", value)
    memory.maintain(settle=True)
    crew = Crew()
    found: list[object] = []

    def read() -> None:
        found.extend(memory.retrieve("k") for _ in range(50))

    for _ in range(8):
        crew.add(read)
    crew.run()
    memory.shutdown()
    assert found == [value] * 400


def test_one_of_many_adds_wins(tmp_path: Path) -> None:
    memory = OptimizationMiddleware(config=busy(tmp_path))
    for turn in range(40):
        crew = Crew()
        won: list[int] = []

        def add(number: int, key: str = f"k{turn}", won: list[int] = won) -> None:
            if memory.add(key, number):
                won.append(number)

        for number in range(8):
            crew.add(partial(add, number))
        crew.run()
        assert won == [memory[f"k{turn}"]]
    memory.shutdown()
