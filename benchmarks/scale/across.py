"""Owns reads of a store beside reads of the smallest one: both open in one process, a turn of each in alternation.

A round tells the median of its turns: one that the system interrupted for milliseconds tells nothing of either store.
"""

from __future__ import annotations

import random
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import DifferenceError
from benchmarks.large.stores import forget
from benchmarks.scale.latencies import spread, timed
from benchmarks.scale.records import Records
from benchmarks.scale.stores import checkpoint, compare, hot_entries, opened

if TYPE_CHECKING:
    from benchmarks.scale.processes import Plan
    from stratakv import OptimizationMiddleware

ROUNDS = {False: 9, True: 3}
TURNS = {False: 40, True: 10}
TURN = 50
READS_AT_MOST = 20
"""So often a key is read until it is in RAM."""


def across(plan: Plan) -> dict[str, Any]:
    """Return, for hot and warm reads, the rate in times of the smallest store's, and microseconds of both."""
    records = Records.read(Path(plan.records))
    with opened(Path(plan.small)) as small, opened(Path(plan.store)) as large:
        for memory in (small, large):
            checkpoint(memory)  # what opening left to the background is done then
        pair = ((small, plan.small_keys), (large, plan.keys))
        hot = [_taken_in(memory, records, keys) for memory, keys in pair]
        rounds, count = ROUNDS[plan.quick], TURN * TURNS[plan.quick]
        found = {}
        for name in ("hot", "warm"):
            took: list[tuple[float, float]] = []
            for number in range(rounds):
                chance = random.Random(f"{name}:{number}")
                if name == "hot":
                    numbers = [chance.choices(each, k=count) for each in hot]
                else:
                    # What RAM holds, or the packs' tables of contents that are in RAM, differ with every round.
                    for memory, _ in pair:
                        forget(memory)
                    numbers = [chance.sample(range(keys), min(count, keys)) for _, keys in pair]
                took.append(_round(records, (small, large), numbers, number))
            found[name] = {
                "times": spread([smaller / larger for smaller, larger in took]),
                "small_us": spread([smaller for smaller, _ in took])["median"],
                "us": spread([larger for _, larger in took])["median"],
            }
    return {"rounds": rounds, "calls": count, **found}


def _taken_in(memory: OptimizationMiddleware, records: Records, keys: int) -> list[int]:
    """Read keys until RAM holds them; return their numbers."""
    chosen = random.Random(keys).sample(range(keys), min(1000, keys))
    for _ in range(READS_AT_MOST):
        absent = [number for number in chosen if records.key(number) not in hot_entries(memory)]
        if not absent:
            return chosen
        for number in absent:
            memory.retrieve(records.key(number))
    raise DifferenceError(f"{len(absent)} keys are not in RAM though they were read {READS_AT_MOST} times")


def _round(
    records: Records,
    stores: tuple[OptimizationMiddleware, OptimizationMiddleware],
    numbers: list[list[int]],
    rotation: int,
) -> tuple[float, float]:
    """Return the microseconds of a read in either store's middle turn."""
    each: tuple[list[float], list[float]] = ([], [])
    for start in range(0, max(map(len, numbers)), TURN):
        for which in (0, 1) if (rotation + start // TURN) % 2 else (1, 0):
            turn = numbers[which][start : start + TURN]
            took: list[int] = []
            found = timed(stores[which].retrieve, [records.key(number) for number in turn], took)
            compare(records, turn, found)
            each[which].append(statistics.fmean(took) / 1e3)
    return statistics.median(each[0]), statistics.median(each[1])
