"""Tiers that are full: what leaves first, what writers are told, and that it ends when there is room again."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationMiddleware, SystemClock
from stratakv.backends.directory import DirectoryBackend
from stratakv.errors import CapacityError, StrataError, TierUnavailableError
from stratakv.testing import SlowBackend
from stratakv.testing.backend_material import in_threads
from tests.tiers.sick_backends import SickBackend
from tests.tiers.tier_stores import (
    COLD,
    HOUR,
    WARM,
    check_sums,
    far,
    in_tier,
    leave_ram,
    noise,
    open_store,
    tier_of,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KB = 1 << 10


def small_warm(kb: int, hot_kb: int = 4096, **more: Any) -> dict[str, Any]:
    return {"tiered_storage": {"warm_capacity_mb": kb / 1024, "hot_capacity_mb": hot_kb / 1024, **more}}


def lives_in_warm(memory: OptimizationMiddleware, keys: Any) -> int:
    return sum(1000 for _ in in_tier(memory, WARM, keys))


# -- who leaves ----------------------------------------------------------------------------------------------


def test_hot_over_its_budget_evicts_and_loses_nothing(tmp_path: Path) -> None:
    values = noise(500)
    with open_store(tmp_path / "store", far(tmp_path), **small_warm(10_000, hot_kb=100)) as memory:
        memory.store_many(values)
        told = memory.get_statistics()["tiered_storage"]
        assert told["evictions"] > 300
        assert told["hot_usage_bytes"] <= 100 * KB
        assert memory.retrieve_many(values) == values


def test_warm_over_its_capacity_lets_the_oldest_go_first(tmp_path: Path) -> None:
    clock = ManualClock()
    parts = [noise(60, f"part {number}") for number in range(5)]
    with open_store(tmp_path / "store", far(tmp_path), clock, **small_warm(200)) as memory:
        for part in parts:
            memory.store_many(part)
            memory.maintain()
            clock.advance(60)
        assert in_tier(memory, COLD, parts[0]) == set(parts[0]), "the oldest"
        assert 25 <= len(in_tier(memory, COLD, parts[1])) < 60, "as many of the next as have to"
        for part in parts[2:]:
            assert in_tier(memory, WARM, part) == set(part), "60 KB each, below 200 KB: these stay"
        for part in parts:
            assert memory.retrieve_many(part) == part


@pytest.mark.parametrize("used_in", ["ram", "warm"])
def test_within_one_pack_those_that_were_read_stay(tmp_path: Path, used_in: str) -> None:
    clock = ManualClock()
    values, more = noise(150), noise(60, "more")
    used = set(list(values)[::3])
    with open_store(tmp_path / "store", far(tmp_path), clock, **small_warm(170)) as memory:
        memory.store_many(values)
        memory.maintain()
        clock.advance(60)
        if used_in == "warm":
            leave_ram(memory)
        for key in used:
            assert memory[key] == values[key]
        memory.maintain()
        clock.advance(60)
        memory.store_many(more)
        memory.maintain()
        gone = in_tier(memory, COLD, values)
        assert gone, "210 KB do not fit into 170 KB"
        assert not gone & used, "those read last stay"
        assert in_tier(memory, COLD, more) == set()
        assert memory.retrieve_many(values) == values


def test_if_all_of_the_oldest_are_in_use_others_go(tmp_path: Path) -> None:
    """What is read in RAM all the time is used, though its place in warm is the oldest."""
    clock = ManualClock()
    used, idle, more = noise(60, "used"), noise(60, "idle"), noise(60, "more")
    with open_store(tmp_path / "store", far(tmp_path), clock, **small_warm(150)) as memory:
        for part in (used, idle):
            memory.store_many(part)
            memory.maintain()
            clock.advance(60)
        for key in used:
            assert memory[key] == used[key]
        clock.advance(60)
        memory.store_many(more)
        memory.maintain()
        assert in_tier(memory, WARM, used) == set(used)
        assert in_tier(memory, WARM, more) == set(more)
        assert len(in_tier(memory, COLD, idle)) >= 25, "180 KB do not fit into 150 KB"


def test_what_left_makes_room_without_sending_more_after_it(tmp_path: Path) -> None:
    """The dead space that a move leaves behind is compacted; it is no reason to move what would fit."""
    clock = ManualClock()
    parts = [noise(50, f"part {number}") for number in range(12)]
    with open_store(tmp_path / "store", far(tmp_path), clock, **small_warm(300)) as memory:
        for part in parts:
            memory.store_many(part)
            clock.advance(60)
            memory.maintain()
            memory.maintain()
        stay = sum(len(in_tier(memory, WARM, part)) for part in parts)
        assert 200 <= stay <= 310
        assert memory.get_statistics()["tiered_storage"]["warm_usage_bytes"] >= 200 * KB


def test_of_many_that_were_stored_together_no_more_leave_than_has_to(tmp_path: Path) -> None:
    values = noise(400)
    with open_store(tmp_path / "store", far(tmp_path), **small_warm(300)) as memory:
        memory.store_many(values)
        memory.maintain()
        assert 90 <= len(in_tier(memory, COLD, values)) <= 130
        memory.maintain()
        assert len(in_tier(memory, COLD, values)) <= 130


def test_with_threads_no_more_leaves_than_has_to(tmp_path: Path) -> None:
    """Rounds of movement follow each other faster than the upkeep that gives dead space back."""
    settings = small_warm(300)
    settings["storage"] = {"checkpoint_interval_seconds": 0.01, "dirty_limit_entries": 40}
    values = noise(500)
    with open_store(tmp_path / "store", far(tmp_path), SystemClock(), **settings) as memory:
        for key, value in values.items():
            memory.store(key, value)
        until(lambda: len(in_tier(memory, COLD, values)) >= 190)
        time.sleep(1)
        assert len(in_tier(memory, COLD, values)) <= 330, "200 KB of 500 have to"
        assert memory.retrieve_many(values) == values
        check_sums(memory)


def test_pins_beyond_the_warm_capacity_hold_up_nobody(tmp_path: Path) -> None:
    values = noise(300)
    settings = small_warm(100)
    settings["storage"] = {"dirty_limit_entries": 20, "checkpoint_interval_seconds": 0.01}
    with open_store(tmp_path / "store", far(tmp_path), SystemClock(), **settings) as memory:
        for key, value in values.items():
            memory.store(key, value, tier=WARM, pin=True)
        memory.maintain()
        assert in_tier(memory, WARM, values) == set(values)
        assert memory.retrieve_many(values) == values


# -- no room -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [CapacityError, TierUnavailableError])
def test_warm_over_its_capacity_and_no_cold_refuses_new_values_only(tmp_path: Path, failure: type[StrataError]) -> None:
    clock, sick = ManualClock(), SickBackend(far(tmp_path))
    values = noise(200)
    with open_store(tmp_path / "store", sick, clock, **small_warm(100)) as memory:
        sick.fail_with(failure, "the far side says no", only={"put"})
        memory.store_many(values)
        with pytest.raises(failure, match="the far side says no"):
            memory.maintain()
        writes: tuple[Callable[[], object], ...] = (
            lambda: memory.store("new", b"x"),
            lambda: memory.store_many({"new": b"x", "newer": b"y"}),
            lambda: memory.add("new", b"x"),
            lambda: memory.store(next(iter(values)), b"x"),
        )
        for write in writes:
            with pytest.raises(CapacityError, match=r"warm_capacity_mb.*the far side says no") as caught:
                write()
            assert "raise" in str(caught.value)
            assert "delete" in str(caught.value)
        assert "new" not in memory
        assert memory.get_statistics()["tiered_storage"]["cold"]["no_room"]
        assert memory.retrieve_many(values) == values
        leave_ram(memory)
        assert memory.retrieve_many(values) == values
        key = next(iter(values))
        assert memory.delete(key)
        assert memory.delete_many([*values][1:3]) == 2
        values = {key: memory[key] for key in [*values][3:]}
        sick.recover()
        clock.advance(HOUR)
        memory.maintain()
        assert memory.store("new", b"x")
        assert memory.get_statistics()["tiered_storage"]["cold"]["no_room"] is None
        assert memory.retrieve_many(values) == values
        check_sums(memory)


def test_deleting_enough_makes_room_while_cold_is_away(tmp_path: Path) -> None:
    clock, sick = ManualClock(), SickBackend(far(tmp_path))
    values = noise(200)
    with open_store(tmp_path / "store", sick, clock, **small_warm(100), storage={"grace_seconds": 0}) as memory:
        sick.fail_with(TierUnavailableError, "away")
        memory.store_many(values)
        with pytest.raises(TierUnavailableError):
            memory.maintain()
        with pytest.raises(CapacityError):
            memory.store("new", b"x")
        memory.delete_many([*values][:150])
        clock.advance(1)
        for _ in range(2):  # the first one collects what was deleted, and then finds that there is room
            clock.advance(1)
            with suppress(TierUnavailableError):
                memory.maintain()
        assert memory.store("new", b"x")


@pytest.mark.parametrize("failure", [CapacityError, TierUnavailableError])
def test_threads_are_refused_while_cold_is_away_and_go_on_when_it_is_back(
    tmp_path: Path, failure: type[StrataError]
) -> None:
    sick = SickBackend(far(tmp_path))
    settings = small_warm(100, migration_interval_seconds=0.05)
    settings["storage"] = {"dirty_limit_entries": 40, "checkpoint_interval_seconds": 0.02, "grace_seconds": 0.05}
    with open_store(tmp_path / "store", sick, SystemClock(), **settings) as memory:
        sick.fail_with(failure, "away", only={"put"})
        stored = store_until_refused(memory, most=5000)
        assert len(stored) < 5000
        assert memory.retrieve_many(stored) == stored
        gone = next(iter(stored))
        assert memory.delete(gone)
        del stored[gone]
        sick.recover()
        until(lambda: accepts(memory))
        assert memory.retrieve_many(stored) == stored


def test_cold_full_refuses_nobody_while_warm_has_room(tmp_path: Path) -> None:
    """Nothing is lost and nothing stands still, so no caller is told that his write failed; the statistics tell."""
    sick = SickBackend(far(tmp_path))
    settings = small_warm(10_000, migration_interval_seconds=0.02, warm_to_cold_idle_hours=0)
    settings["storage"] = {"checkpoint_interval_seconds": 0.02}
    with open_store(tmp_path / "store", sick, SystemClock(), **settings) as memory:
        sick.fail_with(CapacityError, "the far side is full", only={"put"})
        memory.store_many(noise(100))
        until(lambda: memory.get_statistics()["background"]["failures"] > 0)
        for number in range(50):
            assert memory.store(f"new:{number}", number)
        assert "the far side is full" in memory.get_statistics()["background"]["last_failure"]


def store_until_refused(memory: OptimizationMiddleware, most: int) -> dict[str, bytes]:
    stored: dict[str, bytes] = {}
    for key, value in noise(most).items():
        try:
            memory.store(key, value)
        except CapacityError:
            break
        stored[key] = value
    return stored


def accepts(memory: OptimizationMiddleware) -> bool:
    try:
        return memory.store("new", b"x")
    except CapacityError:
        return False


# -- back-pressure -------------------------------------------------------------------------------------------


def test_writers_are_held_back_by_a_slow_cold_tier(tmp_path: Path) -> None:
    """Eight threads write far more than warm takes; cold takes its time. Nobody waits for ever."""
    slow = SlowBackend(DirectoryBackend(tmp_path / "far", remote=True), SystemClock(), 0.01, calls={"put"})
    settings = small_warm(100, hot_kb=100, migration_interval_seconds=0.05)
    settings["storage"] = {"dirty_limit_entries": 100, "checkpoint_interval_seconds": 0.02, "grace_seconds": 0.05}
    settings["cold"] = {"upload_mb_per_second": 4.0}
    highest = 0
    with open_store(tmp_path / "store", slow, SystemClock(), **settings) as memory:
        written = [noise(100, f"writer {number}") for number in range(8)]
        store = memory.tiered_storage._store

        def work(thread: int) -> None:
            nonlocal highest
            for number, (key, value) in enumerate(written[thread].items()):
                memory.store(key, value)
                if number % 20 == 0:
                    memory.delete(key)
                    memory.store(key, value)
                    live = store.parts.catalog.rows("SELECT coalesce(sum(live), 0) FROM packs WHERE tier = 2")[0][0]
                    highest = max(highest, live)

        in_threads(8, work)
        assert highest < 500 * KB, "800 KB were written at least, and 100 KB are allowed"
        for part in written:
            assert memory.retrieve_many(part) == part
        assert tier_of(memory, next(iter(written[0]))) is not None
        memory.maintain()
        assert memory.get_statistics()["background"]["failures"] == 0
        check_sums(memory)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stratakv")]
