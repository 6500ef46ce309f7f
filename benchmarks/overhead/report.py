"""Owns the report for people: a table for each part that ran, what the words mean, and the budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import source
from benchmarks.overhead.summary import HEADERS, budget_cells, with_quartiles
from benchmarks.reduction.table import aligned

if TYPE_CHECKING:
    from collections.abc import Iterator

RATIO_HEADERS = ("single calls", "ratio", "quartiles")
CALL_HEADERS = ("call", "p50 us", "p99 us")
ROW_HEADERS = ("stores in a row", "seconds", "CPU s", "per second", "bytes a record at rest")
WAY_HEADERS = (
    *("engine", "requests", "way", "per second", "1st lap / bare", "quartiles", "2nd lap / bare", "its quartiles"),
    *("p50 us", "p99", "p99.9", "2nd lap's reads p50", "writes p50"),
)
ALONE_HEADERS = (
    *("alone in a process", "requests", "way", "per second", "CPU s", "CPU / bare", "time / bare"),
    "RAM grew by MB",
)

LEGEND = """\
  way           bare; pass-through: wrapped with no configuration; absorb and write_through: the modes of wrapping
  lap / bare    time of a lap, in turns of 50 requests with the bare engine; all requests come twice, and the first lap
                pays for taking values over
  alone         each way in processes of its own: closing counts, CPU of all threads but not of servers; RAM from before
                the engine was filled"""


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    lines = [source(result)]
    if result["floors"] is not None:
        lines += ["", heading(result["floors"]), *aligned(CALL_HEADERS, list(call_cells(result["floors"]))), ""]
        lines += aligned(RATIO_HEADERS, list(ratio_cells(result["floors"])))
    if result["sustained"] is not None:
        lines += ["", *aligned(ROW_HEADERS, list(row_cells(result["sustained"]))), *remarks(result["sustained"])]
    if result["rows"]:
        lines += ["", *aligned(WAY_HEADERS, list(way_cells(result["rows"])), left=(0, 1, 2))]
        if alone := list(alone_cells(result["rows"])):
            lines += ["", *aligned(ALONE_HEADERS, alone, left=(0, 1, 2))]
        lines += ["", *LEGEND.splitlines()]
    lines += [f"left out: {line}" for line in result["left_out"]]
    return [*lines, "", *aligned(HEADERS, list(budget_cells(result["budgets"])), left=(0, 5))]


def heading(floors: dict[str, Any]) -> str:
    """Say what single calls were measured on."""
    return f"{floors['records']:,} records, in turns, {floors['rounds']} rounds with fresh directories"


def call_cells(floors: dict[str, Any]) -> Iterator[list[str]]:
    """Yield what each call takes."""
    for name, median in floors["us"].items():
        yield [name, f"{median:.1f}", f"{floors['p99_us'][name]:.1f}"]


def ratio_cells(floors: dict[str, Any]) -> Iterator[list[str]]:
    """Yield ratios of calls."""
    for name, ratio in floors["ratios"].items():
        yield [name, *with_quartiles(ratio)]


def row_cells(sustained: dict[str, Any]) -> Iterator[list[str]]:
    """Yield what many stores take, ours and diskcache's."""
    count = sustained["records"]
    for name, told in sustained["each"].items():
        rate, bytes_each = count / told["seconds"], told["bytes"] / count
        yield [name, f"{told['seconds']:.2f}", f"{told['cpu_seconds']:.2f}", f"{rate:,.0f}", f"{bytes_each:,.0f}"]


def remarks(sustained: dict[str, Any]) -> Iterator[str]:
    """Yield what the columns do not tell."""
    ours, count = sustained["each"]["stratakv"], sustained["records"]
    yield (
        f"{count:,} records of {sustained['plain_bytes'] / count:.0f} bytes as JSON, {sustained['rounds']} rounds; of "
        f"ours {ours['stores_alone']:.2f} s until the last store returned, the rest is flush and background work"
    )
    parts = ", ".join(
        f"{name} {ours['parts'][name] / count:,.0f}" for name in ("warm", "cold", "catalog", "journal", "other")
    )
    yield f"our bytes a record by place: {parts}"


def way_cells(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield a line for each way to use an engine under a workload."""
    for row in rows:
        for way, told in row["ways"].items():
            first, second, p50 = told["first_times_bare"], told["second_times_bare"], told["p50_of_us"]
            yield [
                row["engine"],
                _requests(row),
                way,
                f"{told['per_second']:,.0f}",
                *(cell for ratio in (first, second) for cell in with_quartiles(ratio)),
                *(f"{told[name]:,.1f}" for name in ("p50_us", "p99_us", "p999_us")),
                *(f"{p50[name]:,.1f}" if name in p50 else "-" for name in ("second_reads", "writes")),
            ]


def alone_cells(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield a line for each way that ran in processes of its own."""
    for row in rows:
        for way, told in row["alone"].items():
            yield [
                row["engine"],
                _requests(row),
                way,
                f"{told['per_second']:,.0f}",
                f"{told['cpu_seconds']:.2f}",
                with_quartiles(told["cpu_seconds_times_bare"])[0],
                with_quartiles(told["seconds_times_bare"])[0],
                f"{told['ram_bytes'] / 1e6:.1f}",
            ]


def _requests(row: dict[str, Any]) -> str:
    return f"{row['workload']}, 2 x {row['requests'] // 2:,} of {row['keys']:,} keys"
