"""Owns what a run replays and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.hitratio.cells import cells
from benchmarks.hitratio.costs import costs
from benchmarks.hitratio.jobs import measured
from benchmarks.hitratio.plot import plot
from benchmarks.hitratio.report import report
from benchmarks.hitratio.summary import goals, summary
from benchmarks.traces.command import Benchmark, run
from stratakv.cli.progress import Steps
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from benchmarks.traces.sources import Found

PARTS = ("table", "wide", "joined", "bytes", "costs")

_WHAT = (
    "Replays recorded traces through every eviction policy, beside another simulator's figures and Belady's bound; "
    "compares the default with the best of each cell, over other sizes, regime changes and bytes; times a hit. "
    "On two processors that are free all of it takes about 15 minutes, most of that for the two longest traces "
    "(orm_busy with 5 million requests, oltp with 0.9 million); --quick takes less than a minute."
)


def main(arguments: list[str]) -> int:
    """Measure, print, perhaps draw; return the exit code."""
    return run(Benchmark("hitratio", _WHAT, PARTS, _measured, report, plot), arguments)


def _measured(found: Found, parts: list[str], options: argparse.Namespace) -> dict[str, Any]:
    planned = cells(found, parts, quick=options.quick)
    if not planned and parts != ["costs"]:
        raise ConfigurationError("there is no trace with reads to replay")
    priced = None
    with Steps(" replays", as_json=options.json) as steps:
        rows = measured(planned, options.workers, steps.show)
        if "costs" in parts:
            timed = cells(found, ["table"], quick=options.quick)
            priced = costs(timed, quick=options.quick, progress=steps.show)
    told = summary(rows)
    return {"rows": rows, "summary": told, "costs": priced, "goals": goals(told, priced)}
