"""Owns storing with all that follows from it beside `diskcache.set`: a turn ends when its checkpoint has ended.

Keys are new. The store has as many keys as the size tells, and a few turns more in the end; diskcache has the rows that
it can be filled with in reasonable time, with its defaults, which is in its favour where the store has more. The
records of a turn are made before its time begins.
"""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import diskcache

from benchmarks.scale.latencies import spread
from benchmarks.scale.records import Records
from benchmarks.scale.stores import checkpoint, compare, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.scale.processes import Plan
    from stratakv import OptimizationMiddleware

    Items = list[tuple[str, dict[str, Any]]]

PEER_ROWS = 100_000
TURN_KEYS = 12_500
"""The most keys of a turn: as many as start a checkpoint."""

PEER_SHARE = 5
"""diskcache gets a turn of so many times fewer keys: it takes no longer checks at the end."""

BATCH = 1000
ROUNDS = {False: 5, True: 3}
OURS = ("store", "store_many")


def sustained(plan: Plan) -> dict[str, Any]:
    """Return rates of both, and how often ours is the other's."""
    records = Records.read(Path(plan.records))
    keys = min(TURN_KEYS, max(BATCH, plan.keys // 20))
    rates: dict[str, list[float]] = {name: [] for name in (*OURS, "diskcache")}
    store = Path(plan.store)
    with (
        tempfile.TemporaryDirectory(prefix="stratakv-scale-", dir=store.parent) as directory,
        diskcache.Cache(directory) as cache,
        opened(store) as memory,
    ):
        rows = min(PEER_ROWS, plan.keys)
        _fill(cache, records, rows)
        ways: dict[str, Callable[[Items], None]] = {
            "store": lambda items: _one_by_one(memory, items),
            "store_many": lambda items: _together(memory, items),
            "diskcache": lambda items: _peer(cache, items),
        }
        names, next_number = list(ways), plan.keys
        for number in range(ROUNDS[plan.quick]):
            for name in names[number % 3 :] + names[: number % 3]:
                count = keys if name in OURS else max(1, keys // PEER_SHARE)
                numbers = range(next_number, next_number + count)
                next_number += count
                rates[name].append(count / _seconds(ways[name], [records.item(each) for each in numbers]))
                if name in OURS:
                    some = numbers[:: max(1, count // 50)]
                    compare(records, some, [memory.retrieve(records.key(each)) for each in some])
    return {
        "turn_keys": keys,
        "peer_rows": rows,
        "grew_to": plan.keys + len(OURS) * keys * ROUNDS[plan.quick],
        "rates": {name: spread(each) for name, each in rates.items()},
        "times": {
            name: spread([ours / peer for ours, peer in zip(rates[name], rates["diskcache"], strict=True)])
            for name in OURS
        },
    }


def _fill(cache: diskcache.Cache, records: Records, rows: int) -> None:
    for start in range(0, rows, BATCH):
        with cache.transact():
            for number in range(start, min(start + BATCH, rows)):
                cache.set(*records.item(number))


def _seconds(store: Callable[[Items], None], items: Items) -> float:
    """Return what storing takes, with the collector kept off the records that wait."""
    gc.collect()
    gc.freeze()
    begun = perf_counter()
    store(items)
    took = perf_counter() - begun
    gc.unfreeze()
    return took


def _one_by_one(memory: OptimizationMiddleware, items: Items) -> None:
    for key, value in items:
        memory.store(key, value)
    checkpoint(memory)


def _together(memory: OptimizationMiddleware, items: Items) -> None:
    for start in range(0, len(items), BATCH):
        memory.store_many(items[start : start + BATCH])
    checkpoint(memory)


def _peer(cache: diskcache.Cache, items: Items) -> None:
    for key, value in items:
        cache.set(key, value)
