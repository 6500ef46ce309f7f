"""Owns ratios to diskcache and to one thread, and the goals: what was wanted beside what was measured."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.concurrency.background import BUSY
from benchmarks.concurrency.threads import OTHER, OURS
from benchmarks.durability.turns import spread
from benchmarks.traces.goals import at_most

if TYPE_CHECKING:
    from benchmarks.traces.goals import Goal

MUST_MS, GOAL_MS = 10.0, 6.0


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each number of threads and mix our rate in times of diskcache's and of our own with one thread."""
    found = {(row["threads"], row["writes"], row["name"]): row["rates"] for row in rows}
    made = []
    for threads, writes, name in found:
        if name != OURS:
            continue
        ours, other = found[threads, writes, OURS], found[threads, writes, OTHER]
        fewest = min(number for number, _, _ in found)
        alone = statistics.median(ours) / statistics.median(found[fewest, writes, OURS])
        times = spread([one / two for one, two in zip(ours, other, strict=True)])
        made.append({"threads": threads, "writes": writes, "times": times, "fewest": fewest, "alone": alone})
    return made


def goals(result: dict[str, Any]) -> list[Goal]:
    """Return the budget on hot reads beside the background, for the crews that it is on."""
    made: list[Goal] = []
    if result["background"] is not None:
        for row in result["background"]["rows"]:
            if row["counts"] and row["period"] == BUSY:
                what = f"p99.9 in ms of hot reads beside the background, {crew(row)}"
                made += [at_most(f"{what}: {name}", row["p99.9_ms"], most) for name, most in _WANTED]
    return made


_WANTED = (("must", MUST_MS), ("goal", GOAL_MS))


def crew(row: dict[str, Any]) -> str:
    """Say who reads and writes."""
    readers = _counted(row["readers"], "reader")
    writers = f" and {_counted(row['writers'], 'writer')}" if row["writers"] else ""
    rest = f", {1000 * row['rest']:g} ms of rest" if row["rest"] else ", no rest"
    return f"{readers}{writers}{rest}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
