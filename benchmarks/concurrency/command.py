"""Owns the options, and what a run measures in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.concurrency import background as beside
from benchmarks.concurrency import threads as crews
from benchmarks.concurrency.plot import plot
from benchmarks.concurrency.report import report
from benchmarks.concurrency.summary import goals, ratios
from benchmarks.durability.records import records
from benchmarks.keeping import Benchmark, names_in, run
from stratakv.cli.progress import Steps

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

PARTS = ("threads", "background")

_WHAT = (
    "Tells how hot reads and mixed work go with 1, 2, 4 and 8 threads, beside diskcache, in turns; and how long hot "
    "reads wait while the background has everything to do, beside none. Every value is compared. About five minutes; "
    "--quick takes less than one."
)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("concurrency", _WHAT, PARTS, _add_options, _measured, report, plot), arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--s3", action="store_true", help="background: cold is a bucket of moto's server, on loopback")


def _measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    found = records(options.data, names_in(options.only), quick=options.quick)
    result: dict[str, Any] = {"what": found.what, "threads": None, "ratios": None, "background": None}
    with Steps(as_json=options.json, lines=True) as steps:
        if "threads" in parts:
            whole = crews.QUICK if options.quick else crews.WHOLE
            progress = _counting(steps, "threads in turns", crews.turns_of(whole))
            result["threads"] = crews.threads(found.values, whole, progress)
            result["ratios"] = ratios(result["threads"])
        if "background" in parts:
            extent = beside.QUICK if options.quick else beside.WHOLE
            progress = _counting(steps, "beside the background", beside.periods_of(extent))
            result["background"] = beside.background(found.values, extent, s3=options.s3, progress=progress)
    return result | {"goals": goals(result)}


def _counting(steps: Steps, name: str, total: int) -> Callable[[], None]:
    """Return what is called at every step of so many."""
    done = iter(range(1, total + 1))
    return lambda: steps.show(name, next(done), total)
