"""Owns shares of the bytes that floats take, and the goals: what was wanted beside what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.traces.goals import at_least, at_most
from stratakv.engine.rotation import DEFAULT_MIN_COSINE

if TYPE_CHECKING:
    from benchmarks.traces.goals import Goal

_WANTED = ((0.985, 85.0), (0.965, 90.0))


def less(table: dict[str, Any], size: float) -> float:
    """Return by which share some bytes are less than the table's floats."""
    return 1 - size / float(table["bytes"])


def goals(table: dict[str, Any]) -> list[Goal]:
    """Return a table's goals, for the parts that ran."""
    name = table["name"]
    made: list[Goal] = []
    rotated = [row for row in table["rows"] if row["way"] == "rotated"]
    for least, percent in _WANTED:
        good = [row for row in rotated if row["recall"] >= least]
        for words, models in (("", 0), (", model counted", 1)):
            best = max((100 * less(table, row["bytes"] + models * row["model"]) for row in good), default=0.0)
            if rotated:
                made.append(at_least(f"{name}: % less in blocks at recall {least}{words}", best, percent))
    made += [
        at_most(f"{name}: single vectors, in times of blocks", row["single"] / row["bytes"], 1.1)
        for row in rotated
        if row["bound"] == DEFAULT_MIN_COSINE
    ]
    if table["times"] is not None:
        microseconds = table["times"]["us"]
        made.append(at_most(f"{name}: us to decode a vector alone", microseconds["single"], 50))
        made.append(at_most(f"{name}: us to decode a vector in a block", microseconds["block"], 3))
    return made
