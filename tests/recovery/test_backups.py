"""Backups as the bucket shows them: small when little changed, whole after any stop, and rid of what is erased."""

from __future__ import annotations

import random
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.backends.directory import DirectoryBackend
from stratakv.engine import backup
from stratakv.engine.backup_format import DICTIONARY_PREFIX, PREFIX, read_head, read_rows
from stratakv.engine.backup_rows import dictionary_name
from stratakv.engine.worker import StoppedError, no_pause
from stratakv.errors import StoreLockedError
from stratakv.testing.faults import RecordingBackend
from tests.crash.life import Step
from tests.formats.test_old_stores import FOLDER as OLD_STORES
from tests.formats.test_old_stores import lossless_values
from tests.recovery.lost_machines import (
    COLD,
    NOW,
    Bucket,
    check_restored,
    live,
    lose,
    open_far,
    open_life,
    packs_in,
    parts_in,
    restored,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.engine.mover import Mover

DAY = 86_400


def records(count: int, start: int = 0) -> dict[str, object]:
    return {f"session:{n:05d}": {"id": n, "text": f"what number {n} said, " * 3} for n in range(start, start + count)}


def mover_of(memory: OptimizationMiddleware) -> Mover:
    mover = memory.tiered_storage._store.mover
    assert mover is not None
    return mover


def sizes(cold: Path) -> dict[str, int]:
    return {name: (cold / "catalog" / name).stat().st_size for name in parts_in(cold)}


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


def test_the_interval_is_kept_and_shutdown_waits_for_no_backup(tmp_path: Path) -> None:
    clock, cold = ManualClock(NOW), tmp_path / "cold"
    memory = open_far(tmp_path / "store", cold, clock, tiered_storage={"cold": {"backup_interval_seconds": 600.0}})
    with memory:
        mover = mover_of(memory)
        memory["key"] = "value"
        mover.checkpoint()
        clock.advance(599)
        mover.carrier.step(no_pause)
        assert parts_in(cold) == []
        clock.advance(2)
        mover.carrier.step(no_pause)
        assert len(parts_in(cold)) == 1
        memory["key"] = "another"
        mover.checkpoint()
        clock.advance(300)
        mover.carrier.step(no_pause)
        assert len(parts_in(cold)) == 1
    assert len(parts_in(cold)) == 1, "what shutdown persists stays on this machine"
    result = restored(cold, tmp_path / "new")
    assert (result.keys, result.missing, result.saved) == (0, ["key"], NOW + 601)


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


# -- dictionaries --------------------------------------------------------------------------------------------


def test_dictionaries_reach_the_tier_before_packs_and_parts_that_name_them(tmp_path: Path) -> None:
    backend = RecordingBackend(DirectoryBackend(tmp_path / "cold", remote=True))
    config = OptimizationConfig(storage={"path": str(tmp_path / "store")})
    with OptimizationMiddleware(config=config, clock=ManualClock(NOW), backends={COLD: backend}) as memory:
        memory.store_many(records(1500))
        memory.maintain()
        memory.store_many(records(1500, 1500))
        memory.maintain(settle=True)
        rows = memory.tiered_storage._store.parts.catalog.rows("SELECT id, content FROM dictionaries")
        known = {dictionary_name(number, content) for number, content in rows}
        assert known
        puts = [call.name for call in backend.calls if call.call == "put"]
        saved: set[str] = set()
        present = {path.relative_to(tmp_path / "cold").as_posix() for path in (tmp_path / "cold").rglob("*.*")}
        for name in puts:
            if name.startswith(DICTIONARY_PREFIX):
                saved.add(name)
            elif name.startswith(PREFIX) and name in present:
                for table, rows in read_rows((tmp_path / "cold" / name).read_bytes(), name):
                    assert table != "dictionaries" or {row[3] for row in rows} <= saved
        assert known <= saved & present
        lose(memory)
    result = restored(tmp_path / "cold", tmp_path / "new")
    assert (result.keys, result.missing, result.damaged) == (3000, [], [])
    with open_far(tmp_path / "new", tmp_path / "cold") as memory:
        assert memory["session:02999"] == records(1, 2999)["session:02999"]


def test_a_dictionary_that_a_cold_pack_needs_outlives_a_restore(tmp_path: Path) -> None:
    # Stores without a remote tier may have put blobs into cold as they were encoded, with a dictionary.
    cold = tmp_path / "cold"
    with open_far(tmp_path / "store", cold) as memory:
        memory.store_many(records(1500))
        memory.maintain()
        memory.store_many(records(1500, 1500))
        memory.maintain(settle=True)
        catalog = memory.tiered_storage._store.parts.catalog
        with catalog.write(NOW) as transaction:
            for pack, dictionary in catalog.rows("SELECT p.id, d.id FROM packs p, dictionaries d WHERE p.tier = 3"):
                transaction.use_dictionaries(pack, [dictionary])
        memory["session:00000"] = "a change, so that there is a backup"
        memory.maintain()
        lose(memory)
    restored(cold, tmp_path / "new")
    with open_far(tmp_path / "new", cold) as memory:
        catalog = memory.tiered_storage._store.parts.catalog
        assert catalog.rows("SELECT count(*) FROM pack_dictionaries")[0][0] > 0


# -- owners and places ---------------------------------------------------------------------------------------


def test_another_machines_parts_and_packs_stay(tmp_path: Path) -> None:
    cold, clock = tmp_path / "cold", ManualClock(NOW)
    with open_far(tmp_path / "old", cold, clock) as memory:
        memory.store_many(records(20))
        memory.maintain(settle=True)
    shutil.copytree(tmp_path / "old", tmp_path / "kept")
    restored(cold, tmp_path / "new")
    with open_far(tmp_path / "new", cold, clock) as memory:
        memory.store_many(records(20, 20))
        memory.maintain(settle=True)
        theirs = set(parts_in(cold)), packs_in(cold)
    with open_far(tmp_path / "kept", cold, clock) as memory:  # the old machine comes back and takes the tier back
        for turn in range(3):
            clock.advance(100 * DAY)
            memory[f"turn:{turn}"] = turn
            memory.maintain(settle=True)
        assert len(memory) == 23
    assert theirs[0] <= set(parts_in(cold))
    assert theirs[1] <= packs_in(cold)


def test_whoever_lost_the_tier_writes_no_backup(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "old", cold) as old:
        old.store_many(records(20))
        old.maintain(settle=True)
        restored(cold, tmp_path / "new")
        with open_far(tmp_path / "new", cold) as new:
            new.store("whose", "the new one's", tier=COLD)
            new.maintain()
            before = set(parts_in(cold)), packs_in(cold)
            old["whose"] = "the old one's"
            with pytest.raises(StoreLockedError, match="taken by another owner"):
                old.maintain(settle=True)
            assert (set(parts_in(cold)), packs_in(cold)) == before
            assert new["whose"] == "the new one's"
            assert old["session:00003"] == records(20)["session:00003"], "reads go on"


def test_switched_off_and_on_again_backups_begin_with_a_base(tmp_path: Path) -> None:
    cold, clock = tmp_path / "cold", ManualClock(NOW)
    with open_far(tmp_path / "store", cold, clock) as memory:
        memory.store_many(records(40))
        memory.maintain(settle=True)
    before = set(parts_in(cold))
    with open_far(tmp_path / "store", cold, clock, tiered_storage={"cold": {"backups": None}}) as memory:
        memory.store_many(records(40, 40))
        memory.delete_many([f"session:{n:05d}" for n in range(20)])
        clock.advance(DAY)
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        assert set(parts_in(cold)) == before
        catalog = memory.tiered_storage._store.parts.catalog
        assert catalog.rows("SELECT name FROM doomed") == [], "without backups nothing holds dead packs up"
    with open_far(tmp_path / "store", cold, clock) as memory:
        memory.maintain()
        memory.maintain(settle=True)
        assert not before & set(parts_in(cold))
        lose(memory)
    result = restored(cold, tmp_path / "new")
    assert (result.keys, result.missing, result.damaged) == (60, [], [])


def test_packs_that_an_old_backup_names_outlast_a_pause_of_backups(tmp_path: Path) -> None:
    cold, clock = tmp_path / "cold", ManualClock(NOW)
    with open_far(tmp_path / "store", cold, clock) as memory:
        memory.store_many(records(40))
        memory.maintain(settle=True)
    packs = packs_in(cold)
    off = {"cold": {"backups": None}}
    with open_far(tmp_path / "store", cold, clock, tiered_storage=off) as memory:
        memory.clear()
        mover = mover_of(memory)
        mover.checkpoint()
        mover.collection.run(no_pause, settle=True)  # dead by now, and still in their grace period
    with open_far(tmp_path / "store", cold, clock) as memory:
        clock.advance(100 * DAY)
        mover_of(memory).carrier.dispose(no_pause, settle=False)
        assert packs_in(cold) == packs, "the only backup there is names them"
        memory.maintain()
        assert packs_in(cold) == set()


def test_another_place_gets_a_backup_of_its_own(tmp_path: Path) -> None:
    with open_far(tmp_path / "store", tmp_path / "cold") as memory:
        memory.store_many(records(40))
        memory.maintain(settle=True)
    shutil.copytree(tmp_path / "cold", tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved" / "catalog")
    with open_far(tmp_path / "store", tmp_path / "moved") as memory:
        memory.maintain()
        lose(memory)
    result = restored(tmp_path / "moved", tmp_path / "new")
    assert (result.keys, result.missing, result.damaged) == (40, [], [])


def test_a_store_of_an_older_release_with_backups_switched_on(tmp_path: Path) -> None:
    with tarfile.open(OLD_STORES / "store-1-lossless.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    cold = (tmp_path / "store" / "cold").rename(tmp_path / "cold")
    warm = {"warm": {"backend": "directory"}}
    with open_far(tmp_path / "store", cold, tiered_storage=warm) as memory:
        memory.maintain(settle=True)
        lose(memory)
    result = restored(cold, tmp_path / "new")
    expected = lossless_values()
    assert (result.keys, result.missing, result.damaged) == (len(expected), [], [])
    with open_far(tmp_path / "new", cold) as memory:
        assert sorted(memory.keys()) == sorted(expected)
        assert memory["message:17"] == expected["message:17"]
        assert (memory["array:fortran"] == expected["array:fortran"]).all()
        assert memory["tuple"] == expected["tuple"]


def test_dead_packs_that_the_lost_machine_left_are_removed_by_the_restored_store(tmp_path: Path) -> None:
    cold, clock = tmp_path / "cold", ManualClock(NOW)
    with open_far(tmp_path / "store", cold, clock) as memory:
        memory.store_many(records(40))
        memory.maintain(settle=True)
        packs = packs_in(cold)
        memory.clear()
        mover = mover_of(memory)
        mover.checkpoint()
        mover.collection.run(no_pause, settle=True)
        mover.carrier.save(no_pause, settle=True)
        assert packs_in(cold) == packs
        lose(memory)
    restored(cold, tmp_path / "new")
    with open_far(tmp_path / "new", cold, clock) as memory:
        memory.maintain(settle=True)
        assert packs_in(cold) == set(), "what was deleted does not stay for ever because a machine was lost"


def test_a_damaged_newest_part_is_passed_over(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with open_far(tmp_path / "store", cold) as memory:
        memory.store_many(records(10))
        memory.maintain(settle=True)
        memory.store_many(records(5, 10))
        memory.maintain(settle=True)
        lose(memory)
    newest = cold / "catalog" / parts_in(cold)[-1]
    content = newest.read_bytes()
    assert read_head(content, "it").complete
    newest.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    result = restored(cold, tmp_path / "new")
    assert result.keys + len(result.missing) == 10
    assert any("passed over" in sentence and newest.name in sentence for sentence in result.damaged)


def test_a_missing_part_in_the_middle_leaves_what_came_before(tmp_path: Path) -> None:
    bucket_files = tmp_path / "cold"
    with open_far(tmp_path / "store", bucket_files) as memory:
        for turn in range(4):
            memory[f"turn:{turn}"] = turn
            memory.maintain(settle=True)
        lose(memory)
    names = parts_in(bucket_files)
    (bucket_files / "catalog" / names[-2]).unlink()
    result = restored(bucket_files, tmp_path / "new")
    assert result.keys + len(result.missing) == 2, "as of the part before the one that is missing"
    assert any(f"{names[-2]} is missing" in sentence for sentence in result.damaged)
