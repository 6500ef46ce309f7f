"""The file system fails under a store: a failed sync acknowledges nothing more, a full disk stores nothing half."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv.clock import ManualClock
from stratakv.engine.store import Store
from stratakv.errors import CapacityError, ClosedError
from stratakv.files import Files
from tests.crash.life import settings
from tests.crash.soundness import check_no_orphans, check_sums, leave

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = os.urandom(5000)


class FailingFiles(Files):
    """Syncs that fail and disks that are full, on request.

    Attributes:
        sync_error: What the next syncs raise, as an errno.
        room: Bytes that may still be written; None: any number.
    """

    def __init__(self) -> None:
        self.sync_error: int | None = None
        self.room: int | None = None

    def sync(self, descriptor: int) -> None:
        if self.sync_error is not None:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        super().sync(descriptor)

    def write(self, descriptor: int, parts: list[bytes]) -> int:
        if self.room is None:
            return super().write(descriptor, parts)
        content = b"".join(parts)[: self.room]
        if not content:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(content)
        return super().write(descriptor, [content])


class Place:
    """One directory, opened as often as needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = FailingFiles()
        self._stores: list[Store] = []

    def open(self, durability: str) -> Store:
        self.files.sync_error = self.files.room = None
        store = Store(settings(self.path, durability=durability), clock=ManualClock(), files=self.files)
        self._stores.append(store)
        return store

    def reopen(self, durability: str) -> Store:
        """As after a crash."""
        self.end()
        return self.open(durability)

    def end(self) -> None:
        self.files.sync_error = self.files.room = None
        while self._stores:
            leave(self._stores.pop())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "store")
    yield place
    place.end()


def refuses_writes(store: Store, key: str = "kept") -> bool:
    for write in (
        lambda: store.put("other", 1),
        lambda: store.put_many({"other": 1}),
        lambda: store.delete(key),
        store.flush,
    ):
        with pytest.raises(ClosedError):
            write()
    return True


def test_a_write_whose_sync_fails_is_not_acknowledged_and_ends_all_writing(place: Place) -> None:
    store = place.open("sync")
    store.put("kept", "before")
    place.files.sync_error = errno.EIO
    with pytest.raises(ClosedError):
        store.put("lost", "never acknowledged")
    place.files.sync_error = None
    assert store.retrieve("lost") is None
    assert store.retrieve("kept") == "before"
    assert refuses_writes(store)
    again = place.reopen("sync")
    assert again.retrieve("kept") == "before"
    assert again.retrieve("lost") in (None, "never acknowledged")
    again.put("new", "written")
    assert place.reopen("sync").retrieve("new") == "written"


def test_a_flush_that_fails_says_so_and_ends_all_writing(place: Place) -> None:
    store = place.open("process")
    store.put("kept", "before")
    place.files.sync_error = errno.EIO
    with pytest.raises(ClosedError):
        store.flush()
    place.files.sync_error = None
    assert store.retrieve("kept") == "before"
    assert refuses_writes(store)
    assert place.reopen("process").retrieve("kept") == "before"


def test_all_who_wait_for_one_failing_sync_are_told(place: Place) -> None:
    store = place.open("sync")
    store.put("kept", "before")
    place.files.sync_error = errno.EIO
    told: list[str] = []

    def write(number: int) -> None:
        try:
            store.put(f"lost:{number}", number)
        except ClosedError:
            told.append(f"lost:{number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8
    assert list(store.keys()) == ["kept"]


@pytest.mark.parametrize("durability", ["process", "sync"])
def test_a_checkpoint_whose_sync_fails_loses_nothing(place: Place, durability: str) -> None:
    store = place.open(durability)
    store.put_many({f"key:{number}": number for number in range(20)})
    place.files.sync_error = errno.EIO
    with pytest.raises(ClosedError):
        store.maintain()
    place.files.sync_error = None
    assert len(store) == 20
    assert refuses_writes(store, "key:0")
    again = place.reopen(durability)
    assert again.get_many(f"key:{number}" for number in range(20)) == {f"key:{n}": n for n in range(20)}
    check_no_orphans(again)
    check_sums(again)


@pytest.mark.parametrize("durability", ["process", "sync"])
@pytest.mark.parametrize("room", [0, 1, 27, 28, 100, 4000])
def test_a_full_disk_stores_nothing_and_the_next_write_works_when_space_is_back(
    place: Place, durability: str, room: int
) -> None:
    store = place.open(durability)
    store.put("key", "before")
    for _ in range(2):
        place.files.room = room
        with pytest.raises(CapacityError):
            store.put("key", LARGE)
        assert store.retrieve("key") == "before"
    place.files.room = room
    with pytest.raises(CapacityError):
        store.put_many({"key": "other", "second": LARGE})
    assert list(store.keys()) == ["key"]
    place.files.room = None
    store.put("key", LARGE[::-1])
    assert store.retrieve("key") == LARGE[::-1]
    again = place.reopen(durability)
    assert again.retrieve("key") == LARGE[::-1]
    assert list(again.keys()) == ["key"]


def test_writes_taken_piece_by_piece_are_whole(place: Place) -> None:
    store = place.open("process")
    write = Files.write

    class Pieces(FailingFiles):
        def write(self, descriptor: int, parts: list[bytes]) -> int:
            return write(self, descriptor, [b"".join(parts)[:100]])

    leave(store)
    place.files = Pieces()
    store = place.open("process")
    store.put_many({f"key:{number}": LARGE[number:] for number in range(10)})
    again = place.reopen("process")
    assert again.get_many(again.keys()) == {f"key:{number}": LARGE[number:] for number in range(10)}
    again.maintain(settle=True)
    assert again.get_many(again.keys()) == {f"key:{number}": LARGE[number:] for number in range(10)}


def test_buffered_records_survive_a_full_disk_in_order(place: Place) -> None:
    store = place.open("none")
    stored: dict[str, bytes] = {}
    place.files.room = 0
    refused = 0
    for number in range(120):
        value = os.urandom(4000)
        try:
            store.put(f"key:{number}", value)
        except CapacityError:
            refused += 1
        else:
            stored[f"key:{number}"] = value
        if number == 100:
            place.files.room = None
    assert refused > 0
    assert store.get_many(stored) == stored
    store.flush()
    assert sorted(store.keys()) == sorted(stored)
    again = place.reopen("none")
    assert again.get_many(again.keys()) == stored


def test_buffered_values_are_read_while_the_disk_is_full(place: Place) -> None:
    store = place.open("none")
    store.put_many({"first": LARGE, "second": LARGE[::-1]})
    place.files.room = 0
    store.parts.hot.clear()
    assert store.retrieve("first") == LARGE
    assert store.retrieve("second") == LARGE[::-1]
