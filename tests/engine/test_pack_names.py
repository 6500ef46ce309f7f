"""Packs tell their keys: to the byte as documented, whatever the keys are, and damage in them costs no value."""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratakv.engine.codecs.base import Encoded
from stratakv.engine.codecs.zstd import ZstdFrames
from stratakv.engine.pack_names import HEAD, Name, PackNames, decode_names, encode_names
from stratakv.engine.packs import (
    BLOCK,
    FOOTER,
    HEADER,
    INDEX,
    NAMES,
    PackBuilder,
    PackIndex,
    check_block,
    check_names,
    checksum,
)
from stratakv.engine.records import encode_key
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable

STORE = bytes(range(16))
NAME = st.builds(
    Name,
    key=st.text(max_size=12, alphabet=st.characters()).map(encode_key),
    version=st.integers(0, 2**64 - 1),
    namespace=st.integers(0, 2**32 - 1),
    expires=st.integers(0, 2**63 - 1),
)
LABELS = st.dictionaries(
    st.integers(0, 2**32 - 1), st.text(max_size=30, alphabet=st.characters(codec="utf-8")), max_size=4
)


def raw(plaintext: bytes) -> Encoded:
    return Encoded(1, 0, len(plaintext), plaintext)


def build(label_of: Callable[[int], str] | None = None, names: list[list[Name]] | None = None) -> tuple[bytes, int]:
    builder = PackBuilder(3, STORE, label_of)
    builder.add(raw(b"firstsecond"), 0, [5, 6], names[:2] if names else None)
    builder.add(raw(b"third"), 7, [5], names[2:] if names else None)
    content, offset, digest = builder.finish()
    assert hashlib.sha256(content[offset : -FOOTER.size]).digest() == digest
    return content, offset


def index_of(content: bytes, offset: int) -> PackIndex:
    index = content[offset : -FOOTER.size]
    return PackIndex(index, hashlib.sha256(index).digest(), "p")


@given(st.lists(st.lists(NAME, max_size=3), max_size=6), LABELS)
def test_names_come_back_as_they_were(blobs: list[list[Name]], labels: dict[int, str]) -> None:
    payload, size = encode_names(blobs, labels)
    assert decode_names(payload, size) == PackNames(labels, [tuple(blob) for blob in blobs])


def test_names_of_a_thousand_keys_take_a_few_bytes_each() -> None:
    blobs = [[Name(encode_key(f"session:{number:05d}"), 5000 + number * 3, 2, 0)] for number in range(1000)]
    assert len(encode_names(blobs, {2: "sessions"})[0]) < 6000


def test_what_is_no_names_section_is_damage() -> None:
    frames = ZstdFrames()
    payload, size = encode_names([[Name(b"skey", 1, 2, 3)], []], {2: "label"})
    plain = frames.decode(payload, size)
    chance = random.Random(5)
    damaged = [b"", plain[:-1], plain + b"x", plain[: HEAD.size], HEAD.pack(2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1)]
    for _ in range(400):
        altered = bytearray(plain)
        for _ in range(chance.randint(1, 4)):
            altered[chance.randrange(len(altered))] = chance.randrange(256)
        damaged.append(bytes(altered))
    refused = 0
    for altered_plain in damaged:
        try:
            names = decode_names(frames.encode(altered_plain, 3), len(altered_plain))
        except CorruptionError:
            refused += 1
        else:
            assert len(names.blobs) == HEAD.unpack_from(altered_plain)[0]
            assert sum(map(len, names.blobs)) == HEAD.unpack_from(altered_plain)[1]
    assert refused >= 5
    for cut in range(len(payload)):
        with pytest.raises(CorruptionError):
            decode_names(payload[:cut], size)


def test_a_pack_without_names_is_what_it_always_was() -> None:
    content, _ = build()
    header = HEADER.pack(b"SKVP", 1, 3, 1, 0, STORE)
    blocks = BLOCK.pack(32, 11, 11, 1, 0, 0, 0, 0, 0, checksum(b"firstsecond"))
    blocks += BLOCK.pack(43, 5, 5, 1, 0, 0, 0, 0, 7, checksum(b"third"))
    sizes = zlib.compress(struct.pack("<5I", 2, 1, 5, 6, 5), 6)
    index = INDEX.pack(b"SKVI", 2, 3, len(sizes), 0) + blocks + sizes
    footer = struct.pack("<QII", 48, len(index), 0)
    footer += struct.pack("<I4s", zlib.crc32(footer), b"SKVE")
    assert content == header + b"firstsecondthird" + index + footer
    assert index_of(content, 48).names is None


def test_names_leave_blocks_and_sizes_where_readers_of_no_names_look() -> None:
    names = [[Name(b"sa", 1, 0, 0), Name(b"sb", 2, 4, 9)], [], [Name(b"sc", 3, 4, 0)]]
    content, offset = build(lambda number: f"label {number}", names)
    plain, plain_offset = build()
    blocks, blobs, sizes_length, flags = INDEX.unpack_from(content, offset)[1:]
    assert (blocks, blobs, flags) == (2, 3, 1)
    table = slice(INDEX.size, INDEX.size + 2 * BLOCK.size)
    index, plain_index = content[offset : -FOOTER.size], plain[plain_offset : -FOOTER.size]
    assert index[table] == plain_index[table]
    assert zlib.decompress(index[-sizes_length:]) == struct.pack("<5I", 2, 1, 5, 6, 5)
    read = index_of(content, offset)
    assert read.sizes() == [[5, 6], [5]]
    assert read.is_whole()
    assert read.names is not None
    assert read.names.offset + read.names.length == offset
    payload = content[read.names.offset : offset]
    told = check_names(payload, read)
    assert told.blobs == [tuple(blob) for blob in names]
    assert told.labels == {0: "label 0", 4: "label 4", 7: "label 7"}
    for number in range(2):
        block = read.block(number)
        check_block(content[block.offset : block.offset + block.length], block, "p")


def test_each_changed_byte_of_names_and_of_their_place_is_found() -> None:
    content, offset = build(str, [[Name(b"sa", 1, 0, 0)], [], [Name(b"sc", 3, 4, 0)]])
    read = index_of(content, offset)
    assert read.names is not None
    payload = content[read.names.offset : offset]
    for position in range(len(payload)):
        altered = bytearray(payload)
        altered[position] ^= 0x10
        with pytest.raises(CorruptionError):
            check_names(bytes(altered), read)
    index = content[offset : -FOOTER.size]
    entry = INDEX.size + 2 * BLOCK.size
    for position in range(INDEX.size, entry + NAMES.size):
        altered = bytearray(index)
        altered[position] ^= 0x10
        changed = PackIndex(bytes(altered), hashlib.sha256(altered).digest(), "p")
        assert changed.is_whole() is False, position


def test_an_index_that_claims_too_much_is_damage() -> None:
    content, offset = build(str)
    index = content[offset : -FOOTER.size]
    for blocks, blobs, sizes in ((2**32 - 1, 3, 5), (2, 3, 2**32 - 1)):
        altered = INDEX.pack(b"SKVI", blocks, blobs, sizes, 1) + index[INDEX.size :]
        with pytest.raises(CorruptionError):
            PackIndex(altered, hashlib.sha256(altered).digest(), "p")
    for blobs in (0, 2**32 - 1):
        altered = INDEX.pack(b"SKVI", 2, blobs, INDEX.unpack_from(index)[3], 1) + index[INDEX.size :]
        with pytest.raises(CorruptionError):
            PackIndex(altered, hashlib.sha256(altered).digest(), "p").sizes()
