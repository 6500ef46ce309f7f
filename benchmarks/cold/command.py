"""Owns the options, the order of a run, the verdicts and the exit codes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.cold.reads import timed_reads
from benchmarks.cold.requests import DELETED, bill, compaction, economy, many_reads
from benchmarks.cold.store import ColdStore, records
from benchmarks.reduction.plot import check_matplotlib
from benchmarks.reduction.surroundings import machine, revision, versions
from stratakv.cli.records import RecordFileError
from stratakv.engine.records import IN_COLD
from stratakv.errors import ConfigurationError
from tests.servers.moto import S3Server, aws_environment, moto_server

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES, QUICK_VALUES = 100_000, 5_000
LAPS, QUICK_LAPS = 7, 3
READS = 1_000
MOST_READ, GOAL_READ = 1.15, 1.05
MOST_PUTS, GOAL_PUTS = 1 / 500, 1 / 5000
BILL_WITHIN = 0.02


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[S3Server]:
    """Yield the server that the options name, or moto's."""
    if options.endpoint is None:
        with aws_environment(), moto_server() as server:
            yield server
        return
    port = urlsplit(options.endpoint).port or 80
    with aws_environment({"AWS_ACCESS_KEY_ID": options.key, "AWS_SECRET_ACCESS_KEY": options.secret}):
        yield S3Server(options.endpoint, port, options.key, options.secret)


def measure(server: S3Server, values: dict[str, Any], laps: int, reads: int, directory: Path) -> dict[str, Any]:
    """Store, demote, reopen, read, compact."""
    bench = ColdStore(server, directory)
    try:
        requests = {"opening": bench.parts.backends[IN_COLD].requests(), **economy(bench, values)}
        bench.reopen()
        result = timed_reads(bench, values, laps)
        bench.reopen()
        requests |= many_reads(bench, values, reads)
        billed = bill(bench)
        requests[f"compaction, {DELETED:.0%} deleted"] = compaction(bench, values)
    finally:
        bench.memory.shutdown()
        bench.plain.close()
    return {"values": len(values), "requests": requests, "reads": result, "bill": billed}


def verdicts(result: dict[str, Any]) -> dict[str, bool]:
    """Tell which budgets are kept."""
    bill = result["bill"]
    return {
        "cold read": result["reads"]["ratio"] <= MOST_READ,
        "PUT requests": result["requests"]["demotion"]["put"] <= MOST_PUTS * result["values"],
        "bill": all(
            abs(bill[ours] - bill[own]) <= BILL_WITHIN * bill[own]
            for ours, own in (("told", "own"), ("storage_told", "storage_own"))
        ),
    }


def report(result: dict[str, Any]) -> str:
    """Return the result as text."""
    reads, bill = result["reads"], result["bill"]
    lines = [f"{result['values']:,} small values, server {result['server']}", "", "median microseconds of a cold read"]
    lines += [f"  {name:16}{value:10.1f}" for name, value in reads["microseconds"].items()]
    lines.append(
        f"  retrieve / raw GET {reads['ratio']:.3f} ({reads['low']:.3f} to {reads['high']:.3f}), at most {MOST_READ}, "
        f"goal {GOAL_READ}; {reads['reads']} reads of {reads['mean_bytes'] / 1000:.0f} KB"
    )
    kinds = next(iter(result["requests"].values()))
    lines += ["", f"{'requests':28}" + "".join(f"{kind:>16}" for kind in kinds)]
    for step, counted in result["requests"].items():
        lines.append(f"{step:28}" + "".join(f"{counted[kind]:16,}" for kind in kinds))
    puts = result["requests"]["demotion"]["put"]
    lines.append(
        f"  demotion: 1 PUT for {result['values'] / max(1, puts):,.0f} values, "
        f"at least {1 / MOST_PUTS:,.0f}, goal {1 / GOAL_PUTS:,.0f}"
    )
    lines += ["", "a month's bill", f"  by the statistics {bill['told']:.6f}, by arithmetic {bill['own']:.6f}"]
    lines.append(f"  storage alone {bill['storage_told']:.8f}, {bill['storage_own']:.8f}")
    lines += ["", *(f"{what}: {'kept' if kept else 'NOT KEPT'}" for what, kept in verdicts(result).items())]
    return "\n".join(lines)


_PARTS = ("our GET", "look-up", "check", "decode", "digest", "deserialise")


def _plot(result: dict[str, Any], file: Path) -> None:
    """Draw what a cold read is made of, beside the raw GET, into a PNG file."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    times = result["reads"]["microseconds"]
    figure, axes = plt.subplots(figsize=(9, 2.4), dpi=150)
    axes.barh("raw GET", times["raw GET"], color="#a9c6ee")
    axes.barh("retrieve", times["retrieve"], color="#b8b8c8")
    left = 0.0
    for part in _PARTS:
        axes.barh("its parts", times[part], left=left, label=part)
        left += times[part]
    axes.set_xlabel(f"median microseconds, server {result['server']}")
    axes.legend(ncols=len(_PARTS), frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0, 1))
    figure.tight_layout()
    figure.savefig(file, format="png")
    plt.close(figure)


def main(arguments: list[str]) -> int:
    """Measure and print. Returns 1 when a budget is not kept, 2 when the options or the data are of no use."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks cold", description="What a cold tier in S3 costs: time, requests and the bill."
    )
    parser.add_argument("--endpoint", help="address of a real S3 server instead of moto's; a bucket is made there")
    parser.add_argument("--key", default="stratakv", help="who may use it")
    parser.add_argument("--secret", default="of-loopback-only", help="the secret of that key")
    parser.add_argument("--data", help="a directory of recorded data instead of the demo's records")
    parser.add_argument("--values", type=int, help="how many are stored")
    parser.add_argument("--quick", action="store_true", help="few values and laps: to see that it runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--plot", metavar="FILE.png", help="draw the parts of a read; needs matplotlib")
    options = parser.parse_args(arguments)
    count = options.values or (QUICK_VALUES if options.quick else VALUES)
    try:
        if options.plot:
            check_matplotlib()
        values = records(options.data, count)
        with _server(options) as server, tempfile.TemporaryDirectory(prefix="stratakv-bench-") as directory:
            laps = QUICK_LAPS if options.quick else LAPS
            result = measure(server, values, laps, READS // 10 if options.quick else READS, Path(directory))
        result["server"] = options.endpoint or "moto"
        if options.plot:
            _plot(result, Path(options.plot))
    except (ConfigurationError, RecordFileError) as error:
        print(error, file=sys.stderr)
        return 2
    kept = verdicts(result)
    around = {"machine": machine(), "versions": versions(), "revision": revision()}
    print(json.dumps({**around, **result, "kept": kept}) if options.json else report(result))
    return 0 if all(kept.values()) else 1
