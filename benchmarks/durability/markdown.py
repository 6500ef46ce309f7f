"""Owns the result as tables in Markdown, for the README."""

from __future__ import annotations

from typing import Any

from benchmarks.durability.report import HEADERS, RATIO_HEADERS, cells, extent, ratio_cells
from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.traces.goals import goal_table


def markdown(result: dict[str, Any]) -> str:
    """Return rates, ratios, goals, and where they come from."""
    lines = [*table(HEADERS, cells(result)), "", *table(RATIO_HEADERS, ratio_cells(result)), ""]
    return "\n".join([*lines, *goal_table(result["goals"], "what"), "", f"{libraries(result)}; {extent(result)}."])
