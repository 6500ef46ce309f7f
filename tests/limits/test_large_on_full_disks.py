"""A disk that gets full in the middle of a large value: it is refused whole, the old one stays, nothing is left."""

from __future__ import annotations

import contextlib
import io
import random
from typing import TYPE_CHECKING

import pytest

from stratakv.clock import ManualClock
from stratakv.engine.store import Store
from stratakv.engine.terms import DEFAULTS
from stratakv.errors import CapacityError
from tests.crash.life import settings
from tests.crash.soundness import check_no_orphans, check_sums, leave
from tests.crash.test_failing_files import FailingFiles
from tests.large.documents import Pipe
from tests.limits.full_disks import MIB, Disk, small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLD = random.Random(1).randbytes(30_000)
NEW = random.Random(2).randbytes(120_000)
WAYS: dict[str, Callable[[Store, bytes], object]] = {
    "put": lambda store, content: store.put("k", content),
    "put_many": lambda store, content: store.put_many({"k": content, "other": content[::-1]}),
    "stream": lambda store, content: store.put_stream("k", io.BytesIO(content), DEFAULTS),
    "pipe": lambda store, content: store.put_stream("k", Pipe(content), DEFAULTS),
}
WAY = pytest.mark.parametrize("way", WAYS)


@contextlib.contextmanager
def running(path: Path, files: FailingFiles) -> Iterator[Store]:
    """A store that is left as by a crash."""
    store = Store(settings(path), clock=ManualClock(), files=files)
    try:
        yield store
    finally:
        leave(store)


@WAY
@pytest.mark.parametrize("room", [0, 10_000, 70_000, 119_000])
def test_a_large_value_for_which_there_is_no_room_changes_nothing(tmp_path: Path, way: str, room: int) -> None:
    files = FailingFiles()
    with running(tmp_path / "store", files) as store:
        store.put("k", OLD)
        store.maintain()
        held = store.parts.catalog.rows("SELECT id FROM blobs ORDER BY id")
        for left in (room, 0):
            files.room = left
            with pytest.raises(CapacityError):
                WAYS[way](store, NEW)
            assert store.retrieve("k") == OLD
            assert list(store.keys()) == ["k"]
            check_sums(store)
        files.room = None
        check_no_orphans(store)
        check_sums(store)
        assert store.parts.catalog.rows("SELECT id FROM blobs ORDER BY id") == held
        WAYS[way](store, NEW)
        assert store.retrieve("k") == NEW
    with running(tmp_path / "store", files) as store:
        assert store.retrieve("k") == NEW
        check_no_orphans(store)
        check_sums(store)
        assert store.retrieve("k") == NEW


def test_what_was_written_when_the_disk_got_full_is_not_written_again(tmp_path: Path) -> None:
    files = FailingFiles()
    with running(tmp_path / "store", files) as store:
        files.room = 100_000
        with pytest.raises(CapacityError):
            store.put("k", NEW)
        files.room = 80_000
        store.put_stream("k", io.BytesIO(NEW), DEFAULTS)
        files.room = None
        check_no_orphans(store)
        check_sums(store)
        assert store.retrieve("k") == NEW


def test_a_checkpoint_of_large_values_that_finds_no_room_is_made_up_for(tmp_path: Path) -> None:
    """Values below the journal's limit are cut into chunks by the checkpoint: they stay in the journal until it can."""
    chance = random.Random(3)
    values = {f"k{number}": chance.randbytes(1500) for number in range(30)}
    files = FailingFiles()
    with running(tmp_path / "store", files) as store:
        store.put_many(values)
        for room in (0, 5_000, 25_000):
            files.room = room
            with pytest.raises(CapacityError):
                store.maintain()
            assert store.get_many(values) == values
            check_sums(store)
        files.room = None
        check_no_orphans(store)
        check_sums(store)
        assert store.parts.catalog.rows("SELECT count(*) FROM manifests") == [(30,)]
        assert store.get_many(values) == values


@pytest.fixture(params=["tmpfs", "quota"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with small_disk(request.param, tmp_path / "disk", 10 * MIB) as disk:
        yield disk


def test_streams_are_taken_while_there_is_room_and_what_is_deleted_gives_it_back(disk: Disk) -> None:
    chance = random.Random(4)
    store = disk.open()
    kept: dict[str, bytes] = {}

    def stream(values: int) -> None:
        for _ in range(values):
            key, content = f"k{len(kept)}", chance.randbytes(2 * MIB)
            store.put_stream(key, Pipe(content), DEFAULTS)
            kept[key] = content

    stream(3)
    with pytest.raises(CapacityError, match="free space"):
        stream(5)
    assert store.get_many(store.keys()) == kept
    for key in list(kept)[1:]:
        assert store.delete(key)
        del kept[key]
    store.maintain(settle=True)
    check_no_orphans(store)
    check_sums(store)
    assert disk.reserve_is_there
    kept["again"] = chance.randbytes(4 * MIB)
    store.put_stream("again", io.BytesIO(kept["again"]), DEFAULTS)
    store.close()
    with contextlib.closing(disk.open()) as reopened:
        assert reopened.get_many(reopened.keys()) == kept
        check_sums(reopened)
