"""Owns the result as tables in Markdown, for the README."""

from __future__ import annotations

from typing import Any

from benchmarks.keeping import libraries
from benchmarks.markdown import table as markdown_table
from benchmarks.traces.goals import goal_table
from benchmarks.vectors.report import HEADERS, cells, heading, remarks


def markdown(result: dict[str, Any]) -> str:
    """Return sizes and recall of each table, goals, and where they come from."""
    lines: list[str] = []
    for table in result["tables"]:
        lines += [f"{heading(table)}:", "", *markdown_table(HEADERS, cells(table)), ""]
        lines += [*(f"- {line}" for line in remarks(table)), ""]
    return "\n".join([*lines, *goal_table(result["goals"], "what"), "", f"{libraries(result)}."]).strip()
