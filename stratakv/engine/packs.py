"""Packs: many blobs in one immutable object. The only owner of the on-disk format of packs.

Knows bytes, not keys, backends or the catalog. Bytes, little-endian, version 1:

    header   32  magic `SKVP`, version u8, tier u8, digest algorithm u8 (1 = SHA-256), 0 u8, store id 16, 8 zero
    blocks       the encoded payloads, one behind the other
    names        with flag 1 only: which keys named the blobs when they were packed (`pack_names`)
    index        magic `SKVI`, blocks u32, blobs u32, length of the sizes u32, flags u32 (1 = there are names);
                 for each block 36 bytes: offset u64, encoded length u32, plaintext length u32, codec u8,
                 transform u8 (0), encryption key id u8 (0), blob kind u8 (0 = plain, 1 = manifests of large values),
                 dictionary u32, namespace u32, checksum u64 (first half of MurmurHash3 x64 128 of the encoded payload);
                 with flag 1 28 bytes: offset of the names u64, encoded length u32, plain length u32, checksum u64 as of
                 a block, CRC-32 of all other bytes of the index u32;
                 the sizes: zlib of u32 columns, first the number of blobs of each block, then each blob's length
    footer   24  index offset u64, index length u32, 0 u32, CRC-32 of the 16 before, magic `SKVE`

The catalog keeps the index's SHA-256, so a changed index is found before it is believed, and a changed block before it
is decoded. With names the index has a checksum of its own too, for whoever has no catalog. Readers that know no flags
find blocks and sizes where they always were. All blobs of a block belong to one namespace.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import mmh3
import numpy as np

from stratakv.engine.codecs.base import Encoded
from stratakv.engine.large.manifest import MANIFEST
from stratakv.engine.pack_names import NAME_BYTES, Name, PackNames, decode_names, encode_names
from stratakv.engine.records import DIGEST_SHA256
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FORMAT_VERSION = 1
HEADER = struct.Struct("<4sBBBB16s8x")
BLOCK = struct.Struct("<QIIBBBBIIQ")
INDEX = struct.Struct("<4sIIII")
NAMES = struct.Struct("<QIIQI")
FOOTER = struct.Struct("<QIII4s")
MAX_BLOCK_BYTES = 0xFFFF_FFFF
HAS_NAMES = 1


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


def entry_place(number: int) -> int:
    """Return where in an index the entry of a block lies."""
    return INDEX.size + number * BLOCK.size


class NamesEntry(NamedTuple):
    """Where a pack's names lie; fields as in the module's docstring."""

    offset: int
    length: int
    size: int
    checksum: int


def checksum(payload: bytes) -> int:
    """Return the 64-bit checksum of an encoded block."""
    return mmh3.hash64(payload, signed=False)[0]


class PackBuilder:
    """Gathers blocks and makes the object.

    Args:
        tier: The tier's number.
        store_id: 16 bytes that name the store.
        label_of: Returns the name of a namespace's number; None for a pack without names.
    """

    def __init__(self, tier: int, store_id: bytes, label_of: Callable[[int], str] | None = None) -> None:
        self._parts = [HEADER.pack(b"SKVP", FORMAT_VERSION, tier, DIGEST_SHA256, 0, store_id)]
        self._blocks: list[bytes] = []
        self._sizes: list[list[int]] = []
        self._label_of = label_of
        self._names: list[Sequence[Name]] = []
        self._name_bytes = 0
        self._namespaces: set[int] = set()
        self._namespace_plaintext = 0
        self.length = HEADER.size
        self.dictionaries: set[int] = set()

    def add(
        self, encoded: Encoded, namespace: int, sizes: list[int], names: Sequence[Sequence[Name]] | None = None
    ) -> int:
        """Add a block whose plaintext is blobs of the given sizes, with the keys that name each; return its index."""
        payload = encoded.payload
        self._blocks.append(
            BLOCK.pack(
                self.length, len(payload), encoded.size, encoded.codec, 0, 0, encoded.kind, encoded.dictionary,
                namespace, checksum(payload),
            )
        )  # fmt: skip
        self._parts.append(payload)
        self._sizes.append(sizes)
        self._names += names if names is not None else [()] * len(sizes)
        self._name_bytes += sum(len(name.key) + NAME_BYTES for blob in names or () for name in blob)
        self._namespaces.add(namespace)
        self.length += len(payload)
        self._namespace_plaintext += encoded.size
        if encoded.dictionary:
            self.dictionaries.add(encoded.dictionary)
        return len(self._blocks) - 1

    @property
    def size(self) -> int:
        """About the bytes of the object if it were finished now, where it tells its keys; else those of its blocks.

        Sizes and names shrink to a fraction, which is not known before: a quarter and an eighth are on the safe side.
        """
        if self._label_of is None:
            return self.length
        return self.length + BLOCK.size * len(self._blocks) + len(self._names) + self._name_bytes // 8

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
        flags, names = 0, b""
        blocks = b"".join(self._blocks)
        if self._label_of is not None:
            flags = HAS_NAMES
            numbers = self._namespaces.union(name.namespace for blob in self._names for name in blob)
            names, size = encode_names(self._names, {number: self._label_of(number) for number in sorted(numbers)})
        head = INDEX.pack(b"SKVI", len(counts), sum(counts), len(sizes), flags) + blocks
        if flags:
            head += NAMES.pack(self.length, len(names), size, checksum(names), 0)[:-4]
            head += struct.pack("<I", zlib.crc32(sizes, zlib.crc32(head)))
        index = head + sizes
        offset = self.length + len(names)
        footer = struct.pack("<QII", offset, len(index), 0)
        footer += struct.pack("<I4s", zlib.crc32(footer), b"SKVE")
        content = b"".join((*self._parts, names, index, footer))
        return content, offset, hashlib.sha256(index).digest()


def find_index(content: bytes) -> tuple[int, int] | None:
    """Return (offset, length) of a pack's index, as its footer says; None where it is no whole pack."""
    if len(content) < HEADER.size + INDEX.size + FOOTER.size:
        return None
    offset, length, _, crc, magic = FOOTER.unpack_from(content, len(content) - FOOTER.size)
    whole = offset + length + FOOTER.size == len(content)
    if not whole or magic != b"SKVE" or crc != zlib.crc32(content[-FOOTER.size : -8]):
        return None
    return offset, length


