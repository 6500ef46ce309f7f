"""Owns the result as tables in Markdown, for the README."""

from __future__ import annotations

from typing import Any

from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.peers.report import (
    HEADERS,
    KIND_HEADERS,
    READING,
    SPREAD_HEADERS,
    about,
    cells,
    kind_cells,
    spread_cells,
    words,
)
from benchmarks.traces.goals import goal_table


def markdown(result: dict[str, Any]) -> str:
    """Return the table with the least of each column in bold, its words, spread, what each store is, and goals."""
    rows = result["stores"]
    reading = " ".join(READING.splitlines()).replace("has a star", "is bold")
    meanings = [f"- {word}: {meaning}" for word, meaning in words(result)]
    lines = [*table(HEADERS, cells(rows, ("**", "**"))), "", reading, "", *meanings, ""]
    if found := list(spread_cells(rows)):
        lines += [*table([f"quartiles of ratios, {result['rounds']} rounds", *SPREAD_HEADERS[1:]], found), ""]
    lines += [*table(KIND_HEADERS, kind_cells(rows)), ""]
    lines += [*goal_table(result["goals"], "what"), ""] if result["goals"] else []
    return "\n".join([*lines, f"{libraries(result)}; {'; '.join(about(result))}."]).strip()
