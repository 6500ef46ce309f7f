"""Owns the report for people: a table for each part that ran, what the words mean, and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import source
from benchmarks.large.summary import COLUMNS
from benchmarks.reduction.table import aligned, percent
from benchmarks.traces.goals import goal_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

WHEN = {"together": "all stored, then settled", "one_by_one": "settled after each"}

LEGEND = """\
  cut      versions that are large enough for chunks by default; shorter ones share a block with their neighbours
  default  as the store is: what is cut is kept in chunks that versions share
  packs    files that hold the values, manifests of chunks included, and dictionaries
  catalog  and what the catalog grew by beyond that of an empty store: rows of keys, contents, chunks and manifests
  files    every file of the store, the fixed price of an empty one included
  each     every version compressed alone; --long: all in one stream, of which none can be read alone
  4 KB     content-defined chunks of 4 KB as borg makes them, each zstd-3, kept once, 40 bytes of index for each"""


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    lines = [source(result)]
    if result["summary"] is not None:
        lines += _saved(result)
    if result["ranges"] is not None:
        lines += ["", "A part beside the whole, read from disk, interleaved; quartiles in brackets"]
        headers = ["tier", "value", "part", "of", "whole ms", "part ms", "part / whole", ""]
        lines += aligned(headers, list(range_cells(result["ranges"])), left=(0, 1, 7))
    if result["costs"] is not None:
        lines += ["", f"Storing {result['costs']['bytes']:,} bytes beside serialise, digest and zstd-3"]
        lines += aligned(["what", "median", "quartiles"], list(cost_cells(result["costs"])), left=(0, 2))
    if result["stream"] is not None:
        lines += ["", *_streamed(result["stream"])]
    return [*lines, "", *goal_lines(result["goals"])]


def _saved(result: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield "Percent less than the versions"
    yield from aligned(["document", "versions", "cut", "MB", "", *COLUMNS], list(saved_cells(result)), left=(0, 4))
    yield from ("", *LEGEND.splitlines())


def saved_cells(result: dict[str, Any]) -> Iterator[list[str]]:
    """Yield two lines for each document, and two of their means."""
    told = result["summary"]
    rows = [
        (row["name"], f"{row['versions']}", f"{row['cut']}", f"{row['bytes'] / 1e6:.2f}") for row in result["documents"]
    ]
    found = [*told["documents"].values(), told["mean"]]
    for first, saved in zip([*rows, ("mean", "", "", "")], found, strict=True):
        for when, words in WHEN.items():
            both = saved[when] | saved["peers"]
            yield [*first, words, *(percent(both[name]) for name in COLUMNS)]


def range_cells(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield a line for each part that was read."""
    for row in rows:
        times = [f"{row['whole_ms']:.2f}", f"{row['part_ms']:.2f}", f"{row['ratio']:.4f}"]
        spread = f"({row['low']:.4f} to {row['high']:.4f})"
        yield [row["tier"], row["kind"], f"{row['length']:,}", f"{row['of']:,}", *times, spread]


def cost_cells(costs: dict[str, Any]) -> Iterator[list[str]]:
    """Yield milliseconds and ratios with their quartiles."""
    for name, spread in costs["spread"].items():
        yield [name, f"{spread['median']:.2f}", f"{spread['low']:.2f} to {spread['high']:.2f}"]


def _streamed(stream: dict[str, Any]) -> Iterator[str]:
    yield f"A stream of {stream['megabytes']:,} MB through a process of its own"
    imported = stream["imported_bytes"] / (1 << 20)
    yield f"  RAM at the most {stream['peak_mb']:.0f} MB, {imported:.0f} MB of it before anything was stored"
    rates = ", ".join(f"{name} {ratio:.1f}" for name, ratio in stream["rates"].items())
    yield f"  in times of copying the file with SHA-256 and a sync: {rates}"
    yield f"  at rest {stream['rest_bytes'] / (1 << 20):.0f} MB"
