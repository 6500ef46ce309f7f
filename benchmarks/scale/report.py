"""Owns the report for people: a table for each thing measured, what the words mean, and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import source
from benchmarks.reduction.table import aligned
from benchmarks.scale.openings import AFTER
from benchmarks.scale.stores import HOT_MB
from benchmarks.scale.summary import bytes_a_key, catalog_bytes, count, ram_mb
from benchmarks.traces.goals import goal_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Rows = list[dict[str, Any]]

OPERATIONS = ["keys", "operation", "a second", "p50 us", "p99 us", "p99.9 us", "calls"]
LOADING = ["keys", "unique", "store_many a second", "in its last tenth", "single a second", "p99.9 us", "whole s"]
SUSTAINED = ["keys", "way", "a second", "quartiles", "times diskcache.set", "quartiles"]
ACROSS = ["keys", "read", "us", "us in the smallest", "times its rate", "quartiles"]
MEMORY = ["keys", "loaded", "most while loading", "served", "the most"]
DISK = ["keys", "", "packs", "catalog", "beyond the key", "dictionaries", "journal", "other", "all", "plain"]
OPENING = ["keys", "after", "open ms", "quartiles", "first value ms", "quartiles"]
UPKEEP = ["keys", "maintain s", "settling s", "us a key", "RAM MB more at the most"]

_CALLS = {"p50": 1, "p99": 100, "p999": 1000}
"""So many calls must there be for a share of them to be told."""

LEGEND = f"""\
  each number of keys has processes of its own; {HOT_MB} MB of RAM for values; files are in the page cache
  loading     thousands of keys by store_many, every tenth thousand one by one; unique: contents for each key
  operations  on the full store, each call timed; warm: from packs, at random keys, RAM emptied before
  sustained   new keys; a turn ends when its checkpoint has ended; in turns with diskcache, which has fewer rows
  across      a turn of 50 reads there and a turn in the smallest store, both open in one process
  RAM         MB beyond imports and the benchmark's own records; served: after all operations
  disk        bytes a key; catalog beyond the key: without the key's own bytes; plain: key and serialised value
  opening     after crash: {{journaled}} acknowledged records are in the journal; first value: opening and one read
  upkeep      maintain() after the load; settling: maintain(settle=True), which packs everything anew for cold"""


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    rows = result["sizes"]
    lines = [source(result), f"{result['recorded']:,} recorded records; the time and long numbers differ in each key's"]
    for heading, headers, cells, left in sections(rows):
        lines += ["", heading, *aligned(headers, cells, left=left)]
    return [*lines, "", *legend().splitlines(), "", *goal_lines(result["goals"])]


def legend() -> str:
    """Say what the words mean."""
    from benchmarks.scale.openings import JOURNALED

    return LEGEND.format(journaled=f"{JOURNALED:,}")


def sections(rows: Rows) -> Iterator[tuple[str, list[str], list[list[str]], tuple[int, ...]]]:
    """Yield heading, headers, cells, and the columns of text, of what was measured."""
    tables = (
        ("Loading", LOADING, _loading(rows), (0,)),
        ("Operations", OPERATIONS, _operations(rows), (0, 1)),
        ("Storing, checkpoints included, beside diskcache", SUSTAINED, _sustained(rows), (0, 1)),
        ("Reads beside those of the smallest store", ACROSS, _across(rows), (0, 1)),
        ("RAM, MB beyond imports", MEMORY, _memory(rows), (0,)),
        ("Disk, bytes a key", DISK, _disk(rows), (0, 1)),
        ("Opening", OPENING, _opening(rows), (0, 1)),
        ("maintain", UPKEEP, _upkeep(rows), (0,)),
    )
    for heading, headers, cells, left in tables:
        made = list(cells)
        if made:
            yield heading, headers, made, left


def _loading(rows: Rows) -> Iterator[list[str]]:
    for row in rows:
        made = row["loading"]
        single = made["single"]
        alone = [f"{single['rate']:,.0f}", f"{single['p999']:,.0f}"] if single else ["-", "-"]
        many = [f"{made['many_rate']:,.0f}", f"{made['many_rates'][-1]:,.0f}"]
        yield [count(row["keys"]), f"{made['unique_share']:.3f}", *many, *alone, f"{made['seconds']:,.0f}"]


def _operations(rows: Rows) -> Iterator[list[str]]:
    for name in rows[0]["operations"] if rows else ():
        for row in rows:
            told = row["operations"][name]
            times = (f"{told[share]:,.1f}" if told["calls"] >= least else "-" for share, least in _CALLS.items())
            yield [count(row["keys"]), name, f"{told['rate']:,.0f}", *times, f"{told['calls']:,}"]


def _measured(rows: Rows, part: str) -> Iterable[tuple[str, dict[str, Any]]]:
    return ((count(row["keys"]), row[part]) for row in rows if row[part])


def _sustained(rows: Rows) -> Iterator[list[str]]:
    for keys, told in _measured(rows, "sustained"):
        for name, rate in told["rates"].items():
            times = told["times"].get(name)
            compared = _spread(times, ".2f") if times else ["1", ""]
            rows_of = f" at {count(told['peer_rows'])} rows" if times is None else ""
            yield [keys, name + rows_of, *_spread(rate, ",.0f"), *compared]


def _across(rows: Rows) -> Iterator[list[str]]:
    for keys, told in _measured(rows, "across"):
        for name in ("hot", "warm"):
            one = told[name]
            yield [keys, name, f"{one['us']:.1f}", f"{one['small_us']:.1f}", *_spread(one["times"], ".2f")]


def _memory(rows: Rows) -> Iterator[list[str]]:
    for row in rows:
        ram = ram_mb(row)
        yield [count(row["keys"]), *(f"{ram[name]:.0f}" for name in ("loaded", "loading_peak", "served", "peak"))]


def _disk(rows: Rows) -> Iterator[list[str]]:
    for row in rows:
        for when in row["disk"]:
            held, beyond = bytes_a_key(row, when) or {}, catalog_bytes(row, when)
            cells = [f"{held[name]:.1f}" for name in ("packs", "catalog", "dictionaries", "journal", "other", "files")]
            plain = f"{row['key_bytes'] + row['value_bytes']:.1f}"
            yield [count(row["keys"]), when, *cells[:2], f"{beyond:.1f}", *cells[2:], plain]


def _opening(rows: Rows) -> Iterator[list[str]]:
    for keys, told in _measured(rows, "openings"):
        for after in AFTER:
            yield [keys, after, *_spread(told[after]["open_ms"], ".1f"), *_spread(told[after]["first_value_ms"], ".1f")]


def _upkeep(rows: Rows) -> Iterator[list[str]]:
    for row in rows:
        if told := row["upkeep"]:
            each = 1e6 * told["settle_seconds"] / row["settled_keys"]
            seconds = [f"{told['seconds']:.1f}", f"{told['settle_seconds']:,.1f}", f"{each:.0f}"]
            yield [count(row["keys"]), *seconds, f"{told['peak_over_opened'] / (1 << 20):.0f}"]


def _spread(told: dict[str, float], form: str) -> list[str]:
    return [format(told["median"], form), f"{told['low']:{form}} to {told['high']:{form}}"]
