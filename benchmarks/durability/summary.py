"""Owns ratios between contenders that take turns together, and the goals: what was wanted beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.durability.contenders import (
    DISKCACHE,
    FULL_DISKCACHE,
    FULL_SQLITE,
    LOCKED_DISKCACHE,
    LOCKED_SQLITE,
    PROCESS,
    SQLITE,
    SYNC,
)
from benchmarks.durability.turns import spread
from benchmarks.traces.goals import at_least

if TYPE_CHECKING:
    from benchmarks.traces.goals import Goal

PAIRS = (
    *((SYNC, other) for other in (FULL_DISKCACHE, LOCKED_DISKCACHE, FULL_SQLITE, LOCKED_SQLITE)),
    *((PROCESS, other) for other in (FULL_DISKCACHE, FULL_SQLITE, DISKCACHE, SQLITE)),
)
GOAL_THREADS = 16
MUST, GOAL = 10.0, 20.0


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return for each number of threads and pair how many times the other's rate ours is, with quartiles over turns."""
    found = {(row["threads"], row["name"]): row for row in rows}
    made = []
    for threads in dict.fromkeys(row["threads"] for row in rows):
        for ours, other in PAIRS:
            one, two = found[threads, ours], found.get((threads, other))
            if two is not None:
                times = spread([a / b for a, b in zip(one["rates"], two["rates"], strict=True)])
                settled = one["settled"] / two["settled"]
                made.append({"threads": threads, "ours": ours, "other": other, "times": times, "settled": settled})
    return made


def goals(made: list[dict[str, Any]]) -> list[Goal]:
    """Return the budget on synced writes of many threads, where so many were measured."""
    wanted: list[Goal] = []
    for row in made:
        if (row["threads"], row["ours"], row["other"]) == (GOAL_THREADS, SYNC, FULL_DISKCACHE):
            times = row["times"]["median"]
            what = f"{SYNC}, {GOAL_THREADS} threads, in times of {FULL_DISKCACHE}"
            wanted += [at_least(f"{what}: must", times, MUST), at_least(f"{what}: goal", times, GOAL)]
    return wanted
