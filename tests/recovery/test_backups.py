"""Backups as the bucket shows them: small when little changed, whole after any stop, and rid of what is erased."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.backends.directory import DirectoryBackend
from stratakv.engine import backup
from stratakv.engine.backup_format import PREFIX, read_rows
from stratakv.engine.worker import StoppedError, no_pause
from stratakv.testing.faults import RecordingBackend
from tests.crash.life import Step
from tests.recovery.lost_machines import (
    COLD,
    NOW,
    Bucket,
    check_restored,
    live,
    lose,
    mover_of,
    open_far,
    open_life,
    parts_in,
    records,
    restored,
    sizes,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path


DAY = 86_400


def named_in(cold: Path, text: bytes) -> list[str]:
    """Return the parts whose rows have a text in them."""
    found = []
    for name in parts_in(cold):
        rows = list(read_rows((cold / "catalog" / name).read_bytes(), name))
        if text in repr(rows).encode():
            found.append(name)
    return found


def test_a_change_of_one_key_costs_little(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "store", cold) as memory:
        memory.store_many(records(3000))
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        base = sizes(cold)
        memory["session:00007"] = "new"
        memory.maintain()
        fresh = {name: size for name, size in sizes(cold).items() if name not in base}
        assert len(fresh) == 1
        assert sum(fresh.values()) < 1500 < sum(base.values()) / 20


def test_an_unchanged_store_writes_nothing(tmp_path: Path) -> None:
    clock, backend = ManualClock(NOW), RecordingBackend(DirectoryBackend(tmp_path / "cold", remote=True))
    config = OptimizationConfig(storage={"path": str(tmp_path / "store")})
    with OptimizationMiddleware(config=config, clock=clock, backends={COLD: backend}) as memory:
        memory.store_many(records(50))
        for _ in range(4):
            memory.maintain(settle=True)
        backend.calls.clear()
        for _ in range(3):
            clock.advance(3600)
            memory.maintain(settle=True)
            memory.maintain()
        assert backend.count("put") == backend.count("create") == backend.count("delete") == 0


def test_the_interval_is_kept_and_shutdown_saves_what_changed(tmp_path: Path) -> None:
    clock, cold = ManualClock(NOW), tmp_path / "cold"
    memory = open_far(tmp_path / "store", cold, clock, tiered_storage={"cold": {"backup_interval_seconds": 600.0}})
    with memory:
        mover = mover_of(memory)
        memory["key"] = "value"
        mover.checkpoint()
        mover.carrier.step(no_pause)
        assert len(parts_in(cold)) == 1, "there was none yet"
        memory["key"] = "another"
        mover.checkpoint()
        clock.advance(599)
        mover.carrier.step(no_pause)
        assert len(parts_in(cold)) == 1
        clock.advance(2)
        mover.carrier.step(no_pause)
        assert len(parts_in(cold)) == 2
        memory["late"] = "value"
        clock.advance(100)
    assert len(parts_in(cold)) == 3
    result = restored(cold, tmp_path / "new")
    assert (result.keys, sorted(result.missing), result.saved) == (0, ["key", "late"], NOW + 701)


def test_shutdown_waits_for_no_base_and_says_what_is_not_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, cold = ManualClock(NOW), tmp_path / "cold"
    with OptimizationMiddleware(path=tmp_path / "store", clock=clock) as memory:
        memory["key"] = "stored before there were backups"
    with open_far(tmp_path / "store", cold, clock) as memory:
        memory["late"] = "value"
    assert parts_in(cold) == []
    assert "are not in" in caplog.text
    with open_far(tmp_path / "store", cold, clock) as memory:
        memory.maintain()
    assert sorted(restored(cold, tmp_path / "new").missing) == ["key", "late"]


def test_an_empty_store_can_be_restored(tmp_path: Path) -> None:
    with open_far(tmp_path / "store", tmp_path / "cold") as memory:
        mover_of(memory).carrier.save(no_pause, settle=False)
    assert restored(tmp_path / "cold", tmp_path / "new").keys == 0
    with open_far(tmp_path / "new", tmp_path / "cold") as memory:
        assert len(memory) == 0


# -- a base that is interrupted ------------------------------------------------------------------------------


@pytest.mark.parametrize("reopened", [False, True], ids=["stopped", "and reopened"])
def test_a_base_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reopened: bool) -> None:
    monkeypatch.setattr(backup, "PART_BYTES", 2000)
    bucket, clock = Bucket(), ManualClock(NOW)
    store = open_life(tmp_path / "store", bucket, clock)
    changes: dict[str, int | None] = {f"key:{n}": n for n in range(60)}
    changes |= {f"more:{n}": n % 90 for n in range(12_000)}
    chance = random.Random(1)
    live(store, bucket, Step("store_many", changes), chance)
    mover = store.mover
    assert mover is not None
    assert mover.carrier.backup is not None
    mover.checkpoint()
    with store.parts.catalog.write(NOW) as transaction:
        transaction.set_meta("backup", None)  # as after another tier was configured: it begins with a base
    pauses = 0

    def stop() -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 40:
            raise StoppedError

    with pytest.raises(StoppedError):
        mover.carrier.backup.run(stop)
    left = [name for name in bucket.objects() if name.startswith(PREFIX)]
    assert left
    assert bucket.newest(bucket.objects()) is None
    if reopened:
        store.close()
        store = open_life(tmp_path / "store", bucket, clock)
        mover = store.mover
        assert mover is not None
    assert mover.carrier.backup is not None
    assert mover.carrier.backup.is_due(), "though nothing has changed since"
    mover.carrier.save(no_pause, settle=False)
    assert set(left) <= set(bucket.objects()), "what was written before the stop is part of it"
    check_restored(bucket, bucket.objects(), tmp_path / "new")
    store.close()


def test_a_rebase_that_was_stopped_is_finished_though_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "LONGEST_CHAIN", 2)
    bucket, clock, chance = Bucket(), ManualClock(NOW), random.Random(1)
    store = open_life(tmp_path / "store", bucket, clock)
    for number in range(2):
        live(store, bucket, Step("store", {f"key:{number}": number}), chance)
        live(store, bucket, Step("settle", {}), chance)
    live(store, bucket, Step("store", {"key:9": 9}), chance)
    mover = store.mover
    assert mover is not None
    assert mover.carrier.backup is not None
    mover.checkpoint()
    assert len([name for name in bucket.objects() if name.startswith(PREFIX)]) >= 2

    def stop() -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        mover.carrier.backup.run(stop)
    store.close()
    store = open_life(tmp_path / "store", bucket, clock)
    mover = store.mover
    assert mover is not None
    mover.carrier.save(no_pause, settle=False)
    store.close()
    newest = bucket.newest(bucket.objects())
    assert newest is not None
    assert "key:9" in bucket.models[newest]
    check_restored(bucket, bucket.objects(), tmp_path / "new")


def test_many_changes_make_many_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "PART_BYTES", 1500)
    with open_far(tmp_path / "store", tmp_path / "cold") as memory:
        memory.store_many({f"key:{n}": n % 50 for n in range(15_000)})
        memory.maintain(settle=True)
        lose(memory)
    largest = max(sizes(tmp_path / "cold").values())
    assert len(parts_in(tmp_path / "cold")) > 2
    assert largest < sum(sizes(tmp_path / "cold").values()) / 2
    result = restored(tmp_path / "cold", tmp_path / "new")
    assert (result.keys, result.missing, result.damaged) == (15_000, [], [])


# -- what is past --------------------------------------------------------------------------------------------


def test_the_chain_is_written_anew_when_it_has_grown_and_the_past_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "LEAST_GROWTH_BYTES", 4000)
    cold = tmp_path / "cold"
    with open_far(tmp_path / "store", cold) as memory:
        seen, lengths = set(), []
        for turn in range(30):
            memory.store_many(dict.fromkeys(records(40, turn * 40), turn))
            memory.maintain()
            seen |= set(parts_in(cold))
            lengths.append(len(parts_in(cold)))
        assert max(lengths) > min(lengths[5:])
        assert len(seen) > len(parts_in(cold))
        memory.maintain(settle=True)
        lose(memory)
    result = restored(cold, tmp_path / "new")
    assert (result.keys, result.missing, result.damaged) == (1200, [], [])


def test_names_of_deleted_keys_leave_the_bucket_in_time(tmp_path: Path) -> None:
    clock, cold = ManualClock(NOW), tmp_path / "cold"
    with open_far(tmp_path / "store", cold, clock, storage={"erase_within_days": 30}) as memory:
        memory.store_many({"secret:name": 1, "kept": 2})
        memory.maintain(settle=True)
        clock.advance(DAY)
        del memory["secret:name"]
        memory.maintain(settle=True)
        assert named_in(cold, b"secret:name")
        mover = mover_of(memory)
        for _ in range(29 * 24):  # nothing else ever changes
            clock.advance(3600)
            mover.carrier.step(no_pause)
        assert not named_in(cold, b"secret:name")
        lose(memory)
    assert restored(cold, tmp_path / "new").keys == 1


def test_parts_that_a_crash_left_are_removed_by_the_next_opening(tmp_path: Path) -> None:
    clock, cold = ManualClock(NOW), tmp_path / "cold"
    with open_far(tmp_path / "store", cold, clock) as memory:
        memory["key"] = 1
        memory.maintain(settle=True)
        (first, *_) = parts_in(cold)
        memory["key"] = 2
        memory.maintain(settle=True)
    stray = cold / "catalog" / first.replace("-0000000001", "-0000000000")
    shutil.copy(cold / "catalog" / first, stray)
    with open_far(tmp_path / "store", cold, clock) as memory:
        memory.maintain()
        assert not stray.exists()
