"""Two that want one bucket: who owns it, what the other is told, and that nobody removes what is not his."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationMiddleware, SystemClock
from stratakv.backends.directory import DirectoryBackend
from stratakv.errors import ConfigurationError, StoreLockedError
from stratakv.testing import RecordingBackend
from tests.tiers.sick_backends import CarelessBackend, LaggingList
from tests.tiers.tier_stores import (
    COLD,
    DAY,
    epoch_of,
    far,
    fill,
    leave_ram,
    lost,
    open_store,
)

if TYPE_CHECKING:
    from pathlib import Path

WRITES = {"put", "create", "delete"}


def packs_in(path: Path) -> set[str]:
    return {info.name for info in far(path).list("packs/")}


def written(backend: RecordingBackend) -> list[str]:
    return [call.name for call in backend.calls if call.call in WRITES]


# -- one after the other -------------------------------------------------------------------------------------


def test_the_same_store_reopens_with_the_next_epoch(tmp_path: Path) -> None:
    values: dict[str, bytes] = {}
    for number in range(5):
        with open_store(tmp_path / "store", far(tmp_path)) as memory:
            assert epoch_of(memory) == number + 1
            values |= fill(memory, f"life {number}")
            assert memory.retrieve_many(values) == values
    assert len([*far(tmp_path).list("manifests/")]) <= 3


def test_another_store_is_refused_until_it_takes_over(tmp_path: Path) -> None:
    with open_store(tmp_path / "A", far(tmp_path)) as first:
        values = fill(first, "a")
    with pytest.raises(ConfigurationError, match=r"belongs to another store.*take_over: true"):
        open_store(tmp_path / "B", far(tmp_path))
    before = packs_in(tmp_path)
    with open_store(tmp_path / "B", far(tmp_path), cold={"take_over": True}) as second:
        more = fill(second, "b")
        second.maintain(settle=True)
        assert second.retrieve_many(more) == more
    assert before <= packs_in(tmp_path), "what another store wrote stays"
    with pytest.raises(ConfigurationError, match="belongs to another store"):
        open_store(tmp_path / "A", far(tmp_path))
    with open_store(tmp_path / "A", far(tmp_path), cold={"take_over": True}) as first:
        assert first.retrieve_many(values) == values


# -- a copied directory --------------------------------------------------------------------------------------


def test_a_copy_opened_elsewhere_fences_the_first(tmp_path: Path) -> None:
    clock = ManualClock()
    backend = RecordingBackend(far(tmp_path))
    first = open_store(tmp_path / "A", backend, clock)
    with first:
        values = fill(first, "shared")
        shutil.copytree(tmp_path / "A", tmp_path / "B", ignore=shutil.ignore_patterns("LOCK"))
        with open_store(tmp_path / "B", far(tmp_path), clock) as second:
            assert (epoch_of(first), epoch_of(second)) == (1, 2)
            first.store("after the copy", 1)
            with pytest.raises(StoreLockedError, match=r"taken by another owner \(epoch 2"):
                first.maintain(settle=True)
            reason = lost(first)
            assert reason is not None
            assert "only reads from now on" in reason
            backend.calls.clear()
            clock.advance(2 * DAY)
            for write in (
                lambda: first.store("x", 1),
                lambda: first.store_many({"x": 1}),
                lambda: first.delete(next(iter(values))),
                lambda: first.tiered_storage.migrate_tier(next(iter(values)), COLD),
                lambda: first.maintain(settle=True),
            ):
                with pytest.raises(StoreLockedError, match="only reads from now on"):
                    write()
            assert written(backend) == []
            assert first.retrieve_many([*values, "after the copy", "x"]) == {**values, "after the copy": 1}
            assert second.retrieve_many(values) == values
            second.maintain(settle=True)
            assert lost(second) is None


def test_with_threads_the_fenced_one_finds_out_by_itself(tmp_path: Path) -> None:
    settings = {
        "storage": {"checkpoint_interval_seconds": 0.01, "grace_seconds": 0},
        "tiered_storage": {"migration_interval_seconds": 0.02, "warm_to_cold_idle_hours": 0},
    }
    cold = {"backup_interval_seconds": 0.02}
    backend = RecordingBackend(far(tmp_path))
    with open_store(tmp_path / "A", far(tmp_path)) as first:
        values = fill(first, "shared")
    shutil.copytree(tmp_path / "A", tmp_path / "B", ignore=shutil.ignore_patterns("LOCK"))
    with (
        open_store(tmp_path / "A", backend, SystemClock(), cold=cold, **settings) as first,
        open_store(tmp_path / "B", far(tmp_path), ManualClock()) as second,
    ):
        told = store_until_told(first)
        assert "another owner" in told
        assert lost(first)
        backend.calls.clear()
        assert first.retrieve_many(values) == values
        with pytest.raises(StoreLockedError):
            first.store("later", 1)
        threading.Event().wait(0.2)
        assert written(backend) == []
        assert second.retrieve_many(values) == values


def store_until_told(memory: OptimizationMiddleware) -> str:
    for number in range(5000):
        try:
            memory.store(f"new:{number % 10}", number)
        except StoreLockedError as failure:
            return str(failure)
        threading.Event().wait(0.002)
    raise AssertionError("nobody told")


@pytest.mark.parametrize("copied", ["closed", "open"])
def test_packs_that_another_directory_wrote_stay(tmp_path: Path, copied: str) -> None:
    """The copy knows nothing of what the first wrote after it was made: it is no orphan of the copy's."""
    first = open_store(tmp_path / "A", far(tmp_path))
    values = fill(first, "shared")
    if copied == "closed":
        first.shutdown()
    shutil.copytree(tmp_path / "A", tmp_path / "B", ignore=shutil.ignore_patterns("LOCK"))
    if copied == "closed":
        first = open_store(tmp_path / "A", far(tmp_path))
    later = fill(first, "later")
    with open_store(tmp_path / "B", far(tmp_path)) as second:
        second.maintain(settle=True)
        assert second.retrieve_many(values) == values
        others = fill(second, "second")
        second.delete_many(others)
        second.maintain(settle=True)
        second.maintain(settle=True)
    leave_ram(first)
    assert first.retrieve_many(later) == later
    assert first.retrieve_many(values) == values
    first.shutdown()
    with open_store(tmp_path / "A", far(tmp_path)) as again:
        again.maintain(settle=True)
        assert again.retrieve_many({**values, **later}) == {**values, **later}


