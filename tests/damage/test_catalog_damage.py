"""A damaged catalog: a named error or correct values; never a wrong value, a silent miss, another error or a hang."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv.engine.catalog_schema import open_connection
from stratakv.engine.first_opening import CATALOG_FILE
from stratakv.errors import CorruptionError
from tests.damage.stored_layers import build_layers, copies, flip, judge, open_layers

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 40
PAGE = 4096


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """Return a store whose catalog is one file: its write-ahead log was folded in by an orderly shutdown."""
    directory = tmp_path_factory.mktemp("catalog") / "store"
    expected = build_layers(directory)
    with open_layers(directory) as memory:
        memory.maintain()
    return directory, expected


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """Return a store whose catalog's last transactions stand in its write-ahead log only."""
    directory = tmp_path_factory.mktemp("killed") / "store"
    return directory, build_layers(directory)


def survives(directory: Path, expected: dict[str, object]) -> int:
    """Open and read everything; return how many errors were named. Anything but a named error fails."""
    try:
        memory = open_layers(directory)
    except CorruptionError:
        return 1
    named = 0
    try:
        damaged = judge(memory, expected)
        named += len(damaged)
        if not damaged:
            assert len(memory) == len(expected)
            assert set(memory) == set(expected)
    except CorruptionError:
        named += 1
    finally:
        try:
            memory.shutdown()
        except CorruptionError:
            named += 1
    return named


def test_a_flipped_byte_anywhere_is_named_or_harmless(template: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, expected = template
    size = (directory / CATALOG_FILE).stat().st_size
    chance = random.Random(20)
    fresh = copies(directory, tmp_path)
    named = 0
    for position in [*range(0, 100, 9), *(chance.randrange(size) for _ in range(ROUNDS))]:
        copy = next(fresh)
        flip(copy / CATALOG_FILE, position, 1 << chance.randrange(8))
        named += bool(survives(copy, expected))
    assert named > ROUNDS // 2, "the pages carry checksums, so most damage is found"


def test_pages_that_do_not_match_are_said_to_be_damaged_and_not_the_disk(
    template: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    directory = shutil.copytree(template[0], tmp_path / "store")
    content = bytearray((directory / CATALOG_FILE).read_bytes())
    for page in range(PAGE, len(content) - PAGE, PAGE):
        content[page + 100] ^= 255
    (directory / CATALOG_FILE).write_bytes(content)
    with pytest.raises(CorruptionError, match="a page does not match its checksum"):
        open_layers(directory)


@pytest.mark.parametrize("filler", [b"\x00", b"\xff"], ids=["zeros", "ones"])
def test_an_overwritten_page_is_named_or_harmless(
    template: tuple[Path, dict[str, object]], tmp_path: Path, filler: bytes
) -> None:
    directory, expected = template
    pages = (directory / CATALOG_FILE).stat().st_size // PAGE
    fresh = copies(directory, tmp_path)
    for page in range(pages):
        copy = next(fresh)
        with (copy / CATALOG_FILE).open("r+b") as file:
            file.seek(page * PAGE)
            file.write(filler * PAGE)
        survives(copy, expected)


def test_a_catalog_cut_short_is_named(template: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, expected = template
    size = (directory / CATALOG_FILE).stat().st_size
    fresh = copies(directory, tmp_path)
    for length in [0, 1, 15, 16, 100, 511, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, size // 2, size - PAGE - 1, size - 1]:
        copy = next(fresh)
        os.truncate(copy / CATALOG_FILE, length)
        named = survives(copy, expected)
        assert named or length > size - PAGE, f"cut to {length} bytes unnoticed"


def test_a_damaged_write_ahead_log_is_named_or_harmless(killed: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, expected = killed
    log = directory / (CATALOG_FILE + "-wal")
    size = log.stat().st_size
    assert size > 2 * PAGE
    chance = random.Random(21)
    fresh = copies(directory, tmp_path)
    for position in [0, 12, 31, 40, *(chance.randrange(size) for _ in range(25))]:
        copy = next(fresh)
        flip(copy / log.name, position)
        survives(copy, expected)
    for length in [0, 10, 32, *(chance.randrange(size) for _ in range(10))]:
        copy = next(fresh)
        os.truncate(copy / log.name, length)
        survives(copy, expected)
    copy = next(fresh)
    (copy / log.name).unlink()
    survives(copy, expected)


@pytest.mark.parametrize("state", ["closed", "killed"])
def test_a_lost_catalog_is_not_an_empty_store(
    template: tuple[Path, dict[str, object]], killed: tuple[Path, dict[str, object]], tmp_path: Path, state: str
) -> None:
    directory, expected = template if state == "closed" else killed
    copy = next(copies(directory, tmp_path))
    kept = tmp_path / "kept"
    kept.mkdir()
    for suffix in ("", "-wal", "-shm"):
        file = copy / (CATALOG_FILE + suffix)
        if file.exists():
            shutil.move(file, kept / file.name)
    before = contents(copy)
    for _ in range(2):
        with pytest.raises(CorruptionError, match=CATALOG_FILE):
            open_layers(copy)
        assert contents(copy) == before, "nothing is made or removed before the catalog is back"
    for file in kept.iterdir():
        shutil.move(file, copy / file.name)
    with open_layers(copy) as memory:
        assert judge(memory, expected) == {}


def test_a_catalog_whose_making_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.mkdir(mode=0o700)
    open_connection(path / CATALOG_FILE, create=True).close()
    assert (path / CATALOG_FILE).stat().st_size > 0
    with open_layers(path) as memory:
        memory["key"] = "value"
    with open_layers(path) as memory:
        assert memory["key"] == "value"


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file() and path.name != "LOCK"
    }
