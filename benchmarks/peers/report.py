"""Owns the report for people: the table, the spread, what each store is, and the goals; and the cells for Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import source
from benchmarks.peers.summary import FIGURES, best
from benchmarks.peers.times import OPERATIONS
from benchmarks.reduction.table import aligned
from benchmarks.traces.goals import goal_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.peers.summary import Row

_MEGABYTE = 1 << 20
HEADERS = (
    *("store", "compared as", *(f"{name} us" for name in OPERATIONS), "filled us", "disk MB", "RAM MB"),
    *("kill -9 took", "synced first", "not exact"),
)
SPREAD_HEADERS = ("store", *OPERATIONS, "open ms")
KIND_HEADERS = (
    "store",
    "values are",
    "in RAM",
    "files",
    "length MB",
    "mapped MB",
    "documented to sync",
    "syncs counted",
)

READING = """\
Times are medians of calls, and in brackets how many times stratakv's (with the same durability) that is: above 1
stratakv is quicker, below 1 the other is. The least of a column has a star, for each durability its own.
Stores that keep live objects hand out the very ones: who changes one changes what is cached."""


def words(result: dict[str, Any]) -> list[list[str]]:
    """Return the words of the table, each with its meaning."""
    plain = f"{result['plain_bytes'] / _MEGABYTE:.2f} MB"
    return [
        ["set", "a new value"],
        ["hot", f"reading one of the {result['hot']} that were set last, which every store's RAM may hold"],
        ["restart", "the first read of a value in a new process; files are in the page cache"],
        ["filled", "setting every record and closing, a value's share, with nobody else at work"],
        ["disk", f"blocks of all files when closed; the values are {plain} as MessagePack, not compressed"],
        ["RAM", "what the process grew by, files that it maps aside, with every record set and read"],
        ["kill -9 took", "of values acknowledged before the kill, how many were gone or older when opened again"],
        ["synced first", "how many sets began a sync before they were acknowledged: what a power loss cannot take"],
        ["not exact", f"of {result['records']:,} values, those that came back with other types, as lists for tuples"],
    ]


def cells(rows: list[Row], star: tuple[str, str] = ("*", "")) -> Iterator[list[str]]:
    """Yield a line for each store; what is best stands between the two parts of `star`."""
    winners = best(rows)
    for row in rows:
        made = [row["name"], row["durability"]]
        for column in FIGURES:
            before, behind = star if (row["name"], column) in winners else ("", "")
            made.append(f"{before}{_figure(row, column)}{behind}")
        yield [*made, _killed(row["kills"]), _synced(row["syncs"]), _inexact(row["alone"])]


def _figure(row: Row, column: str) -> str:
    value = FIGURES[column](row)
    if value is None:
        return "-"
    if column in OPERATIONS:
        return f"{value:.1f} ({row['times'][column]['ratio']['median']:.2f})"
    return f"{value:.1f}" if column == "filled" else f"{value / _MEGABYTE:.2f}"


def _killed(told: dict[str, Any] | None) -> str:
    if told is None:
        return "-"
    closed = f", {len(told['not_opened'])} not opened" if told["not_opened"] else ""
    return f"{told['lost']:,} of {told['acknowledged']:,}{closed}"


def _synced(told: dict[str, Any] | None) -> str:
    return "not measured" if told is None else f"{told['waited']} of {told['sets']}"


def _inexact(told: dict[str, Any] | None) -> str:
    return "-" if told is None else f"{told['inexact']:,}"


def spread_cells(rows: Iterable[Row]) -> Iterator[list[str]]:
    """Yield the quartiles of the ratios, and what opening took, for each store whose times were measured."""
    for row in rows:
        if row["times"] is not None:
            ratios = (row["times"][name]["ratio"] for name in OPERATIONS)
            quartiles = (f"{each['low']:.2f} to {each['high']:.2f}" for each in ratios)
            yield [row["name"], *quartiles, f"{row['times']['open']['us']['median'] / 1000:.1f}"]


def kind_cells(rows: Iterable[Row]) -> Iterator[list[str]]:
    """Yield what each store is, and what of it is too long for the table."""
    for row in rows:
        alone, syncs = row["alone"], row["syncs"]
        sizes = ["-"] * 3
        if alone is not None:
            mapped = "-" if alone["ram"] is None else f"{alone['ram']['mapped'] / _MEGABYTE:.2f}"
            sizes = [f"{alone['disk']['files']:,}", f"{alone['disk']['length'] / _MEGABYTE:.2f}", mapped]
        counted = "not measured"
        if syncs is not None:
            counted = f"{syncs['during']}, {syncs['idle']} in 2 s of rest, {syncs['closing']} at close"
        yield [row["name"], row["form"], row["ram"], *sizes, row["synced"], counted]


def about(result: dict[str, Any]) -> list[str]:
    """Return what was stored and with what, as lines."""
    named = ", ".join(f"{name} {version}" for name, version in result["peer_versions"].items())
    ram = f"{result['ram_bytes'] / _MEGABYTE:g} MB of RAM for values, or {result['ram_values']:,} live objects"
    lines = [
        f"{result['records']:,} records, each read and compared; {ram}",
        "stratakv: its default configuration (level moderate) with that hot capacity",
        f"{named}; shelve on {result['dbm']}",
    ]
    if result["left_out"]:
        why = "above 64 KB, with long keys, or by their types"
        lines.append(f"{result['left_out']:,} records left out that not every store can have: {why}")
    return lines


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    rows = result["stores"]
    lines = [source(result), *about(result), "", *aligned(HEADERS, list(cells(rows)), left=(0, 1))]
    lines += ["", *READING.splitlines(), *aligned(["", ""], words(result), left=(0, 1))]
    if found := list(spread_cells(rows)):
        lines += ["", f"Quartiles of the ratios, {result['rounds']} rounds; opening after the restart"]
        lines += aligned(SPREAD_HEADERS, found)
    lines += ["", "What each store is", *aligned(KIND_HEADERS, list(kind_cells(rows)), left=(0, 1, 2, 6, 7))]
    for row in rows:
        if row["kills"] is not None:
            lines += [f"{row['name']} did not open after kill -9: {why}" for why in row["kills"]["not_opened"]]
    return [*lines, "", *goal_lines(result["goals"])]
