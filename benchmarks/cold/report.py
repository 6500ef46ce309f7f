"""Owns the report for people: reads, requests, the bill, and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.cold.summary import values_a_put
from benchmarks.keeping import source
from benchmarks.reduction.table import aligned
from benchmarks.traces.goals import goal_lines

if TYPE_CHECKING:
    from collections.abc import Iterator


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    reads = result["reads"]
    lines = [source(result), "", f"A read of one value, {read_words(result)}"]
    lines += aligned(["what", "median us"], list(read_cells(reads)), left=(0,))
    lines += ["", f"Requests; one PUT of the demotion took {values_a_put(result):,.0f} values along"]
    lines += aligned(["work", *kinds(result)], list(request_cells(result)), left=(0,))
    lines += ["", "A month's bill"]
    lines += aligned(["", "by the statistics", "by arithmetic"], list(bill_cells(result["bill"])), left=(0,))
    return [*lines, "", *goal_lines(result["goals"])]


def read_words(result: dict[str, Any]) -> str:
    """Say how often what was read."""
    reads = result["reads"]
    spread = f"{reads['ratio']:.3f} ({reads['low']:.3f} to {reads['high']:.3f})"
    return f"{reads['reads']:,} of blocks of {reads['mean_bytes'] / 1000:.0f} KB; retrieve / raw GET {spread}"


def read_cells(reads: dict[str, Any]) -> Iterator[list[str]]:
    """Yield what was timed and its median."""
    for name, value in reads["microseconds"].items():
        yield [name, f"{value:,.1f}"]


def kinds(result: dict[str, Any]) -> list[str]:
    """Return the kinds of requests."""
    return list(next(iter(result["requests"].values())))


def request_cells(result: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the requests of each piece of work."""
    for step, counted in result["requests"].items():
        yield [step, *(f"{counted[kind]:,}" for kind in kinds(result))]


def bill_cells(bill: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the whole, once it is told, and the storage alone.

    The statistics tell it after ten minutes; what the requests of a shorter run would come to in a month is no bill.
    """
    if bill["told"] is not None:
        yield ["all", f"{bill['told']:.6f}", f"{bill['own']:.6f}"]
    yield ["storage alone", f"{bill['storage_told']:.8f}", f"{bill['storage_own']:.8f}"]
