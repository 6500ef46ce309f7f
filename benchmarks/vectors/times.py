"""Owns what decoding a vector costs, alone and in blocks, beside steps of 8 bits.

Interleaved: each round decodes the same vectors in all ways. Medians of rounds, with the quartiles of their ratios.
Where other processes are busy, several threads of BLAS wait for each other through whole slices of time: how many it
may have (OPENBLAS_NUM_THREADS) is told.
"""

from __future__ import annotations

import os
import statistics
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.vectors.peers import block_rows, restored, stepped
from stratakv.engine.codecs.rotated import decode_rotated

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.reduction.corpora import Array
    from benchmarks.vectors.rotated import Encoded, Payload

ROUNDS = 5
SINGLES = 200
FULL_BLOCK = 128
"""Blocks of fewer vectors are not timed, where there are others."""


def times(table: Array, encoded: Encoded) -> dict[str, Any]:
    """Return microseconds a vector of decoding `rotated` and `int8`, and ratios."""
    numbers, steps = stepped(table, 127)
    rows = block_rows(table.shape[1])
    singles = [each for each in encoded.singles if len(each.payload) < each.size][:SINGLES]
    blocks = _full(encoded.blocks)

    def one_by_one(at: int) -> None:
        payload, size, _ = singles[at]
        decode_rotated(encoded.rotation, payload, size)

    def in_blocks(at: int) -> None:
        payload, size, _ = blocks[at]
        decode_rotated(encoded.rotation, payload, size)

    def stepped_one(at: int) -> None:
        restored(numbers[at : at + 1], steps[at : at + 1]).tobytes()

    def stepped_block(at: int) -> None:
        part = slice(at * rows, (at + 1) * rows)
        restored(numbers[part], steps[part]).tobytes()

    values = sum(block.values for block in blocks) / len(blocks)
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, work, count, each in (
            ("single", one_by_one, len(singles), 1.0),
            ("single, int8", stepped_one, len(singles), 1.0),
            ("block", in_blocks, len(blocks), values),
            ("block, int8", stepped_block, len(blocks), float(min(rows, len(numbers)))),
        ):
            found.setdefault(name, []).append(_microseconds(work, count) / each)
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "as many as processors")
    return {"threads": threads, "us": {name: statistics.median(each) for name, each in found.items()}} | {
        f"{name} / int8": _ratio(found[name], found[f"{name}, int8"]) for name in ("single", "block")
    }


def _full(blocks: list[Payload]) -> list[Payload]:
    named = [block for block in blocks if len(block.payload) < block.size]
    return [block for block in named if block.values >= FULL_BLOCK] or named


def _microseconds(work: Callable[[int], None], count: int) -> float:
    taken = []
    for at in range(count):
        started = perf_counter_ns()
        work(at)
        taken.append(perf_counter_ns() - started)
    return float(np.median(taken)) / 1000


def _ratio(one: list[float], other: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles([a / b for a, b in zip(one, other, strict=True)], n=4)
    return {"median": middle, "low": low, "high": high}
