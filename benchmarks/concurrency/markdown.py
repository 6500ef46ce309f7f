"""Owns the result as tables in Markdown, for the README."""

from __future__ import annotations

from typing import Any

from benchmarks.concurrency.report import (
    BACKGROUND_HEADERS,
    RATIO_HEADERS,
    THREAD_HEADERS,
    background_cells,
    ratio_cells,
    surroundings,
    thread_cells,
)
from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.traces.goals import goal_table


def markdown(result: dict[str, Any]) -> str:
    """Return what ran of threads and background, goals, and where they come from."""
    lines: list[str] = []
    if result["threads"] is not None:
        lines += [*table(THREAD_HEADERS, thread_cells(result)), "", *table(RATIO_HEADERS, ratio_cells(result)), ""]
    if result["background"] is not None:
        told = surroundings(result)
        lines += [f"{told[0].upper()}{told[1:]}:", "", *table(BACKGROUND_HEADERS, background_cells(result)), ""]
        lines += [*goal_table(result["goals"], "what"), ""]
    return "\n".join([*lines, f"{libraries(result)}."])
