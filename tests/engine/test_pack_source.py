"""Entries of packs whose indexes RAM has no room for: read alone, and damage in them is found all the same."""

from __future__ import annotations

import pytest

from stratakv.backends.memory import MemoryBackend
from stratakv.engine.catalog_rows import PackRow
from stratakv.engine.codecs.base import Encoded
from stratakv.engine.pack_source import INDEX_CACHE_BYTES, PackSource
from stratakv.engine.packs import BLOCK, PackBuilder, entry_place
from stratakv.errors import CorruptionError
from stratakv.testing import RecordingBackend

PACKS = 3
BLOCKS = 2 * INDEX_CACHE_BYTES // BLOCK.size // 3
"""So many that the indexes of two packs are more than there is room for."""


class Packs:
    """Packs of many small blocks in one backend near by."""

    def __init__(self) -> None:
        self.inner = MemoryBackend()
        self.backend = RecordingBackend(self.inner)
        self.rows: dict[int, PackRow] = {}
        for number in range(PACKS):
            builder = PackBuilder(2, bytes(16))
            for block in range(BLOCKS):
                builder.add(Encoded(1, 0, 4, (number * BLOCKS + block).to_bytes(4, "big")), 0, [4])
            content, index_offset, digest = builder.finish()
            self.inner.put(f"packs/{number}", content)
            place = (f"packs/{number}", len(content), index_offset, digest)
            self.rows[number] = PackRow(number, 2, *place, 4 * BLOCKS, 4 * BLOCKS, BLOCKS, 0, 0, None)
        self.source = PackSource({2: self.backend}, self.rows.get, lambda _pack: None, lambda _pack: None)

    def read(self, pack: int, block: int) -> bytes:
        row, entry = self.source.entry(pack, block)
        return self.source.payload(row, entry, None).payload

    def damage(self, pack: int, at: int, new: bytes) -> None:
        content = bytearray(self.inner.get(f"packs/{pack}"))
        content[at : at + len(new)] = new
        self.inner.put(f"packs/{pack}", bytes(content))


@pytest.fixture(scope="module")
def packs() -> Packs:
    return Packs()


def test_every_block_is_read_whether_its_index_has_room_or_not(packs: Packs) -> None:
    for pack in (0, 1, 2, 1, 0):
        for block in (0, 7, BLOCKS - 1):
            assert packs.read(pack, block) == (pack * BLOCKS + block).to_bytes(4, "big")
    assert packs.source.ram_bytes < INDEX_CACHE_BYTES


def test_reads_of_packs_without_room_take_few_bytes(packs: Packs) -> None:
    packs.read(0, 0)
    packs.backend.calls.clear()
    for block in range(100):
        packs.read(1 + block % 2, block)
    assert sum(call.size for call in packs.backend.calls) < 100 * 200


@pytest.mark.parametrize("field", ["offset", "length", "checksum"])
def test_a_damaged_entry_gives_an_error_and_never_other_bytes(field: str) -> None:
    packs = Packs()
    packs.read(0, 0)
    at = packs.rows[1].index_offset + entry_place(5) + {"offset": 0, "length": 8, "checksum": 32}[field]
    packs.damage(1, at, b"\xff\xff\xff")
    with pytest.raises(CorruptionError):
        packs.read(1, 5)
    assert packs.read(1, 6) == (BLOCKS + 6).to_bytes(4, "big")


def test_a_block_that_the_pack_has_not_is_an_error(packs: Packs) -> None:
    packs.read(0, 0)
    with pytest.raises(CorruptionError):
        packs.read(1, 10 * BLOCKS)
