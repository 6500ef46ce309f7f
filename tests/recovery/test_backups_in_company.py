"""Backups beside what they depend on: dictionaries, dead packs, other owners, other places, damage."""

from __future__ import annotations

import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.backends.directory import DirectoryBackend
from stratakv.engine.backup_format import DICTIONARY_PREFIX, PREFIX, read_head, read_rows
from stratakv.engine.backup_rows import dictionary_name
from stratakv.engine.worker import no_pause
from stratakv.errors import StoreLockedError
from stratakv.testing.faults import RecordingBackend
from tests.formats.test_old_stores import FOLDER as OLD_STORES
from tests.formats.test_old_stores import lossless_values
from tests.recovery.lost_machines import (
    COLD,
    NOW,
    lose,
    mover_of,
    open_far,
    packs_in,
    parts_in,
    records,
    restored,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path


DAY = 86_400


DAY = 86_400


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
        assert packs_in(cold) == packs, "the lost machine may come back and still know them"
    clock.advance(31 * 86_400)
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
