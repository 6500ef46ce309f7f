"""The manifest of a large value: which chunks make its plaintext. Bytes only; owns their format.

A manifest is a blob like any other, of kind 1, and stands where the value's plaintext would. Little-endian:

    mark     2   0xC1 0x03: layouts of plaintexts begin with 0xC1, and none has this number
    version u8 (1), digest algorithm u8 (1 = SHA-256), number of chunks u32
    size    u64  bytes of the value's plaintext
    digest  32   the value's, by which it is known everywhere
    sizes        for each chunk u32: how many bytes of the plaintext it holds
    skips        for each chunk u16: bytes of the chunk before these (a piece of an array is an array itself)
    digests      for each chunk 32 bytes
    check   32   SHA-256 of all before

Invariant: sizes add up to the plaintext's, and the check holds, before anything of what is claimed is allocated.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import struct
from typing import NamedTuple

import numpy as np

from stratakv.engine.records import DIGEST_BYTES, DIGEST_SHA256
from stratakv.engine.serialization.layout import MANIFEST_MARK as MARK
from stratakv.errors import CorruptionError

PLAIN, MANIFEST = 0, 1
"""Kinds of blobs, on disk in journal entries and in the indexes of packs."""

FORMAT_VERSION = 1
HEAD = struct.Struct("<2sBBIQ32s")
_CHUNK_BYTES = 4 + 2 + DIGEST_BYTES


class Chunk(NamedTuple):
    """What a chunk is to a value.

    Attributes:
        digest: The chunk's own.
        size: Bytes of the value's plaintext that it holds.
        skip: Bytes of the chunk before them.
    """

    digest: bytes
    size: int
    skip: int


class Manifest:
    """The chunks of one value, in order.

    Args:
        digest: The value's.
        chunks: In the order of the plaintext; at least one.

    Attributes:
        size: Bytes of the value's plaintext.
    """

    __slots__ = ("_ends", "chunks", "digest", "size")

    def __init__(self, digest: bytes, chunks: list[Chunk]) -> None:
        self.digest = digest
        self.chunks = chunks
        self._ends = list(itertools.accumulate(chunk.size for chunk in chunks))
        self.size = self._ends[-1]

    def to_bytes(self) -> bytes:
        """Return the manifest's plaintext."""
        head = HEAD.pack(MARK, FORMAT_VERSION, DIGEST_SHA256, len(self.chunks), self.size, self.digest)
        sizes = np.array([chunk.size for chunk in self.chunks], "<u4").tobytes()
        skips = np.array([chunk.skip for chunk in self.chunks], "<u2").tobytes()
        content = b"".join((head, sizes, skips, *(chunk.digest for chunk in self.chunks)))
        return content + hashlib.sha256(content).digest()

    def between(self, start: int, stop: int) -> list[tuple[Chunk, int]]:
        """Return the chunks that hold plaintext bytes `start` to `stop`, each with where in the plaintext it begins."""
        found = []
        number = bisect.bisect_right(self._ends, start)
        while number < len(self.chunks) and self._ends[number] - self.chunks[number].size < stop:
            chunk = self.chunks[number]
            found.append((chunk, self._ends[number] - chunk.size))
            number += 1
        return found


def is_manifest(plaintext: bytes) -> bool:
    """Tell whether a blob's plaintext is a manifest; no value's begins like one."""
    return plaintext[:2] == MARK


def read_manifest(plaintext: bytes) -> Manifest:
    """Reverse `Manifest.to_bytes`.

    Raises:
        CorruptionError: The bytes are no manifest, or damaged.
    """
    if len(plaintext) < HEAD.size + _CHUNK_BYTES + DIGEST_BYTES or not is_manifest(plaintext):
        raise CorruptionError(f"{len(plaintext)} bytes are no manifest of a large value")
    _, version, algorithm, count, size, digest = HEAD.unpack_from(plaintext)
    if version != FORMAT_VERSION or algorithm != DIGEST_SHA256:
        raise CorruptionError("the manifest of a large value needs a later release of stratakv")
    end = HEAD.size + count * _CHUNK_BYTES
    if not count or end + DIGEST_BYTES != len(plaintext):
        raise CorruptionError(f"a manifest of {len(plaintext)} bytes claims {count} chunks")
    if hashlib.sha256(memoryview(plaintext)[:end]).digest() != plaintext[end:]:
        raise CorruptionError("the manifest of a large value is damaged")
    sizes = np.frombuffer(plaintext, "<u4", count, HEAD.size).tolist()
    skips = np.frombuffer(plaintext, "<u2", count, HEAD.size + 4 * count).tolist()
    first = HEAD.size + 6 * count
    digests = [plaintext[at : at + DIGEST_BYTES] for at in range(first, end, DIGEST_BYTES)]
    manifest = Manifest(digest, list(map(Chunk, digests, sizes, skips)))
    if manifest.size != size or min(sizes) == 0:
        raise CorruptionError(f"the chunks of a manifest make {manifest.size} bytes, not {size}")
    return manifest


def declared_digest(plaintext: bytes) -> bytes:
    """Return the digest of the value that a manifest stands for; errors as `read_manifest`."""
    return read_manifest(plaintext).digest
