"""Owns keeping vectors in fewer bits without a model: steps of 8 and 4 bits, signs, float16.

Sizes are of blocks, each compressed by zstd-19 where that makes it smaller. Steps are a vector's greatest magnitude
divided by the greatest whole number; four bytes of each vector say it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import zstandard

from benchmarks.reduction.loss import NEAREST, recall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.reduction.corpora import Array, Neighbours
    from benchmarks.vectors.tables import Table

BLOCK_BYTES = 256 * 1024
CANDIDATES = 100
"""So many rows, nearest by their signs, are compared again by their steps of 8 bits."""


def block_rows(dimension: int) -> int:
    """Return how many vectors of float32 go into a block."""
    return max(1, BLOCK_BYTES // (4 * dimension))


def peers(table: Table) -> list[dict[str, Any]]:
    """Return a row for each way: its bytes, and what is found among what it leaves."""
    base, near = table.base, table.neighbours
    eight, four, signs = stepped(base, 127), stepped(base, 7), np.where(base < 0, -1, 1).astype(np.int8)
    half = base.astype(np.float16)
    ways: dict[str, tuple[Array, list[Array]]] = {
        "float16": (half.astype(np.float32), [half]),
        "int8": (restored(*eight), [*eight]),
        "int4": (restored(*four), [packed(four[0]), four[1]]),
        "binary": (signs.astype(np.float32), [np.packbits(signs > 0, axis=1)]),
    }
    rows: list[dict[str, Any]] = []
    for name, (after, parts) in ways.items():
        size, single = block_bytes(parts, base.shape[1]), sum(part[:1].nbytes for part in parts)
        rows.append({"way": name, "bytes": size, "single": single * len(base), "recall": recall(after, near)})
        if name != "binary":
            rows[-1] |= cosines(base, after)
    by_name = {row["way"]: row for row in rows}
    both = {size: by_name["binary"][size] + by_name["int8"][size] for size in ("bytes", "single")}
    found = rescored(signs.astype(np.float32), restored(*eight), near)
    return [*rows, {"way": "binary, then int8", **both, "recall": found}]


def stepped(base: Array, greatest: int) -> tuple[Array, Array]:
    """Return whole numbers up to a greatest one, and the step of each row."""
    steps = np.abs(base).max(axis=1, keepdims=True) / np.float32(greatest)
    return np.rint(base / np.where(steps > 0, steps, 1)).astype(np.int8), steps.astype(np.float32)


def restored(numbers: Array, steps: Array) -> Array:
    """Return the vectors of whole numbers."""
    result: Array = numbers.astype(np.float32) * steps
    return result


def packed(numbers: Array) -> Array:
    """Return two numbers of 4 bits a byte."""
    nibbles = (numbers + 8).astype(np.uint8)
    if nibbles.shape[1] % 2:
        nibbles = np.pad(nibbles, ((0, 0), (0, 1)))
    result: Array = nibbles[:, ::2] | (nibbles[:, 1::2] << 4)
    return result


def block_bytes(parts: list[Array], dimension: int) -> int:
    """Return the bytes of all blocks, each part of a block by itself."""
    compressor = zstandard.ZstdCompressor(level=19)

    def sizes() -> Iterator[int]:
        some = block_rows(dimension)
        for part in parts:
            for start in range(0, len(part), some):
                block = part[start : start + some].tobytes()
                yield min(len(block), len(compressor.compress(block)))

    return sum(sizes())


def cosines(before: Array, after: Array) -> dict[str, float]:
    """Return the mean and the least cosine between rows and what is left of them."""
    one, other = before.astype(np.float64), after.astype(np.float64)
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found = (one * other).sum(axis=1) / np.where(norms > 0, norms, 1.0)
    return {"mean_cosine": float(found.mean()), "least_cosine": float(found.min())}


def rescored(coarse: Array, fine: Array, neighbours: Neighbours) -> float:
    """Return the recall where the nearest by one form are ordered again by another."""
    queries = neighbours.queries.astype(np.float32)
    candidates = np.argsort(-(queries @ coarse.T), axis=1, kind="stable")[:, :CANDIDATES]
    fine = fine / np.linalg.norm(fine, axis=1, keepdims=True)
    scores = np.einsum("qcd,qd->qc", fine[candidates], queries)
    found = np.take_along_axis(candidates, np.argsort(-scores, axis=1, kind="stable")[:, :NEAREST], axis=1)
    truth = neighbours.truth[:, :NEAREST]
    hits = sum(len(set(one) & set(other)) for one, other in zip(found.tolist(), truth.tolist(), strict=True))
    return hits / truth.size
