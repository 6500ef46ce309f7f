"""Owns goals: what was wanted beside what was measured, as data, as text and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.markdown import table
from benchmarks.reduction.table import aligned

if TYPE_CHECKING:
    from collections.abc import Iterable

Goal = dict[str, Any]

_HEADERS = ("measured", "goal", "")


def at_most(what: str, value: float, bound: float) -> Goal:
    """Return a goal that is met by a value up to the bound."""
    return {"what": what, "value": value, "at_most": bound, "met": value <= bound}


def at_least(what: str, value: float, bound: float) -> Goal:
    """Return a goal that is met by a value from the bound on."""
    return {"what": what, "value": value, "at_least": bound, "met": value >= bound}


def _cells(goal: Goal) -> list[str]:
    bound = f"at most {goal['at_most']:g}" if "at_most" in goal else f"at least {goal['at_least']:g}"
    return [goal["what"], f"{goal['value']:.2f}", bound, "met" if goal["met"] else "missed"]


def goal_lines(goals: Iterable[Goal]) -> list[str]:
    """Return them as lines of text."""
    return aligned(["goal", *_HEADERS], [_cells(goal) for goal in goals], left=(0, 2, 3))


def goal_table(goals: Iterable[Goal], what: str) -> list[str]:
    """Return them as a table in Markdown; `what` stands over the first column."""
    return table([what, *_HEADERS], [_cells(goal) for goal in goals])
