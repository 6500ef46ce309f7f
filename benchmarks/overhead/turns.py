"""Owns interleaving: what is compared takes short turns in one process, in another order each time.

Each lane does 50 calls, then the next does its own, so that all of them find their caches as warm as in a program that
does nothing else. Call by call they would evict each other's; one after the other they would meet another machine.
What a call returned is judged after the turn, outside of what is timed.
"""

from __future__ import annotations

import gc
import statistics
from contextlib import ExitStack, contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TURN = 50


class Lane(NamedTuple):
    """One of those that are compared.

    Attributes:
        calls: Returns the calls from one number to another, ready to be made.
        check: Takes the number of the first call of a turn, and what the turn's calls returned.
    """

    calls: Callable[[int, int], list[Callable[[], Any]]]
    check: Callable[[int, list[Any]], None]


def interleaved(lanes: dict[str, Lane], count: int) -> dict[str, list[int]]:
    """Make so many calls on every lane; return the nanoseconds of each call by lane."""
    times: dict[str, list[int]] = {name: [] for name in lanes}
    for number, start in enumerate(range(0, count, TURN)):
        for name in rotated(list(lanes), number):
            lane = lanes[name]
            results = turn(lane.calls(start, min(count, start + TURN)), times[name])
            lane.check(start, results)
    return times


def turn(calls: list[Callable[[], Any]], took: list[int]) -> list[Any]:
    """Make calls, note the nanoseconds of each, return what they returned."""
    results = []
    for call in calls:
        began = perf_counter_ns()
        result = call()
        took.append(perf_counter_ns() - began)
        results.append(result)
    return results


def rotated(names: Sequence[str], number: int) -> list[str]:
    """Return the names in the order of a turn: another one begins each time."""
    first = number % len(names)
    return [*names[first:], *names[:first]]


def unjudged(_start: int, _results: list[Any]) -> None:
    """Judge nothing: what was stored is read back later."""


def spread(each: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles; of one number thrice the same."""
    if len(each) == 1:
        return {"median": each[0], "low": each[0], "high": each[0]}
    low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
    return {"median": middle, "low": low, "high": high}


def percentile(ordered: Sequence[int], share: float) -> float:
    """Return the number below which a share of the others lie, in microseconds; they are in order."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1000


@contextmanager
def collector_spared() -> Iterator[None]:
    """Keep the garbage collector off what is held for comparison: no program has its values twice."""
    with ExitStack() as after:
        gc.collect()
        gc.freeze()
        after.callback(gc.unfreeze)
        yield
