"""Owns the options, and what a run measures in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import Benchmark, names_in, run
from benchmarks.vectors.peers import peers
from benchmarks.vectors.plot import plot
from benchmarks.vectors.report import report
from benchmarks.vectors.rotated import BOUNDS, QUICK_BOUNDS, encoded
from benchmarks.vectors.stores import losses, stored
from benchmarks.vectors.summary import goals
from benchmarks.vectors.tables import tables
from benchmarks.vectors.times import times
from stratakv.cli.progress import Steps
from stratakv.engine.rotation import DEFAULT_MIN_COSINE

if TYPE_CHECKING:
    import argparse

    from benchmarks.vectors.tables import Table

PARTS = ("alone", "stores")

_WHAT = (
    "Tells what vectors take when a learned rotation keeps them within a bound, and how many of the ten nearest are "
    "still found, beside steps of 8 and 4 bits, signs and float16: the codec alone, and whole stores (which take most "
    "of the time: about five minutes). --quick takes half a minute."
)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("vectors", _WHAT, PARTS, lambda _: None, _measured, report, plot), arguments)


def _measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    what, found = tables(options.data, names_in(options.only), quick=options.quick)
    left_out: list[str] = []
    with Steps(as_json=options.json, lines=True) as steps:
        rows = [_table(table, parts, options, left_out, steps) for table in found]
    wanted = [goal for row in rows for goal in goals(row)]
    return {"what": what, "tables": rows, "left_out": left_out, "goals": wanted}


def _table(
    table: Table, parts: tuple[str, ...], options: argparse.Namespace, left_out: list[str], steps: Steps
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": table.name,
        "vectors": len(table.base),
        "dimension": table.base.shape[1],
        "questions": len(table.neighbours.queries),
        "bytes": table.base.nbytes,
        "times": None,
        "rows": [],
    }
    if "alone" in parts:
        bounds = QUICK_BOUNDS if options.quick else BOUNDS
        for number, bound in enumerate(bounds):
            steps.show(table.name, number, len(bounds))
            found = encoded(table, bound)
            if found is None:
                left_out.append(f"{table.name}, {bound:g}: no model is worth its bytes")
                continue
            made["rows"].append(found.row)
            if bound == DEFAULT_MIN_COSINE:
                made["times"] = times(table.base, found)
        made["rows"] += peers(table)
    if "stores" in parts:
        for loss in losses(quick=options.quick):
            name = f"{table.name}, a store, {loss.name}"

            def progress(step: str, done: int, total: int, name: str = name) -> None:
                steps.show(f"{name}: {step}", done, total)

            made["rows"].append(stored(table, loss, progress))
    return made
