"""Owns single calls beside their floors and diskcache: a store, a read from RAM, a read from SSD.

The floor of a store is serialise, digest and compress, that of a read decompress and deserialise: the same records, the
same codec, its dictionary trained on others. diskcache runs with its defaults. Every round has fresh directories.
"""

from __future__ import annotations

import hashlib
import json
import random
import statistics
import tempfile
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diskcache

from benchmarks.keeping import DifferenceError
from benchmarks.large.stores import forget
from benchmarks.overhead.turns import TURN, Lane, collector_spared, interleaved, percentile, spread, unjudged
from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.engine.serialization import Serializer

if TYPE_CHECKING:
    from collections.abc import Callable

STORE, SET, STORE_FLOOR = "store", "diskcache set", "serialise + digest + compress"
HOT, GET, READ_FLOOR = "hot retrieve", "diskcache get", "decompress + deserialise"
WARM = "warm retrieve"

RATIOS = ((STORE, STORE_FLOOR), (STORE, SET), (HOT, READ_FLOOR), (HOT, GET), (WARM, GET))

ROUNDS, QUICK_ROUNDS = 7, 3


def floors(records: list[bytes], rounds: int, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Return medians and tails in microseconds, and ratios of medians with their quartiles over the rounds.

    Args:
        records: Half of them are what dictionaries are trained on, the other half is measured.
        rounds: How often.
        progress: Told rounds done and rounds in all.

    Raises:
        DifferenceError: A value came back changed.
    """
    half = len(records) // 2
    found: dict[str, list[list[int]]] = {}
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="stratakv-overhead-") as directory:
            bench = _Bench(records[:half], records[half:], Path(directory), seed=number)
            try:
                with collector_spared():
                    for name, times in bench.run().items():
                        found.setdefault(name, []).append(times)
            finally:
                bench.close()
        progress(number + 1, rounds)
    medians = {name: [statistics.median(times) / 1000 for times in each] for name, each in found.items()}
    ratios = {
        f"{ours} / {other}": spread([a / b for a, b in zip(medians[ours], medians[other], strict=True)])
        for ours, other in RATIOS
    }
    microseconds = {name: statistics.median(each) for name, each in medians.items()}
    p99 = {name: percentile(sorted(chain.from_iterable(each)), 0.99) for name, each in found.items()}
    return {"records": len(records) - half, "rounds": rounds, "us": microseconds, "p99_us": p99, "ratios": ratios}


class _Bench:
    """A store and a diskcache in fresh directories, and the floors."""

    def __init__(self, others: list[bytes], records: list[bytes], directory: Path, seed: int) -> None:
        self._items = [(f"record:{number}", json.loads(record)) for number, record in enumerate(records)]
        random.Random(seed).shuffle(self._items)  # neighbours in a block are not read one after the other
        self._cache = diskcache.Cache(str(directory / "cache"))
        self._serializer = Serializer()
        self._memory = OptimizationMiddleware(config=OptimizationConfig(enabled=True), path=directory / "store")
        for number, record in enumerate(others):
            self._memory.store(f"other:{number}", json.loads(record))
        self._memory.maintain()
        self._engine = self._memory.compression_engine

    def close(self) -> None:
        self._memory.shutdown()
        self._cache.close()

    def run(self) -> dict[str, list[int]]:
        """Store everything, read it from RAM, read it from SSD; return nanoseconds by name."""
        pairs = self._items
        keys = [(key,) for key, _ in pairs]
        encoded = [(self._encoded(value),) for _, value in pairs]
        stores = {
            STORE: self._lane(self._memory.store, pairs, unjudged),
            STORE_FLOOR: self._lane(self._floor_of_store, pairs, unjudged),
            SET: self._lane(self._cache.set, pairs, unjudged),
        }
        hot = {
            HOT: self._lane(self._memory.retrieve, keys, self._equal),
            READ_FLOOR: self._lane(self._floor_of_read, encoded, self._equal),
            GET: self._lane(self._cache.get, keys, self._equal),
        }
        warm = {
            WARM: self._lane(self._memory.retrieve, keys, self._equal, self._forget),
            GET: self._lane(self._cache.get, keys, self._equal),
        }
        times = interleaved(stores, len(pairs))
        times |= interleaved(hot, len(pairs))
        self._memory.maintain()
        read = interleaved(warm, len(pairs))
        return {**times, WARM: read[WARM], GET: times[GET] + read[GET]}

    def _encoded(self, value: Any) -> Any:
        return self._engine.encode_fast(self._serializer.dumps(value), 0)

    def _floor_of_store(self, _key: str, value: Any) -> None:
        plaintext = self._serializer.dumps(value)
        hashlib.sha256(plaintext).digest()
        self._engine.encode_fast(plaintext, 0)

    def _floor_of_read(self, encoded: Any) -> Any:
        return self._serializer.loads(self._engine.decode(encoded))

    def _lane(
        self,
        function: Callable[..., Any],
        arguments: list[Any],
        check: Callable[[int, list[Any]], None],
        before: Callable[[], None] | None = None,
    ) -> Lane:
        def calls(start: int, stop: int) -> list[Callable[[], Any]]:
            if before is not None:
                before()
            return [partial(function, *each) for each in arguments[start:stop]]

        return Lane(calls, check)

    def _forget(self) -> None:
        forget(self._memory)

    def _equal(self, start: int, results: list[Any]) -> None:
        if results != [value for _, value in self._items[start : start + TURN]]:
            raise DifferenceError(f"a value of the records {start} to {start + TURN} came back changed")
