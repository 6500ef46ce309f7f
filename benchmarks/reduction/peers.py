"""Owns compressing the same serialised values without a store: each alone, and all of them as one file.

A codec that makes a value larger is counted as it is. blosc2 gets arrays as arrays, for it shuffles their elements.
"""

from __future__ import annotations

import lzma
import zlib
from typing import TYPE_CHECKING, Any

import lz4.block
import numpy as np
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.reduction.corpora import Array

PEERS = ("zlib-6", "lz4", "zstd-3", "blosc2", "xz whole")


def peer_bytes(values: Iterable[Any], plaintexts: list[bytes]) -> dict[str, int | None]:
    """Return the bytes that each of `PEERS` needs; None for a library that is not there."""
    zstd = zstandard.ZstdCompressor(level=3)
    return {
        "zlib-6": sum(len(zlib.compress(text, 6)) for text in plaintexts),
        "lz4": sum(len(lz4.block.compress(text, store_size=False)) for text in plaintexts),
        "zstd-3": sum(len(zstd.compress(text)) for text in plaintexts),
        "blosc2": _blosc2(values, plaintexts),
        "xz whole": _xz(plaintexts),
    }


def _xz(plaintexts: list[bytes]) -> int:
    whole = lzma.LZMACompressor(preset=6)
    return sum(len(whole.compress(text)) for text in plaintexts) + len(whole.flush())


def _blosc2(values: Iterable[Any], plaintexts: list[bytes]) -> int | None:
    try:
        import blosc2
    except ImportError:
        return None

    def shuffled(filter_: Any) -> Callable[[bytes | Array, int], int]:
        settings = {"codec": blosc2.Codec.ZSTD, "clevel": 5, "filters": [filter_], "nthreads": 1}
        return lambda data, width: len(blosc2.compress2(data, typesize=width, **settings))

    ways = [shuffled(blosc2.Filter.SHUFFLE), shuffled(blosc2.Filter.BITSHUFFLE)]
    total = 0
    for value, text in zip(values, plaintexts, strict=True):
        arrays = _arrays(value)
        if not arrays:
            total += ways[0](text, 1)
        for array in arrays:
            width = array.itemsize if array.itemsize < 256 else 1
            total += min(way(array, width) for way in ways) if array.size else 0
    return total


def _arrays(value: Any) -> list[Array]:
    """Return the arrays that a value is made of; none where it is anything but an array or a sparse matrix."""
    if isinstance(value, np.ndarray):
        return [np.ascontiguousarray(value)]
    if hasattr(value, "indptr"):
        return [value.data, value.indices, value.indptr]
    return []
