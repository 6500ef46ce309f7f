"""Owns the goals: what was wanted of cold reads, of PUT requests and of the bill, beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.traces.goals import at_least, at_most

if TYPE_CHECKING:
    from benchmarks.traces.goals import Goal

MOST_READ, GOAL_READ = 1.15, 1.05
VALUES_A_PUT, GOAL_VALUES_A_PUT = 500.0, 5000.0
BILL_WITHIN = 0.02


def values_a_put(result: dict[str, Any]) -> float:
    """Return how many values one PUT of the demotion took along."""
    return float(result["values"] / max(1, result["requests"]["demotion"]["put"]))


def bill_off(result: dict[str, Any]) -> float:
    """Return by which share the bill in the statistics differs from arithmetic: the larger of whole and storage.

    After a short run the statistics tell no whole yet, since it would be little more than a guess.
    """
    bill = result["bill"]
    pairs = (("told", "own"), ("storage_told", "storage_own"))
    return max(float(abs(bill[ours] - bill[own]) / bill[own]) for ours, own in pairs if bill[ours] is not None)


def goals(result: dict[str, Any]) -> list[Goal]:
    """Return the budgets."""
    ratio, together = result["reads"]["ratio"], values_a_put(result)
    return [
        at_most("cold retrieve, in times of a raw GET of the same bytes: must", ratio, MOST_READ),
        at_most("cold retrieve, in times of a raw GET of the same bytes: goal", ratio, GOAL_READ),
        at_least("values demoted by one PUT: must", together, VALUES_A_PUT),
        at_least("values demoted by one PUT: goal", together, GOAL_VALUES_A_PUT),
        at_most("the bill in the statistics, off arithmetic by: must", bill_off(result), BILL_WITHIN),
    ]
