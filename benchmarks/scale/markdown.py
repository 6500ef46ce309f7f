"""Owns the result as tables in Markdown, for README and docs."""

from __future__ import annotations

from typing import Any

from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.scale.report import legend, sections
from benchmarks.traces.goals import goal_table


def markdown(result: dict[str, Any]) -> str:
    """Return every table with its heading, what the words mean, the goals, and where the figures come from."""
    lines: list[str] = []
    for heading, headers, cells, _ in sections(result["sizes"]):
        lines += [f"**{heading}**", "", *table(headers, cells), ""]
    words = [f"- {' '.join(line.split())}" for line in legend().splitlines()]
    lines += [*goal_table(result["goals"], "what"), "", *words, ""]
    return "\n".join([*lines, f"{libraries(result)}; {result['recorded']:,} recorded ones."])
