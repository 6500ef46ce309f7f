"""Owns the result as tables in Markdown, for the README."""

from __future__ import annotations

from typing import Any

from benchmarks.adaptive.settings import spelled
from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.traces.goals import goal_table


def markdown(result: dict[str, Any]) -> str:
    """Return costs by trace, the fixed RAM, the goals, and where they come from."""
    lines = [*_thresholds(result["rows"]["thresholds"]), *_ram(result["rows"]["ram"])]
    lines += [*goal_table(result["goals"], "what"), ""]
    return "\n".join([*lines, f"{libraries(result)}."]).strip()


def _thresholds(rows: list[dict[str, Any]]) -> list[str]:
    groups: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["trace"], row["span"]), []).append(row)
    cells = []
    for (trace, seconds), each in groups.items():
        means = [sum(row[rule] for row in each) / len(each) for rule in ("tuned", "break_even", "founding")]
        worst = max(row["tuned"] for row in each)
        tuned, *others = (f"{mean:.2f}" for mean in means)
        cells.append([trace, spelled(seconds), str(len(each)), f"**{tuned}**", f"{worst:.2f}", *others])
    headers = ["of hindsight's best static threshold", "span", "settings", "tuned", "worst", "break-even", "1 h / 24 h"]
    return [*table(headers, cells), ""] if cells else []


def _ram(rows: list[dict[str, Any]]) -> list[str]:
    ways = [name for name in rows[0] if name not in {"namespaces", "share", "requests"}] if rows else []
    cells = [
        [row["namespaces"].replace("|", "and"), f"{row['share']:.0%}", *(f"{row[way]:.2f}" for way in ways)]
        for row in rows
    ]
    return [*table(["of one global LRU's cost", "RAM", *ways], cells), ""] if cells else []
