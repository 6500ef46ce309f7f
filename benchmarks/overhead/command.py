"""Owns the options, and what a run measures in which order."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.keeping import Benchmark, names_in, run
from benchmarks.overhead.alone import processes
from benchmarks.overhead.engines import KINDS, served
from benchmarks.overhead.floors import QUICK_ROUNDS, ROUNDS, floors
from benchmarks.overhead.plot import plot
from benchmarks.overhead.records import records
from benchmarks.overhead.report import report
from benchmarks.overhead.requests import BARE
from benchmarks.overhead.summary import budgets
from benchmarks.overhead.sustained import sustained
from benchmarks.overhead.workloads import recorded, zipf
from benchmarks.overhead.wrapping import side_by_side
from benchmarks.traces.sources import in_directory, of_demo
from stratakv.cli.progress import Steps
from stratakv.errors import ConfigurationError
from tests.servers.valkey import NoServerError

if TYPE_CHECKING:
    import argparse

    from benchmarks.overhead.engines import Kind, Place
    from benchmarks.overhead.workloads import Workload
    from benchmarks.traces.sources import Source

PARTS = ("floors", "sustained", "wrapping", "traces")
TRACES = ("oltp", "web07", "mooncake_conversation", "git_caffeine_writes")
"""Those that are there of these, unless others are named: pages of a database and of the web, prompts, files."""

_WHAT = (
    "Tells what a store and a read cost beside the codec alone and diskcache, and what requests take of a dict, "
    "diskcache, Valkey and S3 (moto's server, and Ceph where its programs are installed), bare and wrapped. About "
    "fifteen minutes; --quick takes one, without Ceph."
)


class Size(NamedTuple):
    """How much is measured; the second of two numbers is for engines that are remote. Requests are those of a lap."""

    records: int
    sustained: int
    floor_rounds: int
    keys: tuple[int, int]
    requests: tuple[int, int]
    traced: tuple[int, int]
    traces: int
    rounds: int


_WHOLE = Size(4_000, 20_000, ROUNDS, (5_000, 300), (10_000, 500), (4_000, 200), len(TRACES), 3)
_QUICK = Size(1_200, 2_000, QUICK_ROUNDS, (300, 30), (1_500, 50), (500, 25), 1, 2)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("overhead", _WHAT, PARTS, _add_options, _measured, report, plot), arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--records", type=int, metavar="N", help=f"stored in a row ({_WHOLE.sustained:,}; quick: {_QUICK.sustained:,})")
    add("--engines", metavar="NAME,...", default="", help=f"only these of {', '.join(KINDS)}")


def _measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    size = _QUICK if options.quick else _WHOLE
    kinds = _kinds(options)
    in_a_row = options.records or size.sustained
    if in_a_row < size.records:
        raise ConfigurationError(f"--records is at least {size.records:,}: so many are needed for single calls")
    what, each = records(options.data, in_a_row)
    left_out = ["s3-ceph: not in a quick run"] if options.quick and not options.engines else []
    result: dict[str, Any] = {"what": what, "floors": None, "sustained": None, "rows": [], "left_out": left_out}
    with Steps(as_json=options.json, lines=True) as steps, tempfile.TemporaryDirectory() as directory:
        traces = _traces(options, Path(directory), size.traces) if "traces" in parts else []
        if "floors" in parts:
            progress = partial(steps.show, "single calls")
            result["floors"] = floors(each[: size.records], size.floor_rounds, progress)
        if "sustained" in parts:
            result["sustained"] = sustained(each, partial(steps.show, "stores in a row"))
        for kind in kinds if {"wrapping", "traces"} & {*parts} else []:
            workloads = [zipf(each, size.keys[kind.remote], size.requests[kind.remote])] if "wrapping" in parts else []
            workloads += [recorded(source, each, size.traced[kind.remote]) for source in traces]
            try:
                result["rows"] += _rows(kind, workloads, size.rounds, options, steps)
            except NoServerError as missing:
                left_out.append(f"{kind.name}: {missing}")
    return result | {"budgets": budgets(result)}


def _kinds(options: argparse.Namespace) -> list[Kind]:
    asked = names_in(options.engines)
    if unknown := [name for name in asked if name not in KINDS]:
        raise ConfigurationError(f"there is no engine {', '.join(unknown)}: known are {', '.join(KINDS)}")
    usual = [name for name in KINDS if not (options.quick and name == "s3-ceph")]
    return [KINDS[name] for name in asked or usual]


def _traces(options: argparse.Namespace, directory: Path, most: int) -> list[Source]:
    """Return the traces of the directory that was named; the demo's where it has none or is a file of records."""
    here = options.data is not None and (Path(options.data) / "traces").is_dir()
    found = in_directory(Path(options.data)) if here else of_demo(directory, quick=options.quick)
    asked = names_in(options.only)
    if unknown := [name for name in asked if name not in found.sources]:
        raise ConfigurationError(f"there is no trace {', '.join(unknown)}: known are {', '.join(found.sources)}")
    usual = [name for name in TRACES if name in found.sources] or list(found.sources)
    return [found.sources[name] for name in asked or usual[:most]]


def _rows(
    kind: Kind, workloads: list[Workload], rounds: int, options: argparse.Namespace, steps: Steps
) -> list[dict[str, Any]]:
    """Measure workloads on one kind of engine; the first of them as often in processes of its own."""
    made = []
    with served(kind) as place:
        for number, workload in enumerate(workloads):
            first = number == 0
            alone = int(first and not kind.remote) if options.quick else rounds if first else 1
            made.append(_row(kind, place, workload, rounds, alone, steps))
    return made


def _row(kind: Kind, place: Place, workload: Workload, rounds: int, rounds_alone: int, steps: Steps) -> dict[str, Any]:
    """Measure one workload on one kind of engine."""
    steps.show(f"{kind.name}, {workload.name}", 0, 2)
    ways = side_by_side(kind, place, workload, rounds)
    alone = processes(kind, place, workload, (BARE, *kind.modes), rounds_alone) if rounds_alone else {}
    return {
        "engine": kind.name,
        "judged": kind.judged,
        "workload": workload.name,
        "keys": len(workload.filled),
        "requests": len(workload.requests),
        "rounds": rounds,
        "ways": ways,
        "alone": alone,
    }
