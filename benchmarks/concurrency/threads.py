"""Owns hot reads and mixed work with several numbers of threads, ours and diskcache's, all of them in turns.

Every key is in RAM before the first turn. A turn writes a key once at the most, so that what it must hold afterwards is
known; it is compared outside of what is timed.
"""

from __future__ import annotations

import random
import tempfile
from contextlib import ExitStack
from itertools import count, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.durability.contenders import DISKCACHE, PROCESS, WAYS
from benchmarks.durability.records import marked
from benchmarks.durability.turns import Crew, quantile
from benchmarks.durability.writes import SETTLE_AFTER
from benchmarks.keeping import DifferenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.durability.contenders import Contender
    from benchmarks.durability.turns import Operation

OURS, OTHER = PROCESS, DISKCACHE
QUANTILES = {"p50_us": 0.5, "p99_us": 0.99, "p99.9_us": 0.999}


class Extent(NamedTuple):
    """How much is measured.

    Attributes:
        threads: Numbers of threads.
        writes: Percents of operations that write.
        each: Operations of each thread in a turn.
        rounds: Turns of each combination.
    """

    threads: tuple[int, ...]
    writes: tuple[int, ...]
    each: int
    rounds: int


WHOLE = Extent((1, 2, 4, 8), (0, 10, 50), 500, 15)
QUICK = Extent((1, 2, 4, 8), (0, 10, 50), 200, 3)


def threads(values: list[Any], extent: Extent, progress: Callable[[], None]) -> list[dict[str, Any]]:
    """Return a row for each number of threads, mix and store.

    Raises:
        DifferenceError: A value came back changed.
    """
    with tempfile.TemporaryDirectory(prefix="stratakv-concurrency-") as directory, ExitStack() as stack:
        chosen = [way for way in WAYS if way.name in {OURS, OTHER}]
        held = [_Held(way.name, way.opened(Path(directory) / str(at)), values) for at, way in enumerate(chosen)]
        cells = []
        for store in held:
            stack.callback(store.contender.close)
            for number in extent.threads:
                crew = stack.enter_context(Crew(number))
                stack.callback(crew.each, store.contender.leave)
                crew.work([(store.contender.read, (key,)) for key in list(store.values)[: 50 * number]])
                cells += [_Cell(store, crew, percent) for percent in extent.writes]
        chance = random.Random(11)
        for number in range(extent.rounds):
            shift = number * len(extent.writes)
            for cell in cells[shift % len(cells) :] + cells[: shift % len(cells)]:
                cell.take(extent.each, chance)
                progress()
        for store in held:
            store.compare(list(store.values))
        return [cell.row() for cell in cells]


def turns_of(extent: Extent) -> int:
    """Return how often `threads` tells its progress."""
    return 2 * len(list(product(extent.threads, extent.writes))) * extent.rounds


class _Held:
    """One store with what it must hold."""

    def __init__(self, name: str, contender: Contender, values: list[Any]) -> None:
        self.name = name
        self.contender = contender
        self._numbers = count()
        self._unsettled = 0
        self.values = {f"record:{at}": self.next_of(value) for at, value in enumerate(values)}
        for key, value in self.values.items():
            contender.write(key, value)
        contender.settle()

    def next_of(self, value: Any) -> Any:
        """Return a value that nobody stored before."""
        return marked(value, next(self._numbers))

    def took(self, written: dict[str, Any]) -> None:
        """Compare what a turn wrote; leave little for the background, so that it does not work in another turn."""
        self.values |= written
        self.compare(list(written))
        self._unsettled += len(written)
        if self._unsettled >= SETTLE_AFTER:
            self.contender.settle()
            self._unsettled = 0

    def compare(self, keys: list[str]) -> None:
        """Raise DifferenceError where one of the keys does not hold what was stored last."""
        for key in keys:
            if self.contender.read(key) != self.values[key]:
                raise DifferenceError(f"{self.name}: {key} came back changed")


class _Cell:
    """One number of threads and mix on one store, and what its turns took."""

    def __init__(self, store: _Held, crew: Crew, percent: int) -> None:
        self._store = store
        self._crew = crew
        self._percent = percent
        self._rates: list[float] = []
        self._reads: list[int] = []
        self._writes: list[int] = []

    def take(self, each: int, chance: random.Random) -> None:
        """Do one turn, and compare what it wrote."""
        store = self._store
        written: dict[str, Any] = {}
        operations = list(self._operations(each * self._crew.threads, chance, written))
        took = self._crew.work(operations)
        store.took(written)
        self._rates.append(len(operations) / took.seconds)
        for (_, arguments), nanoseconds in zip(operations, took.taken, strict=True):
            (self._reads if len(arguments) == 1 else self._writes).append(nanoseconds)

    def _operations(self, many: int, chance: random.Random, written: dict[str, Any]) -> Iterator[Operation]:
        store = self._store
        keys = list(store.values)
        to_write = chance.sample(keys, min(len(keys), many * self._percent // 100))
        kinds = [True] * len(to_write) + [False] * (many - len(to_write))
        chance.shuffle(kinds)
        for writes in kinds:
            if writes:
                key = to_write.pop()
                written[key] = store.next_of(_unmarked(store.values[key]))
                yield store.contender.write, (key, written[key])
            else:
                yield store.contender.read, (chance.choice(keys),)

    def row(self) -> dict[str, Any]:
        """Return the rates of all turns, and what single operations took."""
        return {
            "threads": self._crew.threads,
            "writes": self._percent,
            "name": self._store.name,
            "rates": self._rates,
            "reads": _quantiles(self._reads),
            "written": _quantiles(self._writes) if self._writes else None,
        }


def _unmarked(value: Any) -> Any:
    """Return a value that was marked, so that marking it again does not make it grow."""
    return value if isinstance(value, dict) else value[1]


def _quantiles(taken: list[int]) -> dict[str, float]:
    return {name: quantile(taken, share) / 1000 for name, share in QUANTILES.items()}
