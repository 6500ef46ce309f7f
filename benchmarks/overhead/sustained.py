"""Owns many stores in a row, checkpoints included, against diskcache, and what both take at rest.

Whole passes that alternate: ours ends with a flush and all background work that is due, so that nothing is left to a
time that nobody counts. In turns our background would work while diskcache is measured.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import diskcache

from benchmarks.keeping import DifferenceError
from benchmarks.overhead.turns import collector_spared, rotated, spread
from benchmarks.reduction.sizes import files_of
from stratakv import OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable

OURS, PEER = "stratakv", "diskcache"
ROUNDS = 3


def sustained(records: list[bytes], progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Return seconds, CPU seconds and bytes at rest of each, and the ratios with their quartiles.

    Raises:
        DifferenceError: A value came back changed.
    """
    values = {f"record:{number}": json.loads(record) for number, record in enumerate(records)}
    passes: dict[str, Callable[[dict[str, Any], Path], dict[str, Any]]] = {OURS: _ours, PEER: _peer}
    told: dict[str, list[dict[str, Any]]] = {OURS: [], PEER: []}
    with collector_spared():
        for number in range(ROUNDS):
            progress(number, ROUNDS)
            for name in rotated(list(passes), number):
                with tempfile.TemporaryDirectory(prefix="stratakv-overhead-") as directory:
                    told[name].append(passes[name](values, Path(directory)))
    ratios = {
        what: spread([peer[what] / ours[what] for ours, peer in zip(told[OURS], told[PEER], strict=True)])
        for what in ("seconds", "cpu_seconds", "bytes")
    }
    return {
        "records": len(records),
        "rounds": ROUNDS,
        "plain_bytes": sum(map(len, records)),
        "each": {name: _middle(each) for name, each in told.items()},
        "times_better": ratios,
    }


def _ours(values: dict[str, Any], directory: Path) -> dict[str, Any]:
    memory = OptimizationMiddleware(config=OptimizationConfig(enabled=True), path=directory / "store")
    try:
        began, worked = perf_counter(), process_time()
        for key, value in values.items():
            memory.store(key, value)
        stored = perf_counter() - began
        memory.flush()
        memory.maintain()
        took = {"seconds": perf_counter() - began, "cpu_seconds": process_time() - worked, "stores_alone": stored}
        _compare(values, memory.retrieve)
    finally:
        memory.shutdown()
    files = files_of(directory / "store")
    return took | {"bytes": files.total, "parts": files._asdict()}


def _peer(values: dict[str, Any], directory: Path) -> dict[str, Any]:
    with diskcache.Cache(str(directory / "cache")) as cache:
        began, worked = perf_counter(), process_time()
        for key, value in values.items():
            cache.set(key, value)
        seconds = perf_counter() - began
        took = {"seconds": seconds, "cpu_seconds": process_time() - worked, "stores_alone": seconds}
        _compare(values, cache.get)
    files = [path for path in directory.rglob("*") if path.is_file()]
    return took | {"bytes": sum(path.stat().st_size for path in files), "parts": {}}


def _compare(values: dict[str, Any], read: Callable[[str], Any]) -> None:
    for key, value in values.items():
        if read(key) != value:
            raise DifferenceError(f"{key} came back changed")


def _middle(passes: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the pass whose time is the median."""
    return sorted(passes, key=lambda each: float(each["seconds"]))[len(passes) // 2]
