"""Owns the replays: each policy over each cell.

Keeps no result from one run to the next. Invariant: results come in the order of the cells, whoever was quicker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmarks.hitratio.cells import BELADY, Cell
from benchmarks.traces.processes import mapped
from benchmarks.traces.sources import Source, load
from stratakv.cli.simulation.runs import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stratakv.policies.simulation.replay import Outcome


class Job(NamedTuple):
    """One policy over one cell's requests."""

    source: Source
    capacity: int
    by_bytes: bool
    policy: str


def run(job: Job) -> Outcome:
    """Replay.

    Raises:
        ConfigurationError: The trace cannot be read.
        StrataError: The policy failed.
    """
    name, _, objective = job.policy.partition(" (")
    wanted: Literal["objects", "bytes"] = "bytes" if objective == "bytes)" else "objects"
    return Cache(BELADY if name == BELADY else name, job.by_bytes, wanted).run(job.capacity, load(job.source))


def measured(cells: Iterable[Cell], workers: int, progress: Callable[[str, int, int], None]) -> list[dict[str, Any]]:
    """Replay all cells and return each as a row: ratios in percent, by policy.

    Args:
        cells: What is wanted.
        workers: How many processes; 1 replays in this one.
        progress: Told the trace, the replays that are done, and all of them.

    Raises:
        StrataError: A policy failed.
    """
    wanted = list(cells)
    jobs = [
        Job(cell.source, cell.capacity, cell.part == "bytes", policy) for cell in wanted for policy in cell.policies
    ]
    rows = []
    with mapped(run, jobs, workers) as outcomes:
        done = 0
        for cell in wanted:
            found: dict[str, Outcome] = {}
            for policy in cell.policies:
                progress(cell.source.name, done, len(jobs))
                found[policy] = next(outcomes)
                done += 1
            rows.append(_row(cell, found))
    return rows


def _row(cell: Cell, found: dict[str, Outcome]) -> dict[str, Any]:
    first = next(iter(found.values()))
    return {
        "part": cell.part,
        "trace": cell.source.name,
        "requests": first.requests,
        "capacity": cell.capacity,
        "unit": "bytes" if cell.part == "bytes" else "objects",
        "hit": {policy: 100 * (outcome.hit_ratio or 0.0) for policy, outcome in found.items()},
        "byte_hit": {policy: 100 * (outcome.byte_hit_ratio or 0.0) for policy, outcome in found.items()},
        "reference": cell.reference,
    }
