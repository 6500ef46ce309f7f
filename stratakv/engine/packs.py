"""Packs: many blobs in one immutable object. The only owner of the on-disk format of packs.

Knows bytes, not keys, backends or the catalog. Bytes, little-endian, version 1:

    header   32  magic `SKVP`, version u8, tier u8, digest algorithm u8 (1 = SHA-256), 0 u8, store id 16, 8 zero
    blocks       the encoded payloads, one behind the other
    index        magic `SKVI`, blocks u32, blobs u32, length of the sizes u32, flags u32 (0);
                 for each block 36 bytes: offset u64, encoded length u32, plaintext length u32, codec u8,
                 transform u8 (0), encryption key id u8 (0), blob kind u8 (0 = plain), dictionary u32, namespace u32,
                 checksum u64 (first half of MurmurHash3 x64 128 of the encoded payload);
                 the sizes: zlib of u32 columns, first the number of blobs of each block, then each blob's length
    footer   24  index offset u64, index length u32, 0 u32, CRC-32 of the 16 before, magic `SKVE`

The catalog keeps the index's SHA-256, so a changed index is found before it is believed, and a changed block before it
is decoded. All blobs of a block belong to one namespace.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import NamedTuple

import mmh3
import numpy as np

from stratakv.engine.codecs.base import Encoded
from stratakv.engine.records import DIGEST_SHA256
from stratakv.errors import CorruptionError

FORMAT_VERSION = 1
HEADER = struct.Struct("<4sBBBB16s8x")
BLOCK = struct.Struct("<QIIBBBBIIQ")
INDEX = struct.Struct("<4sIIII")
FOOTER = struct.Struct("<QIII4s")
MAX_BLOCK_BYTES = 0xFFFF_FFFF


def pack_prefix(store_id: bytes) -> str:
    """Return what the names of a store's packs begin with: stores that share a backend never touch each other's."""
    return f"packs/{store_id.hex()[:16]}/"


class Block(NamedTuple):
    """One block of an index; fields as in the module's docstring."""

    offset: int
    length: int
    size: int
    codec: int
    transform: int
    encryption: int
    kind: int
    dictionary: int
    namespace: int
    checksum: int


def checksum(payload: bytes) -> int:
    """Return the 64-bit checksum of an encoded block."""
    return mmh3.hash64(payload, signed=False)[0]


class PackBuilder:
    """Gathers blocks and makes the object.

    Args:
        tier: The tier's number.
        store_id: 16 bytes that name the store.
    """

    def __init__(self, tier: int, store_id: bytes) -> None:
        self._parts = [HEADER.pack(b"SKVP", FORMAT_VERSION, tier, DIGEST_SHA256, 0, store_id)]
        self._blocks: list[bytes] = []
        self._sizes: list[list[int]] = []
        self._namespace_plaintext = 0
        self.length = HEADER.size
        self.dictionaries: set[int] = set()

    def add(self, encoded: Encoded, namespace: int, sizes: list[int]) -> int:
        """Add a block whose plaintext is blobs of the given sizes; return its index."""
        payload = encoded.payload
        self._blocks.append(
            BLOCK.pack(
                self.length, len(payload), encoded.size, encoded.codec, 0, 0, 0, encoded.dictionary, namespace,
                checksum(payload),
            )
        )  # fmt: skip
        self._parts.append(payload)
        self._sizes.append(sizes)
        self.length += len(payload)
        self._namespace_plaintext += encoded.size
        if encoded.dictionary:
            self.dictionaries.add(encoded.dictionary)
        return len(self._blocks) - 1

    @property
    def plaintext(self) -> int:
        """Plaintext bytes of all blocks."""
        return self._namespace_plaintext

    def __len__(self) -> int:
        return len(self._blocks)

    def finish(self) -> tuple[bytes, int, bytes]:
        """Return (the object, offset of its index, SHA-256 of the index)."""
        counts = [len(sizes) for sizes in self._sizes]
        column = np.array(counts + [size for sizes in self._sizes for size in sizes], dtype="<u4")
        sizes = zlib.compress(column.tobytes(), 6)
        index = b"".join((INDEX.pack(b"SKVI", len(counts), sum(counts), len(sizes), 0), b"".join(self._blocks), sizes))
        footer = struct.pack("<QII", self.length, len(index), 0)
        footer += struct.pack("<I4s", zlib.crc32(footer), b"SKVE")
        content = b"".join((*self._parts, index, footer))
        return content, self.length, hashlib.sha256(index).digest()


def index_digest(content: bytes) -> bytes | None:
    """Return the SHA-256 of a pack's index, by which the catalog knows the pack; None where it is no whole pack."""
    if len(content) < HEADER.size + INDEX.size + FOOTER.size:
        return None
    offset, length, _, crc, magic = FOOTER.unpack_from(content, len(content) - FOOTER.size)
    whole = offset + length + FOOTER.size == len(content)
    if not whole or magic != b"SKVE" or crc != zlib.crc32(content[-FOOTER.size : -8]):
        return None
    return hashlib.sha256(content[offset : offset + length]).digest()


class PackIndex:
    """A verified index.

    Args:
        tail: The object's bytes from the index's offset to its end.
        digest: What the catalog says of the index.
        name: The pack's name, for messages.

    Raises:
        CorruptionError: The bytes are not the index that the catalog knows.
    """

    __slots__ = ("_blobs", "_index", "_sizes_length", "blocks", "name")

    def __init__(self, tail: bytes, digest: bytes, name: str) -> None:
        index = tail[: -FOOTER.size]
        if len(tail) < INDEX.size + FOOTER.size or hashlib.sha256(index).digest() != digest:
            raise CorruptionError(f"the index of pack {name} is damaged")
        _, self.blocks, self._blobs, self._sizes_length, _ = INDEX.unpack_from(index)
        self._index = index
        self.name = name

    def block(self, number: int) -> Block:
        """Return a block's entry.

        Raises:
            CorruptionError: The pack has no such block.
        """
        if number >= self.blocks:
            raise CorruptionError(f"pack {self.name} has {self.blocks} blocks, none is number {number}")
        return Block._make(BLOCK.unpack_from(self._index, INDEX.size + number * BLOCK.size))

    def sizes(self) -> list[list[int]]:
        """Return for each block the lengths of its blobs, in order."""
        raw = zlib.decompress(self._index[-self._sizes_length :]) if self._sizes_length else b""
        column = np.frombuffer(raw, dtype="<u4").tolist()
        counts, lengths = column[: self.blocks], column[self.blocks :]
        result, start = [], 0
        for count in counts:
            result.append(lengths[start : start + count])
            start += count
        return result

    @property
    def ram_bytes(self) -> int:
        """RAM held by the index."""
        return len(self._index) + 160


def check_block(payload: bytes, block: Block, pack: str) -> Encoded:
    """Return the block ready to decode.

    Raises:
        CorruptionError: The bytes are not those that were packed, or need a later release.
    """
    if len(payload) != block.length or checksum(payload) != block.checksum:
        raise CorruptionError(f"a block of pack {pack} at byte {block.offset} is damaged")
    if block.transform or block.encryption or block.kind:
        raise CorruptionError(f"a block of pack {pack} at byte {block.offset} needs a later release of stratakv")
    return Encoded(block.codec, block.dictionary, block.size, payload)
