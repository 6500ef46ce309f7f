"""Owns what a run replays and in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.adaptive.day import day
from benchmarks.adaptive.jobs import Row, ram, thresholds
from benchmarks.adaptive.plot import plot
from benchmarks.adaptive.report import report
from benchmarks.adaptive.settings import joined_settings, rams, settings
from benchmarks.adaptive.summary import goals, summary
from benchmarks.keeping import Benchmark, run
from benchmarks.traces.command import DATA, add_options, traces
from benchmarks.traces.processes import mapped
from stratakv.cli.progress import Steps

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

Work = TypeVar("Work")

PARTS = ("thresholds", "joined", "ram", "day")

_WHAT = (
    "Replays recorded traces through the tuner of idle thresholds and beside it the best static thresholds of "
    "hindsight, the break-even times and the founding hours; joins traces; divides a fixed RAM between namespaces; "
    "lives a day. On two processors that are free it takes about 5 minutes; --quick takes less than a minute."
)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("adaptive", _WHAT, PARTS, add_options, _measured, report, plot, DATA), arguments)


def _measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    rows: dict[str, list[Row]] = {"thresholds": [], "joined": [], "ram": []}
    quick, workers = options.quick, options.workers
    lived = None
    with traces(options) as found, Steps(" settings", as_json=options.json, lines=True) as steps:
        if "thresholds" in parts:
            rows["thresholds"] = _rows("thresholds", thresholds, list(settings(found, quick=quick)), workers, steps)
        if "joined" in parts:
            planned = list(joined_settings(found, quick=quick))
            rows["joined"] = _rows("joined traces", thresholds, planned, workers, steps)
        if "ram" in parts:
            rows["ram"] = _rows("fixed RAM", ram, list(rams(found, quick=quick)), workers, steps)
        if "day" in parts:
            steps.show("a day", 0, 1)
            lived = day(quick=quick)
    told = summary(rows)
    return {"what": found.what, "rows": rows, "summary": told, "day": lived, "goals": goals(told, lived)}


def _rows(
    what: str, function: Callable[[Work], list[Row]], planned: list[Work], workers: int, steps: Steps
) -> list[Row]:
    rows: list[Row] = []
    with mapped(function, planned, workers) as results:
        for done, each in enumerate(results, 1):
            rows += each
            steps.show(what, done, len(planned))
    return rows
