"""A full disk: writes raise `CapacityError`, reads and deletes go on, nothing is lost, returning room is used."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import StorageTier, SystemClock
from stratakv.errors import CapacityError
from tests.limits.full_disks import MIB, VALUE_BYTES, Disk, assert_all_there, fill, small_disk, used_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["tmpfs", "quota"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    with small_disk(request.param, tmp_path / "disk", 6 * MIB) as disk:
        yield disk


def close_somehow(store: object) -> None:
    """Shut down on a full disk: what is dirty may have to stay in the journal, which is then said."""
    with contextlib.suppress(CapacityError):
        store.close()  # type: ignore[attr-defined]


def test_writes_raise_and_reads_and_deletes_go_on(disk: Disk) -> None:
    store = disk.open()
    expected = fill(store)
    assert len(expected) > 100
    for _ in range(3):
        with pytest.raises(CapacityError, match="free space"):
            store.put("more", random.Random(0).randbytes(4 * VALUE_BYTES))
    assert_all_there(store, expected)
    for key in list(expected)[::2]:
        assert store.delete(key), "the reserve serves deletions"
        del expected[key]
    assert_all_there(store, expected)
    close_somehow(store)


@pytest.mark.parametrize("chosen", [slice(0, 100), slice(0, None, 2)], ids=["the oldest", "every second"])
def test_deleting_and_maintaining_gives_room_back(disk: Disk, chosen: slice) -> None:
    store = disk.open()
    expected = fill(store)
    for key in list(expected)[chosen]:
        store.delete(key)
        del expected[key]
    store.maintain(settle=True)
    assert_all_there(store, expected)
    assert used_bytes(disk.path) < 4 * MIB
    assert disk.reserve_is_there
    again = fill(store, seed=2)
    assert len(again) > 50
    assert_all_there(store, expected | again)
    close_somehow(store)
    with contextlib.closing(disk.open()) as reopened:
        assert_all_there(reopened, expected | again)
        reopened.delete_many(list(again))
        reopened.maintain(settle=True)


def test_room_is_used_when_it_returns(disk: Disk) -> None:
    store = disk.open()
    expected = fill(store)
    disk.enlarge(24 * MIB)
    store.put("after", b"room again")
    expected["after"] = b"room again"
    store.maintain(settle=True)
    assert_all_there(store, expected)
    assert disk.reserve_is_there
    store.close()
    with contextlib.closing(disk.open()) as reopened:
        assert_all_there(reopened, expected)


def test_a_store_on_a_full_disk_can_be_opened_read_and_emptied(disk: Disk) -> None:
    store = disk.open()
    expected = fill(store)
    close_somehow(store)
    for _ in range(3):
        store = disk.open()
        assert_all_there(store, expected)
        close_somehow(store)
    store = disk.open()
    assert store.delete_many(list(expected)) == len(expected)
    assert len(store) == 0
    store.maintain(settle=True)
    store.maintain(settle=True)
    assert disk.reserve_is_there
    assert used_bytes(disk.path) < MIB
    fresh = fill(store, seed=3)
    assert len(fresh) > 100
    close_somehow(store)


def test_a_full_journal_is_emptied_by_deletions_alone(disk: Disk) -> None:
    """All of it is dirty: no checkpoint ran before the disk was full."""
    store = disk.open(dirty_limit_mb=64)
    expected = fill(store, checkpoint_every=1_000_000)
    for key in list(expected)[3:]:
        assert store.delete(key)
        del expected[key]
    store.maintain(settle=True)
    assert_all_there(store, expected)
    assert used_bytes(disk.path) < 2 * MIB
    store.put("again", b"y" * VALUE_BYTES)
    store.close()


def test_failed_checkpoints_leave_no_packs_behind(disk: Disk) -> None:
    store = disk.open(dirty_limit_mb=64, pack_size_mb=0.25)
    expected = fill(store, checkpoint_every=1_000_000)
    for _ in range(5):
        with pytest.raises(CapacityError):
            store.maintain()
    names = {info.name for backend in store.parts.backends.values() for info in backend.list("packs/")}
    known = {pack.name for pack in store.parts.catalog.packs()}
    assert names == known
    assert_all_there(store, expected)
    disk.enlarge(32 * MIB)
    store.maintain()
    assert_all_there(store, expected)
    store.close()


def test_a_batch_that_does_not_fit_stores_nothing(disk: Disk) -> None:
    store = disk.open()
    expected = fill(store)
    with pytest.raises(CapacityError):
        store.put_many(
            {**{f"small {number}": number for number in range(100)}, "large": random.Random(9).randbytes(MIB)}
        )
    assert_all_there(store, expected)
    close_somehow(store)


def test_background_failures_are_counted_and_end_when_room_returns(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SystemClock()
    with caplog.at_level(logging.CRITICAL, "stratakv"):
        store = disk.open(clock, checkpoint_interval_seconds=0.05)
        expected = fill(store, checkpoint_every=1_000_000)
        wait = threading.Event()
        for _ in range(200):
            if store.statistics.all()["background"]["failures"]:
                break
            with contextlib.suppress(CapacityError):
                store.put("try", expected["1:0000"])
                expected["try"] = expected["1:0000"]
            clock.wait(wait, 0.05)
        background = store.statistics.all()["background"]
        assert background["failures"] > 0 or background["dirty_keys"] == 0
        assert_all_there(store, expected)
        disk.enlarge(32 * MIB)
        for _ in range(200):
            with contextlib.suppress(CapacityError):
                store.put("after", b"room again")
                break
            clock.wait(wait, 0.05)
        expected["after"] = b"room again"
        store.maintain()
        assert_all_there(store, expected)
        store.close()
    with contextlib.closing(disk.open()) as reopened:
        assert_all_there(reopened, expected)


def test_a_full_cold_tier_leaves_the_others_at_work(disk: Disk, tmp_path: Path) -> None:
    """Demotion fails for lack of room; what was to be demoted stays in warm and is read there."""
    store = disk.open()
    expected = fill(store)
    with contextlib.suppress(CapacityError):
        store.maintain(settle=True)
    assert_all_there(store, expected)
    found = {store.read(key).tier for key in expected if store.read(key) is not None}  # type: ignore[union-attr]
    assert found <= {StorageTier.HOT, StorageTier.WARM, StorageTier.COLD}
    close_somehow(store)
