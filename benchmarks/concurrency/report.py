"""Owns the report for people: threads, ratios, reads beside the background, and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.concurrency.background import FIGURES
from benchmarks.concurrency.summary import crew
from benchmarks.concurrency.threads import QUANTILES
from benchmarks.durability.turns import spread
from benchmarks.keeping import source
from benchmarks.reduction.table import aligned
from benchmarks.traces.goals import goal_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = [name.removesuffix("_us") for name in QUANTILES]
THREAD_HEADERS = (
    *("threads", "% writes", "store", "operations/s", "quartiles"),
    *(f"{kind} {name} us" for kind in ("read", "write") for name in _NAMES),
)
RATIO_HEADERS = ("threads", "% writes", "in times of diskcache", "quartiles", "in times of fewest threads")
BACKGROUND_HEADERS = (
    *("who", "background"),
    *(name.replace("_ms", " ms").replace("_per_second", "/s").replace("_", " ") for name in FIGURES),
)


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    lines = [source(result)]
    if result["threads"] is not None:
        lines += ["", *aligned(THREAD_HEADERS, list(thread_cells(result)), left=(2, 4))]
        lines += ["", *aligned(RATIO_HEADERS, list(ratio_cells(result)), left=(3,))]
    if result["background"] is not None:
        lines += ["", surroundings(result), *aligned(BACKGROUND_HEADERS, list(background_cells(result)), left=(0, 1))]
        lines.append("late: how much too late a sleeper woke that wanted to every millisecond")
    return [*lines, "", *goal_lines(result["goals"])]


def surroundings(result: dict[str, Any]) -> str:
    """Say where cold values lie and what the background did."""
    told = result["background"]
    done = ", ".join(f"{number:,} {name}" for name, number in told["done"].items())
    return f"hot reads beside the background; cold is {told['cold']}; it did {done}"


def thread_cells(result: dict[str, Any]) -> Iterator[list[str]]:
    """Yield a line for each number of threads, mix and store."""
    for row in sorted(result["threads"], key=lambda row: (row["writes"], row["threads"])):
        rates = spread(row["rates"])
        times = [each[name] if each else None for each in (row["reads"], row["written"]) for name in QUANTILES]
        yield [
            *(f"{row['threads']}", f"{row['writes']}", row["name"]),
            *(f"{rates['median']:,.0f}", f"({rates['low']:,.0f} to {rates['high']:,.0f})"),
            *("" if each is None else f"{each:,.0f}" for each in times),
        ]


def ratio_cells(result: dict[str, Any]) -> Iterator[list[str]]:
    """Yield a line for each number of threads and mix."""
    for row in sorted(result["ratios"], key=lambda row: (row["writes"], row["threads"])):
        times = row["times"]
        quartiles = f"({times['low']:.2f} to {times['high']:.2f})"
        yield [f"{row['threads']}", f"{row['writes']}", f"{times['median']:.2f}", quartiles, f"{row['alone']:.2f}"]


def background_cells(result: dict[str, Any]) -> Iterator[list[str]]:
    """Yield a line for each crew and kind of period."""
    for row in result["background"]["rows"]:
        yield [crew(row), row["period"], f"{row[FIGURES[0]]:,.0f}", *(f"{row[name]:,.3f}" for name in FIGURES[1:])]
