"""Owns whether hot reads wait while checkpoint, demotion, promotion and compaction run without a pause between them.

Threads read hot keys, in periods that take turns: "still", while the store has nothing to do, and "busy", while one
more thread keeps the store's own threads at work. Threads that never rest wait for each other by the interpreter's
switch interval of 5 ms, however little the store does: "still" is the floor, and the budget is on crews that have time
to rest, and on one reader. A sleeper that wants to wake every millisecond tells how long the interpreter was held at a
stretch. The cold tier is a directory that is treated as one far away, or a bucket of moto's server, started here.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.concurrency.pressure import Pressure, settings
from benchmarks.durability.records import marked
from benchmarks.durability.turns import quantile
from benchmarks.keeping import DifferenceError
from stratakv import OptimizationMiddleware, StorageTier
from stratakv.backends.directory import DirectoryBackend
from tests.servers.moto import aws_environment, moto_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratakv.backends.base import Backend

TICK_SECONDS = 0.001
BEGIN_SECONDS = 1.0
"""Until all kinds of work have begun."""

REST_SECONDS = 1.5
STILL, BUSY = "still", "busy"


class Readers(NamedTuple):
    """Threads at work beside the background.

    Attributes:
        readers: How many read.
        writers: How many write, one value at a time.
        rest: Seconds between two reads of a thread.
        counts: Whether the budget is on it.
    """

    readers: int
    writers: int
    rest: float
    counts: bool


class Extent(NamedTuple):
    """How much is measured.

    Attributes:
        crews: Who reads, one crew after the other.
        hot: Keys that are read.
        others: Keys that the background moves.
        seconds: Of a period.
        periods: Of each kind, for each crew.
        waits: How often to look whether the background has come to rest.
    """

    crews: tuple[Readers, ...]
    hot: int
    others: int
    seconds: float
    periods: int
    waits: int


CREWS = (
    Readers(1, 0, 0.0, counts=True),
    Readers(8, 0, 0.002, counts=True),
    Readers(8, 2, 0.002, counts=True),
    Readers(2, 0, 0.0, counts=False),
    Readers(8, 0, 0.0, counts=False),
)
WHOLE = Extent(CREWS, 5_000, 30_000, 5.0, 3, 10)
QUICK = Extent(CREWS[:3], 2_000, 2_000, 1.0, 1, 3)

FIGURES = ("reads_per_second", "p50_ms", "p99_ms", "p99.9_ms", "slowest_ms", "late_p99_ms", "late_most_ms")
DONE = ("checkpoints", "demotions", "promotions", "compactions")


def background(values: list[Any], extent: Extent, *, s3: bool, progress: Callable[[], None]) -> dict[str, Any]:
    """Return a row for each crew and kind of period, with medians over periods; and what the background did.

    Raises:
        DifferenceError: A value came back changed.
    """
    hot = {f"hot:{number}": marked(values[number % len(values)], number) for number in range(extent.hot)}
    others = {f"other:{number}": marked(values[number % len(values)], -1 - number) for number in range(extent.others)}
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="stratakv-concurrency-") as scratch,
        _cold(Path(scratch), s3=s3) as backend,
        OptimizationMiddleware(
            config=settings(Path(scratch) / "store"), backends={StorageTier.COLD: backend}
        ) as memory,
    ):
        memory.store_many(hot)
        for key, value in others.items():
            memory.store(key, value)
        memory.maintain()
        before = _done(memory)
        for crew in extent.crews:
            found: dict[str, list[dict[str, float]]] = {STILL: [], BUSY: []}
            for _ in range(extent.periods):
                _await_rest(memory, extent.waits)
                found[STILL].append(_period(memory, crew, list(hot), extent.seconds))
                with Pressure(memory, others):
                    threading.Event().wait(BEGIN_SECONDS)
                    found[BUSY].append(_period(memory, crew, list(hot), extent.seconds))
                progress()
            for kind, each in found.items():
                medians = {name: statistics.median(one[name] for one in each) for name in FIGURES}
                rows.append({**crew._asdict(), "period": kind, **medians})
        after = _done(memory)
        if wrong := [key for key, value in hot.items() if memory.retrieve(key) != value]:
            raise DifferenceError(f"{wrong[0]} came back changed")
    return {
        "cold": "a bucket of moto's server" if s3 else "a directory, treated as far away",
        "rows": rows,
        "done": {name: after[name] - before[name] for name in DONE},
    }


def periods_of(extent: Extent) -> int:
    """Return how often `background` tells its progress."""
    return len(extent.crews) * extent.periods


def _period(memory: OptimizationMiddleware, crew: Readers, hot: list[str], seconds: float) -> dict[str, float]:
    """Read for some seconds; return milliseconds."""
    stop = threading.Event()
    never = threading.Event()
    taken: list[list[int]] = [[] for _ in range(crew.readers)]
    late: list[int] = []

    def read(number: int) -> None:
        chance = random.Random(number)
        mine = taken[number]
        retrieve = memory.retrieve
        while not stop.is_set():
            for key in chance.choices(hot, k=100):
                begun = perf_counter_ns()
                retrieve(key)
                mine.append(perf_counter_ns() - begun)
                if crew.rest:
                    stop.wait(crew.rest)

    def write(number: int) -> None:
        chance = random.Random(number)
        while not stop.is_set():
            memory.store(f"written:{number}:{chance.randrange(2000)}", {"id": chance.random(), "writer": number})
            stop.wait(0.0005)

    def doze() -> None:
        while not stop.is_set():
            begun = perf_counter_ns()
            never.wait(TICK_SECONDS)
            late.append(perf_counter_ns() - begun - int(TICK_SECONDS * 1e9))

    threads = [threading.Thread(target=read, args=(number,)) for number in range(crew.readers)]
    threads += [threading.Thread(target=write, args=(number,)) for number in range(crew.writers)]
    threads.append(threading.Thread(target=doze))
    for thread in threads:
        thread.start()
    begun = perf_counter()
    never.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    lasted = perf_counter() - begun
    reads = [one for mine in taken for one in mine]
    return {
        "reads_per_second": len(reads) / lasted,
        **{f"p{100 * share:g}_ms": quantile(reads, share) / 1e6 for share in (0.5, 0.99, 0.999)},
        "slowest_ms": max(reads) / 1e6,
        "late_p99_ms": quantile(late, 0.99) / 1e6,
        "late_most_ms": max(late) / 1e6,
    }


def _done(memory: OptimizationMiddleware) -> dict[str, int]:
    told = memory.get_statistics()
    return {name: told["background" if name == "checkpoints" else "tiered_storage"][name] for name in DONE}


def _await_rest(memory: OptimizationMiddleware, waits: int) -> None:
    """Return when the background has come to rest, or takes very long to."""
    done: dict[str, int] = {}
    for _ in range(waits):
        if done == (done := _done(memory)):
            return
        threading.Event().wait(REST_SECONDS)


@contextmanager
def _cold(scratch: Path, *, s3: bool) -> Iterator[Backend]:
    if not s3:
        yield DirectoryBackend(scratch / "far", remote=True)
        return
    with aws_environment(), moto_server() as server:
        yield server.backend(server.new_bucket())
