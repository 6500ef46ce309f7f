"""Owns the result as tables in Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.cold.report import bill_cells, kinds, read_cells, read_words, request_cells
from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.traces.goals import goal_table


def markdown(result: dict[str, Any]) -> str:
    """Return reads, requests, the bill, goals, and where they come from."""
    lines = [f"A read of one value: {read_words(result)}.", ""]
    lines += [*table(["what", "median us"], read_cells(result["reads"])), ""]
    lines += [*table(["requests", *kinds(result)], request_cells(result)), ""]
    lines += [*table(["a month's bill", "by the statistics", "by arithmetic"], bill_cells(result["bill"])), ""]
    return "\n".join([*lines, *goal_table(result["goals"], "what"), "", f"{libraries(result)}."])
