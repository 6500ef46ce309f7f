"""What a store and a retrieve cost beside their floor and beside diskcache, as ratios in one run.

Floors: serialise + digest + compress for a store, decompress + deserialise for a read, of the same records with the
same codec. The peer is `diskcache.Cache` with its defaults. All are interleaved record by record; medians are compared,
and the spread (first and third quartile of the ratios of five rounds) stands beside them. Records: the session and
function records that the demo builds from the Python installation, or the JSON lines named with --data.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import sysconfig
import tempfile
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import diskcache

from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.cli.demonstration.workload import workload_from_python
from stratakv.cli.records import RecordFile
from stratakv.engine.serialization import Serializer

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.compression import CompressionEngine

ROUNDS = 5


def _records(data: str | None, count: int) -> list[Any]:
    if data is not None:
        return [value for _, value in RecordFile(Path(data))][:count]
    work = workload_from_python(Path(sysconfig.get_path("stdlib")), 2_000_000)
    episodic = [value for key, value in work.final().items() if key.startswith("episodic")]
    return episodic[:count]


def _timed(function: Callable[[Any], object], argument: Any) -> int:
    start = perf_counter_ns()
    function(argument)
    return perf_counter_ns() - start


class _Bench:
    """One round: a store and a diskcache in fresh directories, and the floors."""

    def __init__(self, records: list[Any], directory: Path) -> None:
        self.items = [(f"record:{number}", value) for number, value in enumerate(records)]
        config = OptimizationConfig(enabled=True)
        config.storage.path = str(directory / "store")
        self.memory = OptimizationMiddleware(config=config)
        self.cache = diskcache.Cache(str(directory / "cache"))
        self.serializer = Serializer()
        for key, value in self.items:
            self.memory.store("warmup:" + key, [value])  # so that the namespace's dictionary is trained
        self.memory.maintain()
        self.engine: CompressionEngine = self.memory.compression_engine

    def floor_store(self, item: tuple[str, Any]) -> None:
        plaintext = self.serializer.dumps(item[1])
        hashlib.sha256(plaintext).digest()
        self.engine.encode_fast(plaintext, 0)

    def run(self) -> dict[str, list[int]]:
        times: dict[str, list[int]] = {name: [] for name in ("store", "store floor", "diskcache set")}
        for item in self.items:
            times["store"].append(_timed(lambda pair: self.memory.store(*pair), item))
            times["store floor"].append(_timed(self.floor_store, item))
            times["diskcache set"].append(_timed(lambda pair: self.cache.set(*pair), item))
        encoded = {key: self.engine.encode_fast(self.serializer.dumps(value), 0) for key, value in self.items}
        for name in ("hot read", "read floor", "diskcache get"):
            times[name] = []
        for key, _ in self.items:
            self.memory.retrieve(key)
            times["hot read"].append(_timed(self.memory.retrieve, key))
            times["read floor"].append(_timed(lambda one: self.serializer.loads(self.engine.decode(one)), encoded[key]))
            times["diskcache get"].append(_timed(self.cache.get, key))
        self.memory.maintain()
        self.memory.tiered_storage._store.parts.hot.clear()  # noqa: SLF001 -- there is no public way to forget RAM
        times["warm read"] = [_timed(self.memory.retrieve, key) for key, _ in self.items]
        return times

    def close(self) -> None:
        self.memory.shutdown()
        self.cache.close()


RATIOS = (
    ("store", "store floor"),
    ("store", "diskcache set"),
    ("hot read", "read floor"),
    ("hot read", "diskcache get"),
    ("warm read", "diskcache get"),
)


def measure(records: list[Any]) -> dict[str, Any]:
    """Return medians in microseconds and ratios with their quartiles."""
    medians: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as directory:
            bench = _Bench(records, Path(directory))
            for name, times in bench.run().items():
                medians.setdefault(name, []).append(statistics.median(times) / 1000)
            bench.close()
    ratios = []
    for ours, other in RATIOS:
        each = [a / b for a, b in zip(medians[ours], medians[other], strict=True)]
        low, middle, high = statistics.quantiles(each, n=4)
        ratios.append({"what": ours, "against": other, "ratio": middle, "low": low, "high": high})
    return {
        "records": len(records),
        "microseconds": {name: statistics.median(values) for name, values in medians.items()},
        "ratios": ratios,
    }


def main(arguments: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks overhead", description=__doc__)
    parser.add_argument("--data", help="a file of JSON lines instead of the demo's records")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    result = measure(_records(options.data, options.records))
    if options.json:
        print(json.dumps(result))
        return 0
    print(f"{result['records']} records from {options.data or 'the Python installation'}, medians in microseconds")
    for name, value in result["microseconds"].items():
        print(f"  {name:16} {value:8.1f}")
    for row in result["ratios"]:
        print(f"  {row['what']:10} / {row['against']:14} {row['ratio']:6.2f}  ({row['low']:.2f} to {row['high']:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
