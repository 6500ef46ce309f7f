"""Owns what a workload takes in a process of its own: seconds, CPU seconds of all threads, growth of RAM.

Closing counts, since a wrapper writes then what it still holds. RAM is counted from before the engine was filled, so
that values held by a dict count as those of a wrapper do.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.overhead.engines import engine
from benchmarks.overhead.requests import BARE, contestant, lane
from benchmarks.overhead.turns import TURN, rotated, spread, turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.overhead.engines import Kind, Place
    from benchmarks.overhead.workloads import Workload

COUNTED = ("seconds", "cpu_seconds", "ram_bytes")


class Job(NamedTuple):
    """What such a process does."""

    way: str
    kind: Kind
    place: Place
    workload: Workload


def processes(
    kind: Kind, place: Place, workload: Workload, ways: Sequence[str], rounds: int
) -> dict[str, dict[str, Any]]:
    """Return medians by way, and ratios to the bare engine; the ways take turns.

    Raises:
        DifferenceError: A value came back changed.
    """
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in rotated(ways, number):
            found[way].append(_in_its_own(Job(way, kind, place, workload)))
    told = {}
    for way, each in found.items():
        middle = {what: spread([one[what] for one in each])["median"] for what in COUNTED}
        ratios = {
            f"{what}_times_bare": spread([one[what] / bare[what] for one, bare in zip(each, found[BARE], strict=True)])
            for what in ("seconds", "cpu_seconds")
        }
        told[way] = {**middle, "per_second": len(workload.requests) / middle["seconds"], **ratios}
    return told


def _in_its_own(job: Job) -> dict[str, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(done, job).result()


def done(job: Job) -> dict[str, float]:
    """Do a job in this process."""
    with tempfile.TemporaryDirectory(prefix="stratakv-overhead-") as directory:
        with engine(job.kind, job.place, Path(directory), 1):
            before = ram_bytes()  # its client's library is loaded
        with contestant(job.way, job.kind, job.place, Path(directory), 0, job.workload) as (held, close):
            requests = lane(job.kind, held, job.workload)
            took: list[int] = []
            aside, worked = 0.0, process_time()
            for start in range(0, len(job.workload.requests), TURN):
                began = thread_time()
                calls = requests.calls(start, start + TURN)
                aside += thread_time() - began
                results = turn(calls, took)
                began = thread_time()
                requests.check(start, results)
                aside += thread_time() - began
            grown = ram_bytes() - before
            began = perf_counter()
            close()
            closing = perf_counter() - began
            cpu_seconds = process_time() - worked - aside
    return {"seconds": sum(took) / 1e9 + closing, "cpu_seconds": cpu_seconds, "ram_bytes": float(grown)}


def ram_bytes() -> int:
    """Return the bytes of RAM that this process has in use now; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