def index_digest(content: bytes) -> bytes | None:
    """Return the SHA-256 of a pack's index, by which the catalog knows the pack; None where it is no whole pack."""
    found = find_index(content)
    if found is None:
        return None
    offset, length = found
    return hashlib.sha256(content[offset : offset + length]).digest()


class PackIndex:
    """A verified index.

    Args:
        index: Its bytes, without the footer.
        digest: What the catalog says of the index.
        name: The pack's name, for messages.

    Attributes:
        blocks: How many blocks the pack has.
        blobs: How many blobs.
        names: Where its names lie; None where it has none.

    Raises:
        CorruptionError: The bytes are not the index that the catalog knows.
    """

    __slots__ = ("_index", "_sizes_length", "blobs", "blocks", "name", "names")

    def __init__(self, index: bytes, digest: bytes, name: str) -> None:
        if len(index) < INDEX.size or hashlib.sha256(index).digest() != digest:
            raise CorruptionError(f"the index of pack {name} is damaged")
        magic, self.blocks, self.blobs, self._sizes_length, flags = INDEX.unpack_from(index)
        end = INDEX.size + self.blocks * BLOCK.size
        named = NAMES.size if flags & HAS_NAMES else 0
        if magic != b"SKVI" or end + named + self._sizes_length > len(index):
            raise CorruptionError(f"the index of pack {name} is shorter than it says")
        self.names = NamesEntry._make(NAMES.unpack_from(index, end)[:-1]) if named else None
        self._index = index
        self.name = name

    def block(self, number: int) -> Block:
        """Return a block's entry.

        Raises:
            CorruptionError: The pack has no such block.
        """
        if number >= self.blocks:
            raise CorruptionError(f"pack {self.name} has {self.blocks} blocks, none is number {number}")
        return Block._make(BLOCK.unpack_from(self._index, entry_place(number)))

    def sizes(self) -> list[list[int]]:
        """Return for each block the lengths of its blobs, in order.

        Raises:
            CorruptionError: They are not what the index says of them.
        """
        wanted = 4 * (self.blocks + self.blobs)
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(self._index[len(self._index) - self._sizes_length :], wanted + 1)
        except zlib.error as failure:
            raise CorruptionError(f"the sizes in the index of pack {self.name} are damaged") from failure
        if len(raw) != wanted or not inflater.eof:
            raise CorruptionError(f"the index of pack {self.name} has other sizes than it says")
        column = np.frombuffer(raw, dtype="<u4").tolist()
        counts, lengths = column[: self.blocks], column[self.blocks :]
        if sum(counts) != len(lengths):
            raise CorruptionError(f"the sizes in the index of pack {self.name} contradict themselves")
        result, start = [], 0
        for count in counts:
            result.append(lengths[start : start + count])
            start += count
        return result

    def is_whole(self) -> bool | None:
        """Tell whether the index agrees with its own checksum; None where it has none."""
        if self.names is None:
            return None
        end = INDEX.size + self.blocks * BLOCK.size + NAMES.size
        (crc,) = struct.unpack_from("<I", self._index, end - 4)
        return bool(crc == zlib.crc32(self._index[end:], zlib.crc32(self._index[: end - 4])))

    @property
    def content(self) -> bytes:
        """The index as it stands in the pack."""
        return self._index

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
    if block.transform or block.encryption or block.kind > MANIFEST:
        raise CorruptionError(f"a block of pack {pack} at byte {block.offset} needs a later release of stratakv")
    return Encoded(block.codec, block.dictionary, block.size, payload, block.kind)


def check_names(payload: bytes, index: PackIndex) -> PackNames:
    """Return the names of a pack whose index says where they lie.

    Raises:
        CorruptionError: The bytes are not those that were packed.
    """
    entry = index.names
    if entry is None:
        raise CorruptionError(f"pack {index.name} has no names")
    if len(payload) != entry.length or checksum(payload) != entry.checksum:
        raise CorruptionError(f"the names in pack {index.name} are damaged")
    names = decode_names(payload, entry.size)
    if len(names.blobs) != index.blobs:
        raise CorruptionError(f"pack {index.name} has {index.blobs} blobs, but names for {len(names.blobs)}")
    return names
