"""Owns the options, and what a run measures in which order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.durability.plot import plot
from benchmarks.durability.records import records
from benchmarks.durability.report import report
from benchmarks.durability.summary import goals, ratios
from benchmarks.durability.writes import QUICK, WHOLE, turns_of, writes
from benchmarks.keeping import Benchmark, names_in, run
from stratakv.cli.progress import Steps
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

PARTS = ("writes",)

_WHAT = (
    "Tells how many writes a second are acknowledged at each durability, with 1, 4 and 16 threads, beside diskcache "
    "and SQLite with full and with normal sync, in turns of the same records; every value is read back. What a sync of "
    "the medium takes stands beside it. About five minutes; --quick takes less than one."
)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("durability", _WHAT, PARTS, _add_options, _measured, report, plot), arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", metavar="N,...", default="", help="numbers of threads (default: 1,4,16)")
    parser.add_argument("--place", metavar="DIR", help="where stores go (default: the system's temporary directory)")


def _measured(options: argparse.Namespace, _: tuple[str, ...]) -> dict[str, Any]:
    extent = QUICK if options.quick else WHOLE
    if asked := names_in(options.threads):
        if not all(one.isdigit() and int(one) for one in asked):
            raise ConfigurationError("--threads takes numbers from 1 with commas between")
        extent = extent._replace(threads=tuple(map(int, asked)))
    place = None if options.place is None else Path(options.place)
    if place is not None and not place.is_dir():
        raise ConfigurationError(f"{place} is no directory")
    found = records(options.data, names_in(options.only), quick=options.quick)
    total, done = turns_of(extent), 0
    with Steps(as_json=options.json, lines=True) as steps:

        def progress() -> None:
            nonlocal done
            done += 1
            steps.show("writing in turns", done, total)

        measured = writes(found.values, extent, place, progress)
    result = {"what": found.what, "each": extent.each, "rounds": extent.rounds, **measured}
    result["ratios"] = ratios(measured["rows"])
    return result | {"goals": goals(result["ratios"])}