def test_orphans_of_the_own_past_go(tmp_path: Path) -> None:
    """What this directory left behind in an earlier life, and no other was the owner since, is removed."""
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        values = fill(memory, "a")
    folder = min(packs_in(tmp_path)).rpartition("/")[0]
    own = f"{folder}/00000001-{'0' * 16}.pack"
    foreign = f"{folder}/000000ff-{'0' * 16}.pack"
    for orphan in (own, foreign):
        far(tmp_path).put(orphan, b"left behind")
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        memory.maintain()
        assert own not in packs_in(tmp_path)
        assert foreign in packs_in(tmp_path), "of an epoch that is not known here"
        assert memory.retrieve_many(values) == values


def test_a_lagging_list_does_not_hide_the_new_owner(tmp_path: Path) -> None:
    backend = LaggingList(far(tmp_path))
    first = open_store(tmp_path / "A", backend)
    values = fill(first, "shared")
    shutil.copytree(tmp_path / "A", tmp_path / "B", ignore=shutil.ignore_patterns("LOCK"))
    backend.fall_behind()
    with open_store(tmp_path / "B", far(tmp_path)) as second:
        first.delete_many([*values][:40])
        with pytest.raises(StoreLockedError, match="another owner"):
            first.maintain(settle=True)
        leave_ram(second)
        assert second.retrieve_many(values) == values
    first.shutdown()


# -- at the same moment --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DirectoryBackend, CarelessBackend])
def test_of_those_that_open_at_the_same_moment_one_owns_the_tier(tmp_path: Path, kind: type[DirectoryBackend]) -> None:
    with open_store(tmp_path / "0", kind(tmp_path / "far", remote=True)) as memory:
        fill(memory, "shared")
    for number in range(1, 4):
        shutil.copytree(tmp_path / "0", tmp_path / f"{number}", ignore=shutil.ignore_patterns("LOCK"))
    start = threading.Barrier(4)
    opened: list[OptimizationMiddleware] = []
    refused: list[StoreLockedError] = []

    def open_one(number: int) -> None:
        start.wait()
        try:
            opened.append(open_store(tmp_path / f"{number}", kind(tmp_path / "far", remote=True)))
        except StoreLockedError as failure:
            refused.append(failure)

    threads = [threading.Thread(target=open_one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) + len(refused) == 4
    assert opened
    owners = 0
    for memory in opened:
        memory.store("new", epoch_of(memory))
        try:
            memory.maintain(settle=True)
            owners += 1
        except StoreLockedError:
            pass
        memory.shutdown()
    assert owners <= 1
