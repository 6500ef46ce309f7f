"""Owns what single calls took: their rate, their middle, and how slow the slowest were."""

from __future__ import annotations

import statistics
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Argument = TypeVar("Argument")
Found = TypeVar("Found")

SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def timed(call: Callable[[Argument], Found], arguments: Iterable[Argument], took: list[int]) -> list[Found]:
    """Call with each argument in turn, note the nanoseconds of every call, and return what came back."""
    made = []
    for argument in arguments:
        begun = perf_counter_ns()
        found = call(argument)
        took.append(perf_counter_ns() - begun)
        made.append(found)
    return made


def told(took: Sequence[int], each: int = 1) -> dict[str, Any]:
    """Return calls, how many things a second, and microseconds of a call by share; `each` is things in a call."""
    ordered = sorted(took)
    last = len(ordered) - 1
    shares = {name: ordered[min(last, int(share * len(ordered)))] / 1e3 for name, share in SHARES.items()}
    return {"calls": len(ordered), "each": each, "rate": each * len(ordered) / (sum(ordered) / 1e9), **shares}


def spread(each: Sequence[float]) -> dict[str, float]:
    """Return the median of two or more with its quartiles."""
    low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
    return {"median": middle, "low": low, "high": high}
