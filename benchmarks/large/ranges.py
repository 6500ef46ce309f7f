"""Owns what reading a part of a large value costs beside reading all of it, for bytes and for rows of an array.

Interleaved: in every round the whole and each part are read in turn, from disk, at places chosen with a fixed seed.
Every part is compared with the value that was stored.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.keeping import DifferenceError
from benchmarks.large.stores import forget, opened, settle
from benchmarks.large.text import library_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv import OptimizationMiddleware

ROUNDS = 7
QUICK_ROUNDS = 3
TEXT_BYTES = 8_000_000
ROWS, DIMENSION = 20_000, 384
QUICK_SHARE = 8
PARTS = {"bytes": (1000, 100_000, 1_000_000), "rows": (1, 100, 1000)}
WHOLE = "whole"


def ranges(*, quick: bool, progress: Callable[[], None]) -> list[dict[str, Any]]:
    """Return a row for each tier, kind of value and length.

    Raises:
        DifferenceError: A part came back changed.
    """
    values = _values(QUICK_SHARE if quick else 1)
    made = []
    with tempfile.TemporaryDirectory(prefix="stratakv-large-") as directory:
        path = Path(directory)
        with opened(path) as memory:
            for kind, value in values.items():
                memory.store(kind, value)
            memory.maintain()
            for tier in ("warm", "cold"):
                if tier == "cold":
                    settle(memory, path)
                for kind, value in values.items():
                    made += _measured(memory, tier, kind, value, QUICK_ROUNDS if quick else ROUNDS)
                    progress()
    return made


def rounds_of() -> int:
    """Return how often `ranges` tells its progress."""
    return 2 * len(PARTS)


def _values(share: int) -> dict[str, Any]:
    rows = np.random.default_rng(1).standard_normal((ROWS // share, DIMENSION)).astype(np.float32)
    return {"bytes": library_text(TEXT_BYTES // share), "rows": rows}


def _measured(memory: OptimizationMiddleware, tier: str, kind: str, value: Any, rounds: int) -> list[dict[str, Any]]:
    chance = random.Random(1)
    lengths = [length for length in PARTS[kind] if length < len(value)]
    times: dict[int | str, list[float]] = {}
    for _ in range(rounds):
        times.setdefault(WHOLE, []).append(_seconds(memory, lambda: memory.retrieve(kind), value))
        for length in lengths:
            start = chance.randrange(len(value) - length)
            stop = start + length

            def read(start: int = start, stop: int = stop) -> Any:
                return memory.retrieve_range(kind, start, stop)

            times.setdefault(length, []).append(_seconds(memory, read, value[start:stop]))
    whole = times.pop(WHOLE)
    return [_row(tier, kind, value, length, whole, times[length]) for length in lengths]


def _seconds(memory: OptimizationMiddleware, read: Callable[[], Any], expected: Any) -> float:
    forget(memory)
    started = perf_counter()
    got = read()
    took = perf_counter() - started
    if not np.array_equal(got, expected) if isinstance(expected, np.ndarray) else got != expected:
        raise DifferenceError("a part of a large value came back changed")
    return took


def _row(tier: str, kind: str, value: Any, length: int, whole: list[float], part: list[float]) -> dict[str, Any]:
    low, middle, high = statistics.quantiles((one / all_ for one, all_ in zip(part, whole, strict=True)), n=4)
    return {
        "tier": tier,
        "kind": kind,
        "length": length,
        "of": len(value),
        "whole_ms": 1000 * statistics.median(whole),
        "part_ms": 1000 * statistics.median(part),
        "ratio": middle,
        "low": low,
        "high": high,
    }
