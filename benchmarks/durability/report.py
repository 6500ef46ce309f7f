"""Owns the report for people: rates, ratios, what the words mean, and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.durability.turns import spread
from benchmarks.keeping import source
from benchmarks.reduction.table import aligned
from benchmarks.traces.goals import goal_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADERS = ("threads", "store", "survives", "writes/s", "quartiles", "settled too", "p50 us", "p99 us", "most ms")
RATIO_HEADERS = ("threads", "store", "in times of", "writes/s", "quartiles", "settled too")

LEGEND = """\
  survives     what an acknowledged write survives
  settled too  counting the time in which a store does at once what it would do in the background
  normal/full  PRAGMA synchronous of a peer, in WAL mode; SQLite: pickles in one table, a connection a thread
  one at a time  a lock of the process before the peer's own, so that no thread sleeps in SQLite's busy handler"""


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    lines = [source(result), extent(result), "", *aligned(HEADERS, list(cells(result)), left=(1, 2, 4))]
    lines += ["", *aligned(RATIO_HEADERS, list(ratio_cells(result)), left=(1, 2, 4))]
    return [*lines, "", *LEGEND.splitlines(), "", *goal_lines(result["goals"])]


def extent(result: dict[str, Any]) -> str:
    """Say how much was measured, and what the medium is like."""
    disk = result["sync_us"]
    return (
        f"{result['rounds']} turns of {result['each']} writes a thread; fdatasync of 4 KB appended here: "
        f"{disk['median']:.0f} us ({disk['low']:.0f} to {disk['high']:.0f})"
    )


def cells(result: dict[str, Any]) -> Iterator[list[str]]:
    """Yield a line for each number of threads and contender."""
    for row in result["rows"]:
        rates = spread(row["rates"])
        yield [
            *(f"{row['threads']}", row["name"], row["survives"]),
            *(f"{rates['median']:,.0f}", f"({rates['low']:,.0f} to {rates['high']:,.0f})"),
            f"{row['settled']:,.0f}",
            *(f"{row['p50_us']:,.0f}", f"{row['p99_us']:,.0f}", f"{row['most_us'] / 1000:,.1f}"),
        ]


def ratio_cells(result: dict[str, Any]) -> Iterator[list[str]]:
    """Yield a line for each number of threads and pair."""
    for row in result["ratios"]:
        times = row["times"]
        quartiles = f"({times['low']:.2f} to {times['high']:.2f})"
        yield [
            *(f"{row['threads']}", row["ours"], row["other"]),
            *(f"{times['median']:.2f}", quartiles, f"{row['settled']:.2f}"),
        ]
