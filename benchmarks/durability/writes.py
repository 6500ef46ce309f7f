"""Owns letting contenders write in turns: the same records, the order rotated, every value read back afterwards.

A turn's rate counts acknowledged writes only. What a store leaves for its background is done at once after some
thousand writes, so that it is not done in another contender's turn; the settled rate counts that time too.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.durability.contenders import LOCKED, WAYS
from benchmarks.durability.disk import sync_times
from benchmarks.durability.records import marked
from benchmarks.durability.turns import Crew, quantile
from benchmarks.keeping import DifferenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.durability.contenders import Contender, Way


class Extent(NamedTuple):
    """How much is measured.

    Attributes:
        threads: Numbers of threads.
        each: Writes of each thread in a turn.
        rounds: Turns of each contender.
        warmup: Records that each contender holds before, so that it knows its data.
    """

    threads: tuple[int, ...]
    each: int
    rounds: int
    warmup: int


SETTLE_AFTER = 2000
"""Writes; by itself a store waits for 12,500 or 5 s."""

WHOLE = Extent((1, 4, 16), 200, 9, 2000)
QUICK = Extent((1, 4, 16), 50, 3, 400)


def writes(values: list[Any], extent: Extent, place: Path | None, progress: Callable[[], None]) -> dict[str, Any]:
    """Return a row for each number of threads and contender, and what a sync of the medium took.

    Args:
        values: Records; each write stores one that is equal to no other.
        extent: How much.
        place: Where stores go; None for the system's temporary directory.
        progress: Called after each turn.

    Raises:
        DifferenceError: A value came back changed.
    """
    rows: list[dict[str, Any]] = []
    disk: list[float] = []
    numbers = count()
    for threads in extent.threads:
        with tempfile.TemporaryDirectory(prefix="stratakv-durability-", dir=place) as directory:
            runners = []
            with ExitStack() as stack:
                for number, way in enumerate(ways_of(threads)):
                    runners.append(_Runner(way, Path(directory) / str(number), threads))
                    stack.callback(runners[-1].close)
                    runners[-1].hold(values, extent.warmup)
                for number in range(extent.rounds):
                    disk += sync_times(Path(directory) / "appended")
                    turn = [(f"{number}:{one}", _record(values, one)) for one in _next(numbers, threads * extent.each)]
                    shift = number % len(runners)
                    for runner in runners[shift:] + runners[:shift]:
                        runner.take(turn)
                        progress()
                for runner in runners:
                    runner.settle()
            rows += [runner.row() for runner in runners]
    return {"rows": rows, "sync_us": {name: quantile(disk, share) for name, share in _DISK.items()}}


_DISK = {"low": 0.25, "median": 0.5, "high": 0.75}


def turns_of(extent: Extent) -> int:
    """Return how often `writes` tells its progress."""
    return sum(len(ways_of(threads)) for threads in extent.threads) * extent.rounds


def ways_of(threads: int) -> list[Way]:
    """Return what is compared: a lock around a peer means nothing to one thread."""
    return [way for way in WAYS if threads > 1 or way.name not in LOCKED]


def _next(numbers: Iterator[int], many: int) -> list[int]:
    return [next(numbers) for _ in range(many)]


def _record(values: list[Any], number: int) -> Any:
    return marked(values[number % len(values)], number)


class _Runner:
    """One contender with its crew, and what its turns took."""

    def __init__(self, way: Way, path: Path, threads: int) -> None:
        self._way = way
        self._crew = Crew(threads)
        self._contender: Contender = way.opened(path)
        self._rates: list[float] = []
        self._seconds = 0.0
        self._written = self._unsettled = 0
        self._p50: list[float] = []
        self._taken: list[int] = []

    def hold(self, values: list[Any], warmup: int) -> None:
        """Store what shall be there before."""
        held = [(f"before:{number}", [_record(values, -1 - number)]) for number in range(warmup)]
        self._crew.work([(self._contender.write, pair) for pair in held])
        self._contender.settle()

    def take(self, turn: list[tuple[str, Any]]) -> None:
        """Write one turn's values and compare them."""
        took = self._crew.work([(self._contender.write, pair) for pair in turn])
        self._seconds += took.seconds
        self._written += len(turn)
        self._unsettled += len(turn)
        self._rates.append(len(turn) / took.seconds)
        self._p50.append(quantile(took.taken, 0.5) / 1000)
        self._taken += took.taken
        for key, value in turn:
            if self._contender.read(key) != value:
                raise DifferenceError(f"{self._way.name}: {key} came back changed")

        if self._unsettled >= SETTLE_AFTER:
            self.settle()

    def settle(self) -> None:
        """Do what was left for the background, and count it."""
        begun = perf_counter()
        self._contender.settle()
        self._seconds += perf_counter() - begun
        self._unsettled = 0

    def row(self) -> dict[str, Any]:
        """Return the rates of all turns, and what single writes took."""
        return {
            "threads": self._crew.threads,
            "name": self._way.name,
            "survives": self._way.survives,
            "rates": self._rates,
            "settled": self._written / self._seconds,
            "p50_us": quantile(self._p50, 0.5),
            "p99_us": quantile(self._taken, 0.99) / 1000,
            "most_us": max(self._taken) / 1000,
        }

    def close(self) -> None:
        """Let the crew go, then the contender."""
        with self._crew:
            self._crew.each(self._contender.leave)
        self._contender.close()
