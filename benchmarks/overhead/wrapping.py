"""Owns bare and wrapped side by side: the same requests in turns, each way on an engine of its own.

A run begins with a filled engine and an empty wrapper, so the first lap pays for taking values over; it is told by
itself, as is the second one. In each round everything is fresh.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.overhead.requests import BARE, contestant, contestants, lane
from benchmarks.overhead.turns import collector_spared, interleaved, percentile, spread
from stratakv.policies.simulation.trace import GET

if TYPE_CHECKING:
    from benchmarks.overhead.engines import Kind, Place
    from benchmarks.overhead.workloads import Workload

Times = dict[str, list[int]]


def side_by_side(kind: Kind, place: Place, workload: Workload, rounds: int) -> dict[str, Any]:
    """Return requests a second, latencies and ratios to the bare engine by way.

    Raises:
        DifferenceError: A value came back changed.
    """
    each = [_round(kind, place, workload) for _ in range(rounds)]
    reads = [request.what == GET for request in workload.requests]
    return {way: _told(way, each, reads) for way in contestants(kind)}


def _round(kind: Kind, place: Place, workload: Workload) -> Times:
    with tempfile.TemporaryDirectory(prefix="stratakv-overhead-") as directory, ExitStack() as stack:
        lanes = {}
        for number, way in enumerate(contestants(kind)):
            held, _ = stack.enter_context(contestant(way, kind, place, Path(directory), number, workload))
            lanes[way] = lane(kind, held, workload)
        with collector_spared():
            return interleaved(lanes, len(workload.requests))


def _told(way: str, rounds: list[Times], reads: list[bool]) -> dict[str, Any]:
    lap = len(reads) // 2
    every = sorted(took for times in rounds for took in times[way])
    chosen = {
        "reads": [_only(times[way], reads, wanted=True) for times in rounds],
        "writes": [_only(times[way], reads, wanted=False) for times in rounds],
        "second_reads": [_only(times[way][lap:], reads[lap:], wanted=True) for times in rounds],
    }
    p50 = {
        name: spread([percentile(sorted(one), 0.5) for one in each if one])
        for name, each in chosen.items()
        if any(each)
    }
    return {
        "per_second": spread([1e9 * len(reads) / sum(times[way]) for times in rounds])["median"],
        "first_times_bare": spread([sum(times[way][:lap]) / sum(times[BARE][:lap]) for times in rounds]),
        "second_times_bare": spread([sum(times[way][lap:]) / sum(times[BARE][lap:]) for times in rounds]),
        "p50_us": percentile(every, 0.5),
        "p99_us": percentile(every, 0.99),
        "p999_us": percentile(every, 0.999),
        "p50_of_us": {name: each["median"] for name, each in p50.items()},
    }


def _only(times: list[int], reads: list[bool], *, wanted: bool) -> list[int]:
    return [took for took, read in zip(times, reads, strict=True) if read == wanted]
