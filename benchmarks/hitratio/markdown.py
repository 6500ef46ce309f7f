"""Owns the result as tables in Markdown, for the README."""

from __future__ import annotations

from typing import Any

from benchmarks.hitratio.cells import ADAPTIVE, BELADY, FAMILY
from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.traces.goals import goal_table

_SHOWN = ("lru", "arc", "lirs", "s3-fifo", "w-tinylfu")


def markdown(result: dict[str, Any]) -> str:
    """Return hit ratios, costs, goals, and where they come from."""
    lines = [*_hits(result["rows"]), "", *goal_table(result["goals"], "what")]
    if result["costs"] is not None:
        lines += ["", *_costs(result["costs"])]
    return "\n".join([*lines, "", f"{libraries(result)}."]).strip()


def _hits(rows: list[dict[str, Any]]) -> list[str]:
    shown = [row for row in rows if row["part"] == "table"]
    has_reference = any(row["reference"] for row in shown)
    headers = ["hit %", "objects", f"**{ADAPTIVE}**", *_SHOWN]
    headers += ["best of the reference", "Belady"] if has_reference else ["Belady"]
    lines = []
    for row in shown:
        hit = row["hit"]
        cells = [row["trace"], f"{row['capacity']:,}", f"**{hit[ADAPTIVE]:.2f}**"]
        cells += [f"{hit[name]:.2f}" for name in _SHOWN]
        if has_reference:
            cells.append(_best(row["reference"]))
        lines.append([*cells, f"{hit[BELADY]:.2f}"])
    return table(headers, lines)


def _best(reference: dict[str, float]) -> str:
    found = [(reference[name], name) for name in FAMILY if name in reference]
    return f"{max(found)[0]:.2f} {max(found)[1]}" if found else ""


def _costs(costs: dict[str, Any]) -> list[str]:
    lines = []
    for name, weight in costs["bytes_per_key"].items():
        line = costs["hits"][name]
        lines.append(
            [name, f"{line['ratio']:.2f} ({line['low']:.2f} to {line['high']:.2f})", f"{weight['measured']:.0f}"]
        )
    return table(["policy", "a hit, in times of an OrderedDict LRU's with a lock (quartiles)", "bytes a key"], lines)
