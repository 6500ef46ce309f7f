"""Where values go: promotion by access count, pins, shared contents, single flight, dictionaries, filter, bounds."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier, SystemClock
from stratakv.backends.directory import DirectoryBackend
from stratakv.errors import CapacityError
from stratakv.testing import RecordingBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR = 3600.0
HOT, WARM, COLD = StorageTier.HOT, StorageTier.WARM, StorageTier.COLD


def open_store(path: Path, clock: ManualClock | None = None, **settings: object) -> OptimizationMiddleware:
    config = OptimizationConfig(storage={"path": str(path)}, **settings)  # type: ignore[arg-type]
    return OptimizationMiddleware(config=config, clock=clock or ManualClock())


def tier_of(memory: OptimizationMiddleware, key: str) -> StorageTier | None:
    """Return the tier that the catalog or the hot table says, without counting as an access."""
    parts = memory.tiered_storage._store.parts
    if key in parts.hot.entries:
        return HOT
    state = memory.tiered_storage._store.state(key)
    return None if state is None or state.place is None else {2: WARM, 3: COLD}[state.tier]


def test_two_reads_bring_cold_to_warm_and_five_bring_warm_to_hot(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        memory["key"], memory["other"] = "value", "untouched"
        memory.maintain(settle=True)
        assert tier_of(memory, "key") is COLD
        assert memory.tiered_storage.read("key") == ("value", COLD)
        memory.maintain()
        assert tier_of(memory, "key") is COLD
        assert memory["key"] == "value"
        memory.maintain()
        assert tier_of(memory, "key") is WARM
        assert tier_of(memory, "other") is COLD
        for _ in range(2):  # the two reads in cold were uses too
            assert memory.tiered_storage.read("key") == ("value", WARM)
            assert tier_of(memory, "key") is WARM
            memory.maintain()
        assert memory["key"] == "value"
        assert tier_of(memory, "key") is HOT
        assert memory.tiered_storage.read("key") == ("value", HOT)
        assert memory.get_statistics()["tiered_storage"]["promotions"] >= 1


def test_access_counts_survive_a_restart(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        memory["key"] = "value"
        memory.maintain(settle=True)
        assert memory["key"] == "value"
    with open_store(tmp_path / "store", clock) as memory:
        assert memory["key"] == "value"
        memory.maintain()
        assert tier_of(memory, "key") is WARM


def test_idle_values_leave_hot_after_an_hour_and_warm_after_a_day(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        memory["idle"], memory["used"] = "idle", "used"
        memory.maintain()
        clock.advance(HOUR - 10)
        assert memory["used"] == "used"
        clock.advance(20)
        memory.maintain()
        assert tier_of(memory, "idle") is WARM
        assert tier_of(memory, "used") is HOT
        clock.advance(23 * HOUR)
        assert memory["used"] == "used"
        clock.advance(HOUR)
        memory.maintain()
        assert tier_of(memory, "idle") is COLD
        assert tier_of(memory, "used") is not COLD
        clock.advance(25 * HOUR)
        memory.maintain()
        assert tier_of(memory, "used") is COLD


@pytest.mark.parametrize("tier", [HOT, WARM, COLD], ids=["hot", "warm", "cold"])
def test_a_pin_survives_overwrite_settling_and_restart(tmp_path: Path, tier: StorageTier) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        memory.tiered_storage.write("key", "first", tier=tier, pin_tier=True)
        memory["key"] = "second"
        memory.maintain(settle=True)
        assert memory.tiered_storage.read("key") == ("second", tier)
        memory.store_many({"key": "third", "other": 1})
        clock.advance(100 * HOUR)
        memory.maintain(settle=True)
        assert tier_of(memory, "key") is tier
    with open_store(tmp_path / "store", clock) as memory:
        assert memory.get_statistics()["tiered_storage"]["pins"] == 1
        for _ in range(8):
            assert memory["key"] == "third"
        memory.maintain(settle=True)
        assert tier_of(memory, "key") is tier
        memory["key"] = "fourth"
        memory.maintain(settle=True)
        assert tier_of(memory, "key") is tier
        assert memory.tiered_storage.unpin("key")
        memory.maintain(settle=True)
        assert tier_of(memory, "key") is COLD
        assert memory["key"] == "fourth"
        assert memory.get_statistics()["tiered_storage"]["pins"] == 0
    with open_store(tmp_path / "store", clock) as memory:
        assert memory.get_statistics()["tiered_storage"]["pins"] == 0


def test_pins_beyond_the_hot_capacity_raise_and_change_nothing(tmp_path: Path) -> None:
    chance = random.Random(1)
    capacity = 256 * 1024
    with open_store(tmp_path / "store", tiered_storage={"hot_capacity_mb": 0.25}) as memory:
        memory["free"] = chance.randbytes(30_000)
        pinned = [f"pin {number}" for number in range(12)]
        for key in pinned:
            memory.store(key, chance.randbytes(20_000), pin=True)
        refused = "pin 12"
        with pytest.raises(CapacityError, match="hot_capacity_mb"):
            memory.store(refused, chance.randbytes(20_000), pin=True)
        assert refused not in memory
        usage = memory.get_statistics()["tiered_storage"]["hot_usage_bytes"]
        assert usage <= capacity
        with pytest.raises(CapacityError):
            memory.store(pinned[0], chance.randbytes(100_000))
        assert len(memory[pinned[0]]) == 20_000, "an overwrite that is refused leaves the old value"
        with pytest.raises(CapacityError):
            memory.store_many({pinned[0]: chance.randbytes(100_000), "with it": 1})
        assert "with it" not in memory
        memory.delete(pinned[0])
        memory.store(refused, chance.randbytes(20_000), pin=True)
        memory.maintain(settle=True)
        assert all(tier_of(memory, key) is HOT for key in pinned[1:])
        assert memory.retrieve("free") is not None
    with open_store(tmp_path / "store", tiered_storage={"hot_capacity_mb": 0.25}) as memory:
        for key in [*pinned[1:], refused]:
            assert len(memory[key]) == 20_000
        with pytest.raises(CapacityError):
            memory.store("one more", chance.randbytes(20_000), pin=True)
        assert memory.get_statistics()["tiered_storage"]["hot_usage_bytes"] <= capacity


def test_a_smaller_capacity_at_the_next_opening_holds_in_spite_of_old_pins(tmp_path: Path) -> None:
    chance = random.Random(2)
    with open_store(tmp_path / "store", tiered_storage={"hot_capacity_mb": 1}) as memory:
        for number in range(40):
            memory.store(f"pin {number}", chance.randbytes(20_000), pin=True)
    with open_store(tmp_path / "store", tiered_storage={"hot_capacity_mb": 0.125}) as memory:
        for number in range(40):
            assert len(memory[f"pin {number}"]) == 20_000
        assert memory.get_statistics()["tiered_storage"]["hot_usage_bytes"] <= 128 * 1024


def test_a_shared_content_takes_the_hottest_tier_of_its_keys(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        tiers = memory.tiered_storage
        tiers.write("in warm", "shared", tier=WARM, pin_tier=True)
        tiers.write("in cold", "shared", tier=COLD, pin_tier=True)
        memory.maintain(settle=True)
        assert tier_of(memory, "in cold") is WARM
        assert tiers.migrate_tier("in cold", COLD)
        memory.maintain(settle=True)
        clock.advance(1000 * HOUR)
        memory.maintain()
        assert tier_of(memory, "in cold") is WARM
        memory.delete("in warm")
        memory.maintain(settle=True)
        assert tier_of(memory, "in cold") is COLD
        memory.store("both", "dirty twice", tier=COLD)
        memory.store("warmer", "dirty twice")
        memory.maintain()
        assert memory.tiered_storage._store.state("both").tier == 2  # type: ignore[union-attr]


def test_asked_moves_are_made_by_the_next_maintenance(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as memory:
        memory.store("to cold", "c", tier=COLD)
        memory.store("to warm", "w", tier=WARM)
        memory.maintain()
        assert tier_of(memory, "to cold") is COLD
        assert tier_of(memory, "to warm") is WARM
        assert memory.tiered_storage.migrate_tier("to warm", COLD)
        assert memory.tiered_storage.migrate_tier("to cold", WARM)
        assert not memory.tiered_storage.migrate_tier("absent", COLD)
        memory.maintain()
        assert tier_of(memory, "to warm") is COLD
        assert tier_of(memory, "to cold") is WARM
        assert memory.tiered_storage.migrate_tier("to warm", HOT)
        assert tier_of(memory, "to warm") is HOT


class Gate(RecordingBackend):
    """Holds reads back until it is opened."""

    def __init__(self, inner: DirectoryBackend) -> None:
        super().__init__(inner)
        self.opened = threading.Event()

    def _around(self, call: str, name: str, size: int, act: Callable[[], object]) -> object:  # type: ignore[override]
        result = super()._around(call, name, size, act)
        if call == "get_range":
            self.opened.wait(30)
        return result


def test_a_thousand_misses_of_one_key_are_one_read(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_store(path) as memory:
        memory["key"] = {"value": list(range(100))}
        memory.maintain(settle=True)
    gate = Gate(DirectoryBackend(path / "cold"))
    config = OptimizationConfig(storage={"path": str(path)})
    with OptimizationMiddleware(config=config, clock=ManualClock(), backends={COLD: gate}) as memory:
        found: list[object] = []
        waiting = threading.Semaphore(0)

        def read() -> None:
            waiting.release()
            found.append(memory.retrieve("key"))

        threads = [threading.Thread(target=read) for _ in range(1000)]
        for thread in threads:
            thread.start()
        for _ in threads:
            waiting.acquire()
        gate.opened.set()
        for thread in threads:
            thread.join()
        assert found == [{"value": list(range(100))}] * 1000
        reads = [call for call in gate.calls if call.call == "get_range"]
        assert len(reads) == 2, "the pack's index, and the block"


def records(seed: int, count: int) -> dict[str, object]:
    chance = random.Random(seed)
    words = [f"{seed}-{chance.randrange(10**6)}" for _ in range(12)]
    return {f"{seed}:{n}": {"n": n, "words": [chance.choice(words) for _ in range(10)]} for n in range(count)}


def test_a_dictionary_lives_as_long_as_something_needs_it(tmp_path: Path) -> None:
    clock = ManualClock()

    def known() -> list[int]:
        return list(memory.tiered_storage._store.parts.dictionaries.ids())

    with open_store(tmp_path / "store", clock) as memory:
        memory.store_many(records(1, 800))
        memory.maintain()
        assert known() == [1]
        memory.store_many(records(2, 4000))
        memory.maintain()
        memory.store_many(records(3, 400))
        memory.maintain()
        newest = known()[-1]
        assert newest > 1, "a new dictionary was trained for what came later"
        for seed, count in ((2, 4000), (3, 400)):
            assert memory[f"{seed}:5"] == records(seed, count)[f"{seed}:5"]
        memory.delete_many(list(memory.keys("2:")))
        clock.advance(HOUR)
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        assert newest in known()
        assert all(memory[key] == value for key, value in (records(1, 800) | records(3, 400)).items())
    with open_store(tmp_path / "store", clock) as memory:
        clock.advance(HOUR)
        memory.maintain(settle=True)
        assert known() == [newest], "those that no pack needs are gone"
        assert all(memory[key] == value for key, value in (records(1, 800) | records(3, 400)).items())


def test_a_stale_filter_is_built_anew_and_a_full_one_grows(tmp_path: Path) -> None:
    small = {"bloom_filter_size": 100}
    with open_store(tmp_path / "store", deduplication=small) as memory:
        memory.store_many({f"k{n}": f"value {n}" for n in range(1500)})
        memory.maintain()
        memory.maintain()
        bloom = memory.tiered_storage._store.parts.bloom
        assert bloom is not None
        assert not bloom.full
        saved = tmp_path / "store" / "bloom.filter"
    before = saved.read_bytes()
    with open_store(tmp_path / "store", deduplication=small) as memory:
        memory.store_many({f"l{n}": f"later {n}" for n in range(500)})
    saved.write_bytes(before)
    with open_store(tmp_path / "store", deduplication=small) as memory:
        for n in range(0, 500, 50):
            assert memory.dedup_engine.write(f"again {n}", f"later {n}")[1], "a stale filter must not be believed"
        memory.maintain()
        assert memory.get_statistics()["deduplication"]["bloom_filter_enabled"]
        for n in range(0, 500, 50):
            assert memory.dedup_engine.write(f"again {n}", f"value {n}")[1]


@pytest.mark.parametrize("operation", ["store", "delete", "batch"])
def test_the_dirty_table_stays_within_its_bounds(tmp_path: Path, operation: str) -> None:
    writers, entries, batch = 6, 400, 25
    config = OptimizationConfig(
        storage={"path": str(tmp_path / "store"), "dirty_limit_entries": entries, "dirty_limit_mb": 0.5,
                 "checkpoint_interval_seconds": 1000.0}
    )  # fmt: skip
    most, largest = 0, 0
    with OptimizationMiddleware(config=config, clock=SystemClock()) as memory:
        dirty = memory.tiered_storage._store.parts.dirty
        if operation == "delete":
            memory.store_many({f"{w}.{n}": n for w in range(writers) for n in range(60)})
            for part in range(1, 10):
                memory.store_many({f"{w}.{part * 60 + n}": n for w in range(writers) for n in range(60)})
        failures: list[BaseException] = []

        def work(writer: int) -> None:
            nonlocal most, largest
            try:
                for number in range(600 if operation != "batch" else 40):
                    if operation == "store":
                        memory.store(f"{writer}.{number}", random.Random(number).randbytes(500))
                    elif operation == "batch":
                        memory.store_many({f"{writer}.{number}.{item}": item for item in range(batch)})
                    else:
                        memory.delete(f"{writer}.{number}")
                    most = max(most, len(dirty))
                    largest = max(largest, dirty.journal_bytes)
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(writer,)) for writer in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert most <= entries + writers * (batch if operation == "batch" else 1)
        assert largest <= 0.5 * (1 << 20) + writers * 4096
        assert len(memory) == {"store": 3600, "delete": 0, "batch": 6000}[operation]
