"""Owns the arithmetic over rows, and the goals. It replays and prints nothing.

Costs are controllable ones, in times of the best static threshold of hindsight, or of one global LRU.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.adaptive.jobs import WAYS
from benchmarks.adaptive.settings import spelled
from benchmarks.traces.goals import at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.adaptive.jobs import Row
    from benchmarks.traces.goals import Goal

RULES = ("tuned", "pooled", "break_even", "founding")
MEAN, NINETIETH, WORST = 1.00, 1.04, 1.10
OF_FOUNDING, SECOND_PHASE, OF_LRU = 0.75, 1.15, 0.85
DAY_SECONDS = 60.0


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return mean, median, 90th percentile (between the two nearest), and worst."""
    return {
        "mean": fmean(values),
        "median": float(np.quantile(values, 0.5)),
        "ninetieth": float(np.quantile(values, 0.9)),
        "worst": max(values),
    }


def against_hindsight(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return each rule's costs, and what the tuner costs of the founding hours; None where there are no rows."""
    if not rows:
        return None
    worst = max(rows, key=lambda row: float(row["tuned"]))
    return {
        "settings": len(rows),
        "traces": len({row["trace"] for row in rows}),
        "rules": {rule: spread([row[rule] for row in rows]) for rule in RULES},
        "worst_at": f"{worst['trace']} {spelled(worst['span'])} {worst['edge']} {worst['blocked_second']:g}",
        # The mean of the ratios: the ratio of the means would say what the dearest founding case says.
        "of_founding": spread([row["tuned"] / row["founding"] for row in rows]),
    }


def fixed_ram(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return what each way costs of one global LRU; None where there are no rows."""
    if not rows:
        return None
    return {"cases": len(rows), "ways": {way: spread([row[way] for row in rows]) for way in WAYS}}


def summary(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """Return all comparisons; those that were not made are None."""
    return {
        "thresholds": against_hindsight(rows["thresholds"]),
        "joined": against_hindsight(rows["joined"]),
        "ram": fixed_ram(rows["ram"]),
    }


def goals(told: dict[str, Any], day: dict[str, Any] | None) -> list[Goal]:
    """Return each goal with what was measured; those of comparisons that were not made are left out."""
    made: list[Goal] = []
    if (thresholds := told["thresholds"]) is not None:
        tuned = thresholds["rules"]["tuned"]
        made += [
            at_most("tuned, of hindsight's best static threshold: mean", tuned["mean"], MEAN),
            at_most("tuned, of hindsight: 90th percentile", tuned["ninetieth"], NINETIETH),
            at_most("tuned, of hindsight: worst", tuned["worst"], WORST),
            at_most("tuned, of the founding 1 h and 24 h: mean", thresholds["of_founding"]["mean"], OF_FOUNDING),
        ]
    if (joined := told["joined"]) is not None:
        tuned = joined["rules"]["tuned"]
        made += [
            at_most("second phase of joined traces, of its hindsight: mean", tuned["mean"], SECOND_PHASE),
            at_most("second phase of joined traces, worst", tuned["worst"], SECOND_PHASE),
        ]
    if (ram := told["ram"]) is not None:
        made += [
            at_most(f"fixed RAM, {way}, of one global LRU: mean", costs["mean"], OF_LRU)
            for way, costs in ram["ways"].items()
        ]
    if day is not None:
        weights = [line["rent_weight"] for line in day["targets"]]
        made += [
            at_most(f"processor seconds of {day['hours']:g} simulated hours", day["cpu_seconds"], DAY_SECONDS),
            at_least("the same decisions from one seed (1: yes)", float(day["same"]), 1.0),
            at_least("too little saved weighs rent more (1: yes)", float(weights[1] > weights[0]), 1.0),
            at_least("too much waiting weighs it less (1: yes)", float(weights[2] < weights[0]), 1.0),
        ]
    return made
