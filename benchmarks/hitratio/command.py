"""Owns what a run replays and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.hitratio.cells import cells
from benchmarks.hitratio.costs import costs
from benchmarks.hitratio.jobs import measured
from benchmarks.hitratio.plot import plot
from benchmarks.hitratio.report import report
from benchmarks.hitratio.summary import goals, summary
from benchmarks.keeping import Benchmark, run
from benchmarks.traces.command import DATA, add_options, traces
from stratakv.cli.progress import Steps
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

PARTS = ("table", "wide", "joined", "bytes", "costs")

_WHAT = (
    "Replays recorded traces through every eviction policy, beside another simulator's figures and Belady's bound; "
    "compares the default with the best of each cell, over other sizes, regime changes and bytes; times a hit. "
    "On two processors that are free all of it takes about 15 minutes, most of that for the two longest traces "
    "(orm_busy with 5 million requests, oltp with 0.9 million); --quick takes less than a minute."
)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("hitratio", _WHAT, PARTS, add_options, _measured, report, plot, DATA), arguments)


def _measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    priced = None
    with traces(options) as found, Steps(" replays", as_json=options.json, lines=True) as steps:
        planned = cells(found, parts, quick=options.quick)
        if not planned and parts != ("costs",):
            raise ConfigurationError("there is no trace with reads to replay")
        rows = measured(planned, options.workers, steps.show)
        if "costs" in parts:
            timed = cells(found, ["table"], quick=options.quick)
            priced = costs(timed, quick=options.quick, progress=steps.show)
    told = summary(rows)
    return {"what": found.what, "rows": rows, "summary": told, "costs": priced, "goals": goals(told, priced)}
