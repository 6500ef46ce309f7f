"""Owns the result as tables in Markdown, for the README."""

from __future__ import annotations

from typing import Any

from benchmarks.keeping import libraries
from benchmarks.large.peers import PEERS
from benchmarks.large.report import WHEN, cost_cells, range_cells
from benchmarks.markdown import table
from benchmarks.reduction.table import percent
from benchmarks.traces.goals import goal_table

_OURS = {
    "default, packs": "**packs**",
    "default, with catalog": "with catalog",
    "cut from 64 KB, with catalog": "the same, cut from 64 KB",
    "never cut, with catalog": "the same, never cut",
}


def markdown(result: dict[str, Any]) -> str:
    """Return sizes, ranges, costs, stream, goals, and where they come from."""
    lines: list[str] = []
    if result["summary"] is not None:
        lines += [*_saved(result), ""]
    if result["ranges"] is not None:
        headers = ["read from", "value", "part", "of", "whole ms", "part ms", "part / whole", "quartiles"]
        lines += [*table(headers, range_cells(result["ranges"])), ""]
    if result["costs"] is not None:
        what = f"storing {result['costs']['bytes'] / 1e6:g} MB"
        lines += [*table([what, "median", "quartiles"], cost_cells(result["costs"])), ""]
    if result["stream"] is not None:
        lines += [*_stream(result["stream"]), ""]
    return "\n".join([*lines, *goal_table(result["goals"], "what"), "", f"{libraries(result)}."]).strip()


def _saved(result: dict[str, Any]) -> list[str]:
    told = result["summary"]
    rows = {
        row["name"]: f"{row['name']}, {row['versions']} x {row['bytes'] / row['versions'] / 1e3:.0f} KB"
        for row in result["documents"]
    }
    lines = []
    for name, saved in [*told["documents"].items(), ("mean", told["mean"])]:
        for when, words in WHEN.items():
            ours = [percent(saved[when][column]) for column in _OURS]
            peers = [percent(saved["peers"][peer]) for peer in PEERS]
            lines.append([rows.get(name, name), words, f"**{ours[0]}**", *ours[1:], *peers])
    return table(["% less", "", *_OURS.values(), *PEERS], lines)


def _stream(stream: dict[str, Any]) -> list[str]:
    headers = [f"a stream of {stream['megabytes']:,} MB", "RAM at the most", *stream["rates"]]
    cells = ["times a copy with digest", f"{stream['peak_mb']:.0f} MB", *(f"{x:.1f}" for x in stream["rates"].values())]
    return table(headers, [cells])
