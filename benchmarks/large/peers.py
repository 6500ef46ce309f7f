"""Owns compressing the same versions without a store. Keeps what each way needs after every version."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

import zstandard
from pyfastcdc import FastCDC

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW_LOG = 27
CHUNK_BYTES = 4096
INDEX_BYTES = 40
"""What an index needs for a chunk at the least: its digest, a length and a place."""

PEERS = ("zstd-3 each", "zstd-19 each", "zstd-19 --long", "4 KB chunks")


def peer_bytes(versions: list[bytes]) -> dict[str, list[int]]:
    """Return for each of `PEERS` the bytes that it needs for the first version, the first two, and so on."""
    each = [_each(versions, 3), _each(versions, 19), _long(versions), _chunks(versions)]
    return {name: list(sizes) for name, sizes in zip(PEERS, each, strict=True)}


def _each(versions: list[bytes], level: int) -> Iterator[int]:
    compressor = zstandard.ZstdCompressor(level=level)
    return itertools.accumulate(len(compressor.compress(version)) for version in versions)


def _long(versions: list[bytes]) -> Iterator[int]:
    """All versions in one stream with a window of 128 MB: none can be read without those before it."""
    parameters = zstandard.ZstdCompressionParameters.from_level(19, window_log=WINDOW_LOG, enable_ldm=True)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    written = 0
    for version in versions:
        written += len(stream.compress(version)) + len(stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
        yield written


def _chunks(versions: list[bytes]) -> Iterator[int]:
    """Content-defined chunks, each compressed alone and kept once, and an index of them, as borg does."""
    compressor = zstandard.ZstdCompressor(level=3)
    seen: set[bytes] = set()
    written = 0
    for version in versions:
        chunker = FastCDC(CHUNK_BYTES, min_size=CHUNK_BYTES // 4, max_size=CHUNK_BYTES * 4)
        for chunk in chunker.cut_buf(version):
            content = bytes(chunk.data)
            digest = hashlib.sha256(content).digest()
            if digest not in seen:
                seen.add(digest)
                written += len(compressor.compress(content)) + INDEX_BYTES
        yield written
