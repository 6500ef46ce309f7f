"""Damage to what can be made anew (filter, snapshot, reserve, lock file, diskcache's database) costs no value."""

from __future__ import annotations

import logging
import os
import random
import shutil
from typing import TYPE_CHECKING

import apsw
import pytest

from stratakv import OptimizationMiddleware
from stratakv.backends.disk import DiskBackend
from stratakv.engine.catalog_schema import open_connection
from stratakv.engine.first_opening import CATALOG_FILE
from stratakv.engine.learning import FILTER_FILE
from stratakv.engine.ownership import LOCK_FILE
from stratakv.engine.snapshot import SNAPSHOT_FILE
from stratakv.errors import CorruptionError
from tests.damage.stored_layers import build_layers, copies, flip, judge, open_layers, pack_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATABASE = "warm/cache.db"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """Return a store that was closed in order, so that every aid is there."""
    directory = tmp_path_factory.mktemp("aids") / "store"
    expected = build_layers(directory)
    with open_layers(directory) as memory:
        memory.maintain()
    return directory, expected


DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "emptied": lambda file: os.truncate(file, 0),
    "overwritten": lambda file: file.write_bytes(random.Random(3).randbytes(file.stat().st_size or 100)),
    "first byte": lambda file: flip(file, 0),
    "last byte": lambda file: flip(file, file.stat().st_size - 1),
    "removed": lambda file: file.unlink(),
}


@pytest.mark.parametrize("kind", list(DAMAGE))
@pytest.mark.parametrize("aid", [FILTER_FILE, SNAPSHOT_FILE, "reserve"])
def test_a_damaged_aid_is_made_anew(
    template: tuple[Path, dict[str, object]], tmp_path: Path, aid: str, kind: str
) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    size = (copy / aid).stat().st_size
    DAMAGE[kind](copy / aid)
    with open_layers(copy) as memory:
        assert judge(memory, expected) == {}
        assert memory.dedup_engine.write("again", expected["warm:0"])[1], "known contents are known without the filter"
        assert not memory.dedup_engine.write("new", "quite another value")[1]
        memory.maintain()
        assert memory.get_statistics()["deduplication"]["bloom_filter_enabled"]
    if aid != SNAPSHOT_FILE:
        assert (copy / aid).stat().st_size == size
    with open_layers(copy) as memory:
        assert judge(memory, expected) == {}


def test_a_lock_file_full_of_rubbish_is_just_a_file(template: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    (copy / LOCK_FILE).write_bytes(b"\xff\x00 not a pid" * 100)
    with open_layers(copy) as memory:
        assert judge(memory, expected) == {}
    (copy / LOCK_FILE).unlink()
    with open_layers(copy) as memory:
        assert judge(memory, expected) == {}


def test_a_damaged_snapshot_is_named_to_a_reader_beside_the_owner(
    template: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    directory, _ = template
    copy = next(copies(directory, tmp_path))
    with open_layers(copy) as owner:
        for rubbish in (b"{", b"[1]", b"3", b"\xff\xfe"):
            (copy / SNAPSHOT_FILE).write_bytes(rubbish)
            with pytest.raises(CorruptionError, match=SNAPSHOT_FILE):
                OptimizationMiddleware(path=copy, read_only=True)
        owner.maintain()
        with OptimizationMiddleware(path=copy, read_only=True) as reader:
            assert reader.get_statistics()["config"]["enabled"] is True


@pytest.mark.parametrize("kind", list(DAMAGE))
def test_a_damaged_diskcache_database_is_made_anew_from_the_packs(
    template: tuple[Path, dict[str, object]], tmp_path: Path, kind: str
) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    DAMAGE[kind](copy / DATABASE)
    for _ in range(2):
        with open_layers(copy) as memory:
            assert judge(memory, expected) == {}
    with open_layers(copy) as memory:
        memory.maintain(settle=True)
        assert judge(memory, expected) == {}
    assert pack_files(copy, "warm") == [], "all went to cold, and the files with them"


def test_any_flip_in_the_diskcache_database_costs_no_value(
    template: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    directory, expected = template
    content = (directory / DATABASE).read_bytes()
    chance = random.Random(5)
    row = content.rindex(b".val")
    used = [position for position, byte in enumerate(content) if byte]
    fresh = copies(directory, tmp_path)
    for position in [row - 3, row - 20, row + 1, row - 45, *chance.sample(used, 16)]:
        copy = next(fresh)
        flip(copy / DATABASE, position, 1 << chance.randrange(8))
        try:
            memory = open_layers(copy)
        except CorruptionError:
            continue  # named, and nothing was removed
        with memory:
            assert judge(memory, expected) == {}, position


def test_rows_lost_with_a_write_ahead_log_do_not_take_their_packs_along(
    template: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    names = {pack.name for pack in pack_files(copy, "warm")}
    backend = DiskBackend(copy / "warm")
    rows = backend._rows._sql
    rows("DELETE FROM Cache").fetchall()
    backend.close()
    with open_layers(copy) as memory:
        assert judge(memory, expected) == {}
    assert len(pack_files(copy, "warm")) == len(names)


def records(seed: int, count: int = 900) -> dict[str, object]:
    chance = random.Random(seed)
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    return {
        f"{seed}:{n}": {"id": n, "words": [chance.choice(words) for _ in range(8)], "text": f"event {n} of {seed}" * 3}
        for n in range(count)
    }


def test_a_damaged_dictionary_costs_only_what_was_encoded_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store"
    first, later, cold = records(1), records(2), records(3)
    with open_layers(path) as memory:
        for values in (cold, first):
            for key, value in values.items():
                memory[key] = value
            memory.maintain(settle=values is cold)
        assert memory.get_statistics()["compression"]["dictionaries"]
        for key, value in later.items():
            memory[key] = value
        memory.maintain()
        expected = first | later | cold
        assert judge(memory, expected) == {}
    connection = open_connection(path / CATALOG_FILE, create=False)
    connection.execute("UPDATE dictionaries SET content = zeroblob(length(content))")
    connection.close()
    with caplog.at_level(logging.WARNING, "stratakv"), open_layers(path) as memory:
        damaged = judge(memory, expected)
        assert damaged
        assert not set(damaged) & set(cold), "the cold tier needs no dictionary"
        assert all("dictionary" in message and "packs/" in message for message in damaged.values())
        for key in damaged:
            memory[key] = expected[key]
        memory.maintain()
        assert judge(memory, expected) == {}
    assert "dictionary 1 cannot be used" in caplog.text
    with open_layers(path) as memory:
        memory.maintain(settle=True)
        assert judge(memory, expected) == {}


def test_a_damaged_dictionary_page_does_not_close_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_layers(path) as memory:
        for seed in (1, 2):
            for key, value in records(seed).items():
                memory[key] = value
            memory.maintain()
        memory["plain"] = 1
    connection = open_connection(path / CATALOG_FILE, create=False)
    (content,) = connection.execute("SELECT content FROM dictionaries").fetchone() or (b"",)
    connection.close()
    position = (path / CATALOG_FILE).read_bytes().index(content[-300:-100])
    flip(path / CATALOG_FILE, position)
    copy = tmp_path / "copy"
    shutil.copytree(path, copy)
    with pytest.raises(apsw.Error):
        open_connection(copy / CATALOG_FILE, create=False).execute("SELECT content FROM dictionaries").fetchall()
    with open_layers(path) as memory:
        assert memory["plain"] == 1
        assert judge(memory, records(1)) == {}, "made before there was a dictionary"
        assert judge(memory, records(2))
