"""Owns the options, and what a run measures in which order."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.cold.plot import plot
from benchmarks.cold.reads import timed_reads
from benchmarks.cold.report import report
from benchmarks.cold.requests import DELETED, bill, compaction, economy, many_reads
from benchmarks.cold.store import ColdStore, records
from benchmarks.cold.summary import goals
from benchmarks.keeping import Benchmark, run
from stratakv.engine.records import IN_COLD
from tests.servers.moto import S3Server, aws_environment, moto_server

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

PARTS = ("all",)
VALUES, QUICK_VALUES = 100_000, 5_000
LAPS, QUICK_LAPS = 7, 3
READS = 1_000

_WHAT = (
    "Stores many small values, demotes them, opens the store again and reads single values in turn with a plain boto3 "
    "client; counts the requests of all work and holds the bill in the statistics against arithmetic. "
    "Some ten minutes; --quick takes half of one."
)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("cold", _WHAT, PARTS, _add_options, _measured, report, plot), arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--endpoint", help="address of a real S3 server instead of moto's; a bucket is made there")
    parser.add_argument("--key", default="stratakv", help="who may use it")
    parser.add_argument("--secret", default="of-loopback-only", help="the secret of that key")
    parser.add_argument("--values", type=int, help=f"how many are stored ({VALUES:,}; quick: {QUICK_VALUES:,})")


def _measured(options: argparse.Namespace, _parts: tuple[str, ...]) -> dict[str, Any]:
    quick = options.quick
    values = records(options.data, options.values or (QUICK_VALUES if quick else VALUES))
    laps, reads = (QUICK_LAPS, READS // 10) if quick else (LAPS, READS)
    with _server(options) as server, tempfile.TemporaryDirectory(prefix="stratakv-bench-") as directory:
        result = measure(server, values, laps, reads, Path(directory))
    named = "a real server" if options.endpoint else "moto's server, which is slow: ratios over it flatter"
    of = "recorded values" if options.data else "the demo's records"
    result["what"] = f"{len(values):,} small values ({of}, each made different by a number); {named}"
    return result | {"goals": goals(result)}


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
