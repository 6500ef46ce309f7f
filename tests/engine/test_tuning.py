"""The adaptive engine in a live store, with time that passes when told: what it changes, keeps, tells and leaves."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.engine.catalog import Catalog

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0


def open_store(path: Path, clock: ManualClock, **settings: Any) -> OptimizationMiddleware:
    adaptive = {"prices": {"blocked_second": 1e-3}, **settings.pop("adaptive", {})}
    config = OptimizationConfig(storage={"path": str(path)}, adaptive=adaptive, **settings)
    return OptimizationMiddleware(config=config, clock=clock)


def value(number: int) -> dict[str, Any]:
    return {"number": number, "text": f"record {number} " * 20}


def live(memory: OptimizationMiddleware, clock: ManualClock, hours: float, keys: int = 300, seed: int = 1) -> None:
    """Read each of some keys every two hours or so, with upkeep every ten seconds."""
    chance = random.Random(seed)
    due = sorted((chance.uniform(0, 2 * HOUR), number) for number in range(keys))
    began = clock.monotonic()
    while clock.monotonic() - began < hours * HOUR:
        clock.advance(10)
        now = clock.monotonic() - began
        while due[0][0] <= now:
            _, number = due.pop(0)
            assert memory[f"key:{number}"] == value(number)
            due.append((now + chance.uniform(1.6, 2.4) * HOUR, number))
            due.sort()
        memory.tiered_storage._store.tuning.step(lambda: None)


def filled(path: Path, clock: ManualClock, **settings: Any) -> OptimizationMiddleware:
    memory = open_store(path, clock, **settings)
    for number in range(300):
        memory[f"key:{number}"] = value(number)
    return memory


def test_a_day_of_use_moves_thresholds_and_every_change_is_explained(tmp_path: Path) -> None:
    clock = ManualClock()
    with filled(tmp_path / "s", clock) as memory:
        live(memory, clock, 24)
        adaptive = memory.get_statistics()["adaptive"]
        assert adaptive["retunes"] >= 250
        assert adaptive["thresholds"]["default"]["hot->warm"] > 2.4 * HOUR
        changes = adaptive["last_changes"]
        assert changes
        for change in changes:
            assert {"at", "what", "namespace", "before", "after", "why", "measured"} <= change.keys()
            assert change["why"]


def test_values_stay_in_ram_as_long_as_the_tuned_threshold_says(tmp_path: Path) -> None:
    clock = ManualClock()
    with filled(tmp_path / "s", clock) as memory:
        live(memory, clock, 12)
        memory.maintain()
        before = memory.get_statistics()["tiered_storage"]["hot_keys"]
        clock.advance(1.5 * HOUR)  # longer than the configured hour
        memory.maintain()
        assert memory.get_statistics()["tiered_storage"]["hot_keys"] > before / 2


def test_the_same_day_leads_to_the_same_decisions(tmp_path: Path) -> None:
    told = []
    for name in ("first", "second"):
        clock = ManualClock()
        with filled(tmp_path / name, clock) as memory:
            live(memory, clock, 8, seed=5)
            told.append(memory.get_statistics()["adaptive"]["last_changes"])
    assert told[0] == told[1]
    assert told[0]


def test_turned_off_it_changes_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    with filled(tmp_path / "s", clock, adaptive={"enabled": False}) as memory:
        live(memory, clock, 8)
        adaptive = memory.get_statistics()["adaptive"]
        assert (adaptive["enabled"], adaptive["retunes"], adaptive["last_changes"]) == (False, 0, [])
        assert adaptive["thresholds"] == {}


def test_turned_off_later_it_keeps_what_was_tuned(tmp_path: Path) -> None:
    clock = ManualClock()
    with filled(tmp_path / "s", clock) as memory:
        live(memory, clock, 12)
        tuned = memory.get_statistics()["adaptive"]
    with open_store(tmp_path / "s", clock, adaptive={"enabled": False}) as memory:
        frozen = memory.get_statistics()["adaptive"]
        assert frozen["thresholds"] == tuned["thresholds"]
        assert frozen["accesses"] == tuned["accesses"]
        assert frozen["last_changes"] == tuned["last_changes"]
        live(memory, clock, 4)
        assert memory.get_statistics()["adaptive"]["thresholds"] == tuned["thresholds"]


def test_what_was_learnt_survives_a_restart_unless_hours_are_configured_anew(tmp_path: Path) -> None:
    clock = ManualClock()
    with filled(tmp_path / "s", clock) as memory:
        live(memory, clock, 12)
        tuned = memory.get_statistics()["adaptive"]["thresholds"]
    with open_store(tmp_path / "s", clock) as memory:
        assert memory.get_statistics()["adaptive"]["thresholds"] == tuned
    with open_store(tmp_path / "s", clock, tiered_storage={"hot_to_warm_idle_hours": 2}) as memory:
        assert memory.get_statistics()["adaptive"]["thresholds"] == {}


def test_requests_bring_a_retune_before_its_time(tmp_path: Path) -> None:
    clock = ManualClock()
    with filled(tmp_path / "s", clock, adaptive={"retune_requests": 500}) as memory:
        for _ in range(2):
            for number in range(300):
                memory.retrieve(f"key:{number}")
        clock.advance(11)  # a telemetry interval, and far from the five minutes of a retune
        memory.maintain()
        assert memory.get_statistics()["adaptive"]["retunes"] == 1


def test_a_missed_reduction_makes_rent_weigh_more(tmp_path: Path) -> None:
    clock = ManualClock()
    noise = random.Random(1)
    with open_store(tmp_path / "s", clock) as memory:
        for number in range(300):
            memory[f"key:{number}"] = noise.randbytes(8192)  # nothing makes this smaller
        memory.maintain()
        for number in range(300):
            memory.retrieve(f"key:{number}")
        for _ in range(4):
            clock.advance(301)
            memory.maintain()
        statistics = memory.get_statistics()
        assert statistics["overall"]["memory_reduction_percent"] < 75
        assert statistics["adaptive"]["rent_weight"] > 1
        assert statistics["adaptive"]["codec_factor"] > 1
        whys = [change["why"] for change in statistics["adaptive"]["last_changes"]]
        assert any("75% is wanted" in why for why in whys)


@pytest.mark.parametrize(
    "kept",
    [
        b"no state at all",
        zlib.compress(b"[" * 200_000),
        zlib.compress(b'{"tuner": [], "changes": [], "retunes": 1}'),
        zlib.compress(b'{"tuner": {}, "changes": 5, "retunes": 1e400}'),
        zlib.compress(b" " * (64 << 20)),
        17,
    ],
    ids=["no zlib", "deep", "list", "infinite", "large", "a number"],
)
def test_damaged_state_is_said_in_the_log_and_learnt_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: object
) -> None:
    clock = ManualClock()
    with filled(tmp_path / "s", clock):
        pass
    catalog = Catalog(tmp_path / "s" / "catalog.db")
    with catalog.write(1) as transaction:
        transaction.set_meta("tuner", kept)
    catalog.close()
    with caplog.at_level("INFO", "stratakv"), open_store(tmp_path / "s", clock) as memory:
        assert memory["key:1"] == value(1)
        assert memory.get_statistics()["adaptive"]["retunes"] == 0
    assert any("not taken up" in record.message for record in caplog.records)


def test_capacity_follows_what_should_stay_between_its_bounds(tmp_path: Path) -> None:
    clock = ManualClock()
    bounds = {"hot_capacity_min_mb": 0.05, "hot_capacity_max_mb": 50}
    with filled(tmp_path / "s", clock, adaptive=bounds, tiered_storage={"hot_capacity_mb": 50}) as memory:
        live(memory, clock, 12)
        capacity = memory.get_statistics()["tiered_storage"]["hot_capacity_bytes"]
        assert 50 * 1024 < capacity < 5 << 20
        assert memory.get_statistics()["tiered_storage"]["hot_usage_bytes"] <= capacity
        for number in range(300):
            assert memory[f"key:{number}"] == value(number)


def test_a_value_read_again_soon_after_it_left_ram_counts_as_a_regret(tmp_path: Path) -> None:
    clock = ManualClock()
    with filled(tmp_path / "s", clock) as memory:
        for number in range(200, 300):  # up to 256 moves are all remembered, and none of them is an estimate
            del memory[f"key:{number}"]
        clock.advance(2 * HOUR)
        memory.maintain()  # the configured hour lets go of all
        for number in range(10):
            assert memory[f"key:{number}"] == value(number)
        moves = memory.get_statistics()["adaptive"]["moves"]["hot->warm"]
        assert moves["down"] == 200
        assert moves["down_regretted"] == 10


def test_pins_keep_their_room_when_capacity_shrinks(tmp_path: Path) -> None:
    clock = ManualClock()
    bounds = {"hot_capacity_min_mb": 0.1, "hot_capacity_max_mb": 8, "learning_rate": 1.0}
    noise = random.Random(1)
    with open_store(tmp_path / "s", clock, adaptive=bounds, tiered_storage={"hot_capacity_mb": 8}) as memory:
        for number in range(50):
            memory.store(f"pin{number}", noise.randbytes(50_000), pin=True)
        for _ in range(5):
            clock.advance(4 * HOUR)
            memory.maintain()
        tiered = memory.get_statistics()["tiered_storage"]
        assert tiered["hot_usage_bytes"] <= tiered["hot_capacity_bytes"] < 8 << 20
        memory.store("pin0", b"small")
        assert memory.retrieve("pin0") == b"small"
