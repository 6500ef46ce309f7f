"""Owns taking one number of keys through all steps, and what its files take: loaded and settled.

Steps that leave the store as it is come first; those that let it grow, and the one that settles it, come last.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.scale.latencies import spread
from benchmarks.scale.openings import AFTER
from benchmarks.scale.processes import elsewhere
from benchmarks.scale.stores import copied, held

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.scale.processes import Plan

PARTS = ("across", "openings", "sustained", "upkeep")
LAPS = {False: 7, True: 2}
TIMES = ("open_ms", "first_value_ms")


def size_of(
    plan: Plan, parts: tuple[str, ...], say: Callable[[str], None], keep: Callable[[dict[str, Any]], None]
) -> None:
    """Build a store, measure, remove it; the smallest one, as it was before it grew, stays.

    Args:
        plan: What is asked for.
        parts: Of `PARTS`.
        say: Told the step that begins.
        keep: Given what is known after each step: the next one may take an hour, and may fail.

    Raises:
        DifferenceError: A value came back changed, or a process failed.
    """
    store = Path(plan.store)
    say("loading and operations")
    made = {"keys": plan.keys, **dict.fromkeys(PARTS), **elsewhere("loading", plan)}
    if not Path(plan.small).exists():
        copied(store, Path(plan.small))
    keep(made)
    for part in parts:
        if plan.quick and part == "upkeep" and plan.keys != plan.small_keys:
            continue  # settling takes longer than all else together
        say(part)
        made[part] = _openings(plan) if part == "openings" else elsewhere(part, plan)
        if part == "upkeep":
            # What earlier parts added counts among the keys.
            added = made["sustained"]["grew_to"] - plan.keys if made["sustained"] else 0
            made["disk"]["settled"] = held(store)
            made["settled_keys"] = plan.keys + added
        keep(made)
    shutil.rmtree(store)


def _openings(plan: Plan) -> dict[str, Any]:
    """Kill a process that stores, open, and again, for some laps."""
    laps = []
    for lap in range(LAPS[plan.quick]):
        at = plan._replace(lap=lap)
        elsewhere("crash", at, killed=True)
        laps.append(elsewhere("openings", at))
    return {after: {time: spread([lap[after][time] for lap in laps]) for time in TIMES} for after in AFTER}
