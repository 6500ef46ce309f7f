"""What time may remove, and what it may not: ttl, prunable namespaces, grace, erasure, a wall clock that jumps."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from tests.limits.full_disks import used_bytes

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
HOUR = 3600.0


def open_store(path: Path, clock: ManualClock, **settings: object) -> OptimizationMiddleware:
    config = OptimizationConfig(storage={"path": str(path)}, **settings)  # type: ignore[arg-type]
    return OptimizationMiddleware(config=config, clock=clock)


@pytest.mark.parametrize("settled", ["dirty", "warm", "cold"])
def test_ttl_counts_from_the_last_store_and_expired_is_a_miss_everywhere(tmp_path: Path, settled: str) -> None:
    clock = ManualClock()

    def settle() -> None:
        if settled != "dirty":
            memory.maintain(settle=settled == "cold")

    with open_store(tmp_path / "store", clock) as memory:
        memory.store("short", "s", ttl=10)
        memory.store("renewed", "r", ttl=10)
        memory.store("cleared", "c", ttl=10)
        memory.store("later", "l")
        settle()
        clock.advance(6)
        memory.store("renewed", "r", ttl=10)
        memory.store("cleared", "c")
        memory.store("later", "l", ttl=6)
        settle()
        assert set(memory) == {"short", "renewed", "cleared", "later"}
        clock.advance(4)
        assert memory.retrieve("short") is None
        assert "short" not in memory
        assert set(memory) == {"renewed", "cleared", "later"}
        assert len(memory) == 3
        assert memory.retrieve_many(["short", "later"]) == {"later": "l"}
        assert not memory.delete("short")
        assert memory.add("short", "new")
        assert memory.tiered_storage.read("renewed")[0] == "r"
        clock.advance(6)
        assert set(memory) == {"short", "cleared"}
        assert len(memory) == 2
        with pytest.raises(KeyError):
            memory["renewed"]
        clock.advance(10 * DAY)
        memory.maintain()
        assert dict(memory) == {"short": "new", "cleared": "c"}
        assert memory.get_statistics()["deduplication"]["total_references"] == 2
    with open_store(tmp_path / "store", clock) as memory:
        assert dict(memory) == {"short": "new", "cleared": "c"}


def test_a_ttl_goes_on_through_migration_and_restart(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        memory.store("key", "value", ttl=100)
        memory.maintain(settle=True)
        clock.advance(50)
        assert memory.tiered_storage.unpin("key")
    with open_store(tmp_path / "store", clock) as memory:
        assert memory["key"] == "value"
        clock.advance(49.9)
        assert memory["key"] == "value"
        clock.advance(0.2)
        assert "key" not in memory
        assert len(memory) == 0


NAMESPACES = {
    "logs": {"match": "log:*", "prunable": True},
    "notes": {"match": "note:*"},
    "brief": {"match": "brief:*", "prunable": True, "prune_after_days": 2},
}


@pytest.mark.parametrize(("level", "days"), [("conservative", 90), ("moderate", 30), ("aggressive", 7)])
def test_only_prunable_namespaces_are_pruned_at_the_age_of_their_level(tmp_path: Path, level: str, days: int) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock, optimization_level=level, namespaces=NAMESPACES) as memory:
        for prefix in ("log", "note", "brief", "other"):
            for number in range(3):
                memory[f"{prefix}:{number}"] = (prefix, number)
        memory.store("by name", 1, namespace="logs")
        memory.store("other name", 1, namespace="elsewhere")
        memory.maintain()
        clock.advance(2 * DAY + 1)
        memory.maintain()
        assert not list(memory.keys("brief:"))
        assert len(memory) == 11
        clock.advance((days - 2) * DAY - HOUR)
        memory["log:0"] = "written again, so it is young"
        memory.retrieve("log:1")
        memory.maintain()
        assert len(memory) == 11
        clock.advance(2 * HOUR)
        memory.maintain()
        left = {"log:0", "note:0", "note:1", "note:2", "other:0", "other:1", "other:2", "other name"}
        assert set(memory) == left, "reading does not keep a prunable value young, writing does"
        clock.advance(1000 * DAY)
        memory.maintain(settle=True)
        assert set(memory) == left - {"log:0"}, "nothing else is ever removed by age"


def test_a_jump_of_the_wall_clock_pauses_pruning_and_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock, namespaces=NAMESPACES) as memory:
        memory["log:1"] = 1
        memory.store("ttl", 2, ttl=10 * DAY)
        memory.maintain()
        assert memory.get_statistics()["background"]["pruning_paused"] is None
        clock.set_wall(clock.now() + 400 * DAY)
        memory.maintain()
        memory.maintain(settle=True)
        said = memory.get_statistics()["background"]["pruning_paused"]
        assert "400.0 days" in said
        assert "log:1" in memory
        clock.set_wall(clock.now() - 400 * DAY)
        memory.maintain()
        assert memory.get_statistics()["background"]["pruning_paused"] is None
        assert memory["ttl"] == 2, "nothing was physically removed while the clock was in doubt"
        clock.set_wall(clock.now() - 3 * DAY)
        memory.maintain()
        assert "-3.0 days" in memory.get_statistics()["background"]["pruning_paused"]
        clock.set_wall(clock.now() + 3 * DAY)
        clock.advance(31 * DAY)
        memory.maintain()
        assert set(memory) == set()


def test_a_jump_of_less_than_a_day_does_not_pause(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        memory.store("ttl", 1, ttl=HOUR)
        memory.maintain()
        clock.set_wall(clock.now() + 0.9 * DAY)
        memory.maintain()
        statistics = memory.get_statistics()
        assert statistics["background"]["pruning_paused"] is None
        assert statistics["background"]["expired"] == 1


def content_on_disk(directory: Path, needle: bytes) -> bool:
    return any(needle in path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_deleted_bytes_are_gone_from_every_file_within_erase_within(tmp_path: Path) -> None:
    clock = ManualClock()
    directory = tmp_path / "store"
    chance = random.Random(4)
    secrets = {name: chance.randbytes(3000) for name in ("warm", "cold", "overwritten")}
    config = OptimizationConfig(storage={"path": str(directory), "erase_within_days": 5})
    with OptimizationMiddleware(config=config, clock=clock) as memory:
        memory["cold"] = secrets["cold"]
        for number in range(20):
            memory[f"cold filler {number}"] = chance.randbytes(3000)
        memory.maintain(settle=True)
        memory["warm"], memory["overwritten"] = secrets["warm"], secrets["overwritten"]
        for number in range(20):
            memory[f"warm filler {number}"] = chance.randbytes(3000)
        memory.maintain()
        assert all(content_on_disk(directory, secret) for secret in secrets.values())
        memory.delete("warm")
        memory.delete("cold")
        memory["overwritten"] = "nothing"
        memory.maintain()
        clock.advance(HOUR)
        memory.maintain()
        assert content_on_disk(directory, secrets["cold"]), "a pack that is mostly live is not rewritten at once"
        for _ in range(6):
            clock.advance(DAY)
            memory.maintain()
            clock.advance(HOUR)
            memory.maintain()
        for name, secret in secrets.items():
            assert not content_on_disk(directory, secret), name
        assert len(memory) == 41


def test_a_pack_less_than_half_live_is_compacted_at_once(tmp_path: Path) -> None:
    clock = ManualClock()
    directory = tmp_path / "store"
    chance = random.Random(6)
    with open_store(directory, clock) as memory:
        for number in range(40):
            memory[f"key {number}"] = chance.randbytes(20_000)
        memory.maintain()
        before = used_bytes(directory / "warm")
        memory.delete_many([f"key {number}" for number in range(30)])
        memory.maintain()
        clock.advance(301)
        memory.maintain()
        clock.advance(301)
        memory.maintain()
        assert used_bytes(directory / "warm") < before * 0.4
        assert memory.get_statistics()["tiered_storage"]["compactions"] >= 1
        assert len(memory) == 10
        assert all(len(memory[f"key {number}"]) == 20_000 for number in range(30, 40))


def test_unreferenced_content_stays_for_its_grace_and_can_come_back(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        memory["a"] = "content " * 50
        memory.maintain()
        memory.delete("a")
        memory.maintain()
        clock.advance(200)
        memory.maintain()
        assert memory.dedup_engine.write("b", "content " * 50)[1], "within its grace it is still known"
        memory.maintain(settle=True)
        clock.advance(1000)
        memory.maintain(settle=True)
        assert memory["b"] == "content " * 50
        memory.delete("b")
        memory.maintain()
        clock.advance(301)
        memory.maintain()
        assert not memory.dedup_engine.write("c", "content " * 50)[1]
        assert memory["c"] == "content " * 50


def test_a_lease_outlasts_every_collection(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "store", clock) as memory:
        content, _ = memory.dedup_engine.write("a", "leased " * 50)
        memory.maintain()
        memory.delete("a")
        memory.maintain()
        store = memory.tiered_storage._store
        contents = store._writable().contents
        digest = bytes.fromhex(content)
        lease = contents.lease(digest)
        assert lease is not None
        for _ in range(3):
            clock.advance(DAY)
            memory.maintain(settle=True)
            assert store.parts.catalog.find_blob(digest) is not None
        contents.release(lease)
        memory.maintain(settle=True)
        assert store.parts.catalog.find_blob(digest) is None
