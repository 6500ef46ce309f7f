"""A damaged manifest: its value cannot be read, whole or in part, and its key is named; its chunks serve the others."""

from __future__ import annotations

import io
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv.engine.large.manifest import MANIFEST
from stratakv.engine.packs import BLOCK, FOOTER, INDEX
from stratakv.errors import CorruptionError
from tests.damage.stored_layers import flip, pack_files
from tests.large.stores import check_references, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratakv import OptimizationMiddleware

PAGE = random.Random(1).randbytes(60_000)
SHORT, LONG = PAGE[:12_000], PAGE
"""Below and above what the journal takes."""
VERSIONS = {"short": SHORT, "short 2": SHORT + b"more", "long": LONG, "long 2": LONG + b"more"}


def manifest_blocks(pack: Path) -> list[int]:
    """Return where in a pack the blocks of manifests begin, read from its own index."""
    content = pack.read_bytes()
    index, *_ = FOOTER.unpack_from(content, len(content) - FOOTER.size)
    blocks = INDEX.unpack_from(content, index)[1]
    entries = [BLOCK.unpack_from(content, index + INDEX.size + number * BLOCK.size) for number in range(blocks)]
    return [offset for offset, _, _, _, _, _, kind, *_ in entries if kind == MANIFEST]


def damage_manifests(directory: Path, tier: str) -> int:
    """Flip a byte in every block of manifests; return how many there were."""
    found = 0
    for pack in pack_files(directory, tier):
        for offset in manifest_blocks(pack):
            flip(pack, offset + 20)
            found += 1
    return found


def read_as_file(memory: OptimizationMiddleware, key: str) -> bytes:
    """Open a value and read all of it."""
    with memory.open(key) as file:
        return file.read()


READS: dict[str, Callable[[OptimizationMiddleware, str], object]] = {
    "whole": lambda memory, key: memory.retrieve(key),
    "range": lambda memory, key: memory.retrieve_range(key, 100, 200),
    "file": read_as_file,
    "many": lambda memory, key: memory.retrieve_many([key]),
    "pop": lambda memory, key: memory.pop(key),
}


@pytest.mark.parametrize("reading", READS)
@pytest.mark.parametrize("tier", ["warm", "cold"])
def test_every_read_of_a_value_without_a_manifest_names_its_key(tmp_path: Path, tier: str, reading: str) -> None:
    with opened(tmp_path / "store") as memory:
        memory.store_many(VERSIONS)
        memory.maintain(settle=tier == "cold")
    assert damage_manifests(tmp_path / "store", tier) >= 1
    with opened(tmp_path / "store") as memory:
        for key in VERSIONS:
            with pytest.raises(CorruptionError, match=repr(key)):
                READS[reading](memory, key)
        assert sorted(memory) == sorted(VERSIONS)
        check_references(memory)


@pytest.mark.parametrize("again", ["stored", "streamed", "in a batch", "after a restart"])
def test_a_manifest_is_healed_by_a_new_store_of_its_value(tmp_path: Path, again: str) -> None:
    directory = tmp_path / "store"
    with opened(directory) as memory:
        memory.store_many(VERSIONS)
        memory.maintain()
    damage_manifests(directory, "warm")
    memory = opened(directory)
    for key in VERSIONS:
        with pytest.raises(CorruptionError):
            memory.retrieve(key)
    if again == "after a restart":
        memory.shutdown()
        memory = opened(directory)
    with memory:
        if again == "in a batch":
            memory.store_many(VERSIONS)
        for key, value in VERSIONS.items():
            if again == "streamed":
                memory.store_stream(key, io.BytesIO(value))
            elif again != "in a batch":
                memory[key] = value
        assert {key: memory[key] for key in memory} == VERSIONS, "healed as soon as it is acknowledged"
        memory.flush()
        shutil.copytree(directory, tmp_path / "killed")
        memory.maintain(settle=True)
        check_references(memory)
    for left in (directory, tmp_path / "killed"):
        for _ in range(2):
            with opened(left) as memory:
                assert {key: memory[key] for key in memory} == VERSIONS
                memory.maintain(settle=True)
                check_references(memory)


@pytest.mark.parametrize("damaged", ["manifest", "chunks"])
def test_what_a_reader_of_an_open_file_found_damaged_is_healed_like_any(tmp_path: Path, damaged: str) -> None:
    with opened(tmp_path / "store") as memory:
        memory["long"] = LONG
        memory.maintain()
    if damaged == "manifest":
        damage_manifests(tmp_path / "store", "warm")
    else:
        pack = max(pack_files(tmp_path / "store", "warm"), key=lambda path: path.stat().st_size)
        flip(pack, 3000)
    with opened(tmp_path / "store") as memory:
        with pytest.raises(CorruptionError, match="'long'"):
            read_as_file(memory, "long")
        assert memory.get_statistics()["background"]["corruptions"] == 1
        memory["long"] = LONG
        assert read_as_file(memory, "long") == LONG
        memory.maintain()
        assert read_as_file(memory, "long") == LONG
        check_references(memory)


def test_an_overwritten_or_deleted_key_takes_its_damage_along(tmp_path: Path) -> None:
    with opened(tmp_path / "store") as memory:
        memory.store_many(VERSIONS)
        memory.maintain()
    damage_manifests(tmp_path / "store", "warm")
    with opened(tmp_path / "store") as memory:
        memory["short"] = VERSIONS["long 2"][::-1]
        memory["long"] = 1
        assert memory.delete("short 2")
        assert memory.delete("long 2")
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        check_references(memory)
        assert {key: memory[key] for key in memory} == {"short": VERSIONS["long 2"][::-1], "long": 1}
