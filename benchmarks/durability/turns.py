"""Owns running threads through operations that they share, and what that took. It knows no store.

A crew keeps its threads: what a contender keeps for each thread, as connections are, is made once.
"""

from __future__ import annotations

import gc
import statistics
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Result = TypeVar("Result")
Operation = tuple["Callable[..., object]", tuple[Any, ...]]


class Turn(NamedTuple):
    """What a turn took.

    Attributes:
        seconds: From the first operation's beginning to the last one's end.
        taken: Nanoseconds of each operation, in the order in which they were given.
    """

    seconds: float
    taken: list[int]


class Crew:
    """Threads that take turns together. A context manager: at its end they are gone.

    Args:
        threads: How many.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        gc.unfreeze()

    def work(self, operations: Sequence[Operation]) -> Turn:
        """Do all operations, each once; whoever is free takes the next one. What one raises is raised here."""
        taken = [0] * len(operations)
        shared = enumerate(operations)
        gc.collect()  # nobody pays for what another one left,
        gc.freeze()  # or for looking through what stays
        spans = [span for span in self.each(partial(_share, shared, taken)) if span is not None]
        seconds = (max(ended for _, ended in spans) - min(begun for begun, _ in spans)) / 1e9
        return Turn(seconds, taken)

    def each(self, call: Callable[[], Result]) -> list[Result]:
        """Call something once in each thread, in all of them at once; return what it returned."""
        start = threading.Barrier(self.threads)  # nobody gets a second call before all have their first

        def begin() -> Result:
            start.wait()
            return call()

        return [made.result() for made in [self._pool.submit(begin) for _ in range(self.threads)]]


def _share(shared: Iterator[tuple[int, Operation]], taken: list[int]) -> tuple[int, int] | None:
    """Work until all is done; return when this thread's share began and ended, None where it got nothing."""
    begun = perf_counter_ns()
    ended = None
    for number, (function, arguments) in shared:
        before = perf_counter_ns()
        function(*arguments)
        ended = perf_counter_ns()
        taken[number] = ended - before
    return None if ended is None else (begun, ended)


def quantile(taken: Sequence[float], share: float) -> float:
    """Return the value that a share of all values does not exceed."""
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    if len(values) == 1:
        return {"median": values[0], "low": values[0], "high": values[0]}
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": middle, "low": low, "high": high}
