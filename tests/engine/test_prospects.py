"""What `explain` says of the future comes true: at the moment it names a key moves, one second before it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, StorageTier
from tests.engine.explained import DAY, HOUR, open_store, place, prospect, told, wait_until

if TYPE_CHECKING:
    from pathlib import Path

HOT, WARM, COLD = StorageTier.HOT, StorageTier.WARM, StorageTier.COLD


@pytest.mark.parametrize("start", [1_700_000_000.0, 1_700_000_000.25], ids=["whole", "fraction"])
def test_value_leaves_ram_and_then_warm_at_the_moments_named(tmp_path: Path, start: float) -> None:
    clock = ManualClock(start)
    with open_store(tmp_path, clock) as memory:
        memory["key"] = "value" * 50
        memory.maintain()
        assert place(memory, "key") == (True, "warm")
        clock.advance(100)
        assert memory["key"]
        leave = prospect(memory, "key", "leave_ram")
        assert "last used" in leave.because
        assert "tiered_storage.hot_to_warm_idle_hours" in leave.because
        wait_until(clock, (leave.at or 0) - 1)
        memory.maintain()
        assert place(memory, "key") == (True, "warm")
        wait_until(clock, leave.at)
        memory.maintain()
        assert place(memory, "key") == (False, "warm")
        demote = prospect(memory, "key", "demote")
        assert "tiered_storage.warm_to_cold_idle_hours" in demote.because
        wait_until(clock, (demote.at or 0) - 1)
        memory.maintain()
        assert place(memory, "key") == (False, "warm")
        assert prospect(memory, "key", "demote").at == demote.at
        wait_until(clock, demote.at)
        memory.maintain()
        assert place(memory, "key") == (False, "cold")


@pytest.mark.parametrize("hot_hours", [1.0, 30.0], ids=["ram-lets-go", "idle-first"])
@pytest.mark.parametrize(("early", "tier"), [(1, "warm"), (0, "cold")], ids=["second-before", "then"])
def test_use_in_ram_puts_demotion_off_as_told(tmp_path: Path, hot_hours: float, early: int, tier: str) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock, tiered_storage={"hot_to_warm_idle_hours": hot_hours}) as memory:
        memory["key"] = "value"
        memory.maintain()
        for _ in range(47):
            clock.advance(HOUR / 2)
            assert memory["key"] == "value"
        clock.advance(HOUR / 4)
        demote = prospect(memory, "key", "demote")
        assert "in use in RAM" in demote.because
        wait_until(clock, (demote.at or 0) - early)
        memory.maintain()
        assert place(memory, "key")[1] == tier


def test_read_below_ram_starts_the_idle_time_anew(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory["key"] = "value"
        memory.maintain()
        clock.advance(20 * HOUR)
        memory.maintain()
        first = prospect(memory, "key", "demote").at or 0
        assert memory["key"] == "value"
        found = told(memory, "key")
        assert (found.reads, found.last_read) == (1, clock.now())
        later = prospect(memory, "key", "demote")
        assert later.at == first + 20 * HOUR
        wait_until(clock, later.at - 1)
        memory.maintain()
        assert place(memory, "key")[1] == "warm"
        wait_until(clock, later.at + 1)
        memory.maintain()
        assert place(memory, "key")[1] == "cold"


def test_reads_bring_a_value_up_as_often_as_told(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory["key"] = "value"
        memory.maintain(settle=True)
        assert place(memory, "key") == (False, "cold")
        assert "2 more reads bring it to warm" in prospect(memory, "key", "promote").because
        assert memory["key"] == "value"
        assert "the next read brings it to warm" in prospect(memory, "key", "promote").because
        assert memory["key"] == "value"
        assert prospect(memory, "key", "promote").at == clock.now()
        memory.maintain()
        assert place(memory, "key") == (False, "warm")
        for left in (3, 2):  # the two reads in cold were uses too
            assert f"{left} more reads take it into RAM" in prospect(memory, "key", "enter_ram").because
            assert memory["key"] == "value"
            assert place(memory, "key") == (False, "warm")
        assert "the next read takes it into RAM" in prospect(memory, "key", "enter_ram").because
        assert memory["key"] == "value"
        assert place(memory, "key") == (True, "warm")


def test_ttl_ends_at_the_moment_named(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory.store("key", "value", ttl=90.5)
        memory.maintain()
        expire = prospect(memory, "key", "expire")
        assert expire.at == told(memory, "key").expires == clock.now() + 90.5
        wait_until(clock, expire.at - 1)
        memory.maintain()
        assert told(memory, "key").status == "stored"
        wait_until(clock, expire.at)
        found = told(memory, "key")
        assert (found.status, found.exists, found.tier) == ("expired", False, None)
        assert memory.retrieve("key") is None
        assert [prospect.what for prospect in found.future] == ["forget"]
        memory.maintain()
        assert told(memory, "key").status == "unknown"


def test_prunable_value_goes_at_the_moment_named(tmp_path: Path) -> None:
    clock = ManualClock(1_700_000_000.4)
    logs = {"match": "log:*", "prunable": True, "prune_after_days": 3}
    with open_store(tmp_path, clock, namespaces={"logs": logs}) as memory:
        memory["log:1"], memory["kept"] = "a", "b"
        memory.maintain()
        prune = prospect(memory, "log:1", "prune")
        assert "'logs' is prunable" in prune.because
        assert not [found for found in told(memory, "kept").future if found.what == "prune"]
        wait_until(clock, (prune.at or 0) - 1)
        memory.maintain()
        assert told(memory, "log:1").exists
        wait_until(clock, prune.at)
        memory.maintain()
        assert not told(memory, "log:1").exists
        assert told(memory, "kept").exists


def test_what_was_stored_before_its_namespace_was_prunable_is_not_pruned(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock, namespaces={"logs": {"match": "log:*"}}) as memory:
        memory["log:1"] = "a"
    with open_store(tmp_path, clock, namespaces={"logs": {"match": "log:*", "prunable": True}}) as memory:
        prune = prospect(memory, "log:1", "prune")
        assert prune.at is None
        assert "only once stored again" in prune.because
        clock.advance(400 * DAY)
        memory.maintain()
        assert told(memory, "log:1").exists


def test_paused_removal_is_told(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory.store("key", "value", ttl=10)
        memory.maintain()
        clock.set_wall(clock.now() + 3 * DAY)
        memory.maintain()
        (forget,) = told(memory, "key").future
        assert "removal by time is paused" in forget.because


@pytest.mark.parametrize("tier", [HOT, WARM], ids=["hot", "warm"])
def test_pin_of_the_key_or_of_a_sharer_keeps_a_content_out_of_cold(tmp_path: Path, tier: StorageTier) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory["plain"] = "shared content"
        memory.tiered_storage.write("pinned", "shared content", tier=tier, pin_tier=True)
        memory.maintain()
        found = told(memory, "plain")
        assert (found.references, found.pinned, found.pinned_by) == (2, None, {"pinned": tier.value})
        own, shared = prospect(memory, "pinned", "demote"), prospect(memory, "plain", "demote")
        assert own.at is shared.at is None
        assert own.because.endswith(f"the key is pinned to {tier.value}")
        assert f"'pinned', which shares the content, is pinned to {tier.value}" in shared.because
        clock.advance(100 * HOUR)
        memory.maintain()
        assert place(memory, "plain")[1] == "warm"
        if tier is HOT:
            assert "pinned to hot" in prospect(memory, "pinned", "leave_ram").because
            assert place(memory, "pinned")[0]
        else:
            assert "no read takes it into RAM" in prospect(memory, "pinned", "enter_ram").because
        assert memory.tiered_storage.unpin("pinned")
        memory.maintain()
        wait_until(clock, prospect(memory, "plain", "demote").at)
        memory.maintain()
        assert place(memory, "plain")[1] == "cold"


def test_wish_that_a_pin_forbids_is_dropped_as_told(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory["plain"] = "shared content"
        memory.tiered_storage.write("pinned", "shared content", tier=WARM, pin_tier=True)
        memory.maintain()
        assert memory.tiered_storage.migrate_tier("plain", COLD)
        found = told(memory, "plain")
        assert (found.asked, found.dirty) == ("cold", True)
        assert "the wish is dropped" in prospect(memory, "plain", "move").because
        memory.maintain()
        assert place(memory, "plain")[1] == "warm"
        assert told(memory, "plain").asked is None


def test_asked_move_is_told_and_happens(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory.store("new", "to cold at once", tier=COLD)
        assert "the checkpoint puts it there at once" in prospect(memory, "new", "move").because
        memory["old"] = "value"
        memory.maintain()
        assert place(memory, "new") == (False, "cold")
        assert memory.tiered_storage.migrate_tier("old", COLD)
        assert "cold was asked for: it moves there" in prospect(memory, "old", "move").because
        memory.maintain()
        assert place(memory, "old") == (False, "cold")
        memory["mate"] = "two keys"
        memory.store("asks", "two keys", tier=COLD)
        assert "warm it is" in prospect(memory, "asks", "move").because
        memory.maintain()
        assert place(memory, "asks")[1] == "warm"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"enable_tiered_storage": False}, "enable_tiered_storage: false"),
        ({"tiered_storage": {"enabled": False}}, "tiered_storage.enabled: false"),
    ],
    ids=["switch", "section"],
)
def test_nothing_moves_where_tiers_are_off(tmp_path: Path, settings: dict[str, Any], named: str) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock, **settings) as memory:
        memory["key"] = "value"
        memory.maintain()
        for what in ("leave_ram", "demote"):
            found = prospect(memory, "key", what)
            assert found.at is None
            assert named in found.because
        clock.advance(1000 * HOUR)
        memory.maintain()
        assert place(memory, "key") == (True, "warm")


def test_full_warm_tier_is_told_and_gives_way(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock, tiered_storage={"warm_capacity_mb": 0.0001}) as memory:
        memory["key"] = bytes(range(256)) * 4
        memory.tiered_storage._store.flush()
        memory.tiered_storage._store.mover.checkpoint()  # type: ignore[union-attr]  # the store is open for writing
        found = prospect(memory, "key", "demote")
        assert found.at == clock.now()
        assert "over its capacity" in found.because
        memory.maintain()
        assert place(memory, "key")[1] == "cold"
