"""Directories that come back: restored, copied or put back, none destroys what another one still knows."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.backends.directory import DirectoryBackend
from stratakv.engine.restoration import restore
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0


def open_store(path: Path, clock: ManualClock, **cold: Any) -> OptimizationMiddleware:
    config = OptimizationConfig(
        storage={"path": str(path), "pack_size_mb": 0.05},
        tiered_storage={"cold": {"path": str(path.parent / "far"), "backups": True, **cold}},
    )
    return OptimizationMiddleware(config=config, clock=clock)


def values(prefix: str, count: int = 60) -> dict[str, object]:
    return {f"{prefix}:{number}": {"number": number, "text": f"{prefix} {number} " * 20} for number in range(count)}


def keep_cold(memory: OptimizationMiddleware, wanted: dict[str, object]) -> None:
    memory.store_many(wanted)
    memory.maintain(settle=True)


def restored(far: Path, path: Path, clock: ManualClock) -> None:
    result = restore(
        DirectoryBackend(far, remote=True), path, now=int(clock.now()), trust_pickle=False, show=lambda *_: None
    )
    assert result.missing == []


def packs_in(far: Path) -> set[str]:
    return {path.name for path in far.glob("packs/*/*.pack")}


def test_a_restore_drill_leaves_the_first_machine_its_values(tmp_path: Path) -> None:
    clock, wanted = ManualClock(), values("a")
    with open_store(tmp_path / "A", clock) as first:
        keep_cold(first, wanted)
        restored(tmp_path / "far", tmp_path / "B", clock)
        with open_store(tmp_path / "B", clock) as drill:
            for _ in range(4):  # reads promote everything, so that the packs of the first are dead here
                assert drill.retrieve_many(wanted) == wanted
                clock.advance(400)
                drill.maintain()
            drill.clear()
            drill.maintain(settle=True)
        assert first.retrieve_many(wanted) == wanted
    with open_store(tmp_path / "A", clock) as first:
        assert first.retrieve_many(wanted) == wanted
        first.maintain(settle=True)
        assert first.retrieve_many(wanted) == wanted
    restored(tmp_path / "far", tmp_path / "C", clock)


def test_what_another_directory_wrote_goes_in_the_end(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "A", clock) as first:
        keep_cold(first, values("a"))
    old = packs_in(tmp_path / "far")
    restored(tmp_path / "far", tmp_path / "B", clock)
    with open_store(tmp_path / "B", clock) as second:
        second.clear()
        second.maintain(settle=True)
        assert packs_in(tmp_path / "far") == old
    clock.advance(31 * DAY)
    with open_store(tmp_path / "B", clock) as second:
        second.maintain(settle=True)
        assert packs_in(tmp_path / "far") == set()


def test_a_directory_that_was_put_back_takes_nothing_newer_along(tmp_path: Path) -> None:
    clock, wanted, later = ManualClock(), values("a"), values("later")
    with open_store(tmp_path / "A", clock) as memory:
        keep_cold(memory, wanted)
        shutil.copytree(tmp_path / "A", tmp_path / "snapshot", ignore=shutil.ignore_patterns("LOCK"))
        memory.store_many(later)
        for key in later:
            memory.tiered_storage.migrate_tier(key, StorageTier.COLD)
        memory.maintain()
    for left in (tmp_path / "A").iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    shutil.copytree(tmp_path / "snapshot", tmp_path / "A", dirs_exist_ok=True)
    newer, parts = packs_in(tmp_path / "far"), set((tmp_path / "far" / "catalog").iterdir())
    with open_store(tmp_path / "A", clock) as memory:
        assert memory.retrieve_many(wanted) == wanted
        memory.maintain(settle=True)
        memory.maintain(settle=True)
    assert newer <= packs_in(tmp_path / "far")
    assert parts <= set((tmp_path / "far" / "catalog").iterdir())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": 1, "store'], ids=["empty", "list", "cut"])
def test_a_damaged_manifest_of_its_own_locks_nobody_out(tmp_path: Path, content: bytes) -> None:
    clock, wanted = ManualClock(), values("a")
    manifests = tmp_path / "far" / "manifests"
    with open_store(tmp_path / "A", clock) as memory:
        keep_cold(memory, wanted)
        max(manifests.iterdir()).write_bytes(content)
        memory.store("new", 1)
        memory.maintain(settle=True)
        assert memory.get_statistics()["tiered_storage"]["cold"]["backup"]["changes_waiting"] == 0
    max(manifests.iterdir()).write_bytes(content)
    with open_store(tmp_path / "A", clock) as memory:
        assert memory.retrieve_many([*wanted, "new"]) == {**wanted, "new": 1}
        memory.maintain(settle=True)


def test_a_damaged_manifest_that_may_be_anothers_names_the_way_out(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "A", clock) as memory:
        keep_cold(memory, values("a"))
    max((tmp_path / "far" / "manifests").iterdir()).write_bytes(b"nonsense")
    with pytest.raises(CorruptionError, match="take_over"):
        open_store(tmp_path / "B", clock)
    with open_store(tmp_path / "B", clock, take_over=True) as memory:
        keep_cold(memory, values("b"))


def test_what_is_asked_into_warm_is_not_sent_to_cold_for_being_idle(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path / "A", clock) as memory:
        memory.store_many(values("a", 5))
        memory.maintain()
        clock.advance(3 * DAY)
        memory.tiered_storage.migrate_tier("a:1", StorageTier.WARM)
        memory.maintain()
        assert memory.tiered_storage.read("a:1")[1] is StorageTier.WARM
        assert memory.tiered_storage.read("a:2")[1] is StorageTier.COLD
