"""Owns what storing a large value costs beside its floor: serialise, digest and compress, once with a synced file.

Interleaved: each round stores a value that is like no other and then a next version of it, and takes the floors of the
same values. Ratios of rounds; their quartiles tell the spread.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import zstandard

from benchmarks.large.stores import opened
from benchmarks.large.text import edited, library_text
from stratakv.engine.serialization import Serializer

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE_BYTES = 2_000_000
ROUNDS = 5
QUICK_BYTES = 1_200_000
QUICK_ROUNDS = 3
FLOOR, SYNCED_FLOOR = "zstd-3", "zstd-3 to a synced file"
STORES = ("a new value", "a next version")


def costs(*, quick: bool, progress: Callable[[], None]) -> dict[str, Any]:
    """Return milliseconds and ratios with their quartiles."""
    size, rounds = (QUICK_BYTES, QUICK_ROUNDS) if quick else (VALUE_BYTES, ROUNDS)
    times: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="stratakv-large-") as directory,
        opened(Path(directory) / "store") as memory,
    ):
        memory.store("first", library_text(size)[::-1])  # what is loaded and compiled once is not timed
        for number in range(rounds):
            # Source code that was not stored before: only the next version shares chunks with anything.
            first = library_text(size, skip=number * size)
            for name, value in zip(STORES, (first, edited(first, seed=number)), strict=True):
                floors = {FLOOR: _floor(value, None), SYNCED_FLOOR: _floor(value, Path(directory) / "floor")}
                took = _seconds(partial(memory.store, f"{name}:{number}", value))
                for floor, seconds in floors.items():
                    times.setdefault(f"{name} / {floor}", []).append(took / seconds)
                times.setdefault(f"{name}, ms", []).append(1000 * took)
                times.setdefault(f"{name}, {FLOOR} alone, ms", []).append(1000 * floors[FLOOR])
            memory.maintain()
            progress()
    return {"bytes": size, "rounds": rounds, "spread": {name: _spread(each) for name, each in times.items()}}


def rounds_of(*, quick: bool) -> int:
    """Return how often `costs` tells its progress."""
    return QUICK_ROUNDS if quick else ROUNDS


def _floor(value: bytes, file: Path | None) -> float:
    serializer, compressor = Serializer(), zstandard.ZstdCompressor(level=3)

    def work() -> None:
        plaintext = serializer.dumps(value)
        hashlib.sha256(plaintext).digest()
        payload = compressor.compress(plaintext)
        if file is not None:
            with file.open("wb") as written:
                written.write(payload)
                written.flush()
                os.fdatasync(written.fileno())

    return _seconds(work)


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _spread(each: list[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
    return {"median": middle, "low": low, "high": high}
