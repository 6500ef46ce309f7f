"""Owns rate and latency of each operation on a store that is full.

What is read is compared with what was stored, outside of the time taken. In the end there are as many keys as before.
"""

from __future__ import annotations

import random
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import DifferenceError
from benchmarks.large.stores import forget
from benchmarks.scale.latencies import timed, told
from benchmarks.scale.records import PREFIX
from benchmarks.scale.stores import checkpoint, compare, hot_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.scale.records import Records
    from stratakv import OptimizationMiddleware

CALLS = {False: 20_000, True: 2000}
TURN = 50
TOGETHER = 100
BATCH = 1000
PREFIXES = 16


def operations(memory: OptimizationMiddleware, records: Records, keys: int, *, quick: bool) -> dict[str, Any]:
    """Return what each operation takes, by name."""
    calls = min(CALLS[quick], keys // 4)
    chance = random.Random(keys)
    numbers = {records.key(number): number for number in _newest(keys)}
    hot = [numbers[key] for key in list(hot_entries(memory)) if key in numbers]
    made = {"retrieve, hot": _reads(memory, records, chance.choices(hot, k=calls))}
    forget(memory)
    some = chance.sample(range(keys), 2 * calls)
    made["retrieve, warm"] = _reads(memory, records, some[:calls])
    made["contains"] = _answers(records, some[calls:], memory.__contains__, expected=True)
    absent = range(4 * keys, 4 * keys + calls)
    made["retrieve, miss"] = _answers(records, absent, memory.retrieve, expected=None)
    made["contains, miss"] = _answers(records, absent, memory.__contains__, expected=False)
    made["retrieve_many of 100"] = _many_reads(memory, records, chance.sample(range(keys), max(TOGETHER, calls)))
    made["keys(prefix)"] = _listed(memory)
    fresh = range(keys, keys + calls)
    made["store"] = _stores(memory, records, fresh)
    made["delete"] = _answers(records, fresh, memory.delete, expected=True)
    # Of what was deleted just now the contents are still there.
    unknown = range(keys + calls, keys + 2 * calls)
    made["store_many of 1000"] = _many_stores(memory, records, unknown)
    for turn in _turns(unknown, BATCH):
        memory.delete_many([records.key(number) for number in turn])
    checkpoint(memory)
    return made


def _newest(keys: int) -> range:
    """Return numbers of which RAM holds many: they were stored last."""
    return range(max(0, keys - 50_000), keys)


def _turns(numbers: range | list[int], length: int = TURN) -> list[range | list[int]]:
    return [numbers[start : start + length] for start in range(0, len(numbers), length)]


def _reads(memory: OptimizationMiddleware, records: Records, numbers: list[int]) -> dict[str, Any]:
    took: list[int] = []
    for turn in _turns(numbers):
        compare(records, turn, timed(memory.retrieve, [records.key(number) for number in turn], took))
    return told(took)


def _answers(
    records: Records, numbers: range | list[int], ask: Callable[[str], Any], *, expected: bool | None
) -> dict[str, Any]:
    """Time an operation on each key, which must return what is expected."""
    took: list[int] = []
    for turn in _turns(numbers):
        found = timed(ask, [records.key(number) for number in turn], took)
        if any(each is not expected for each in found):
            raise DifferenceError(f"of {len(found)} keys some were not {expected}")
    return told(took)


def _many_reads(memory: OptimizationMiddleware, records: Records, numbers: list[int]) -> dict[str, Any]:
    took: list[int] = []
    for turn in _turns(numbers, TOGETHER):
        keys = [records.key(number) for number in turn]
        (found,) = timed(memory.retrieve_many, [keys], took)
        compare(records, turn, [found.get(key) for key in keys])
    return told(took, TOGETHER)


def _listed(memory: OptimizationMiddleware) -> dict[str, Any]:
    """List the keys of prefixes of which each has 1 key in 256; a call is the listing of one."""
    took, counts = [], []
    for first in range(PREFIXES):
        begun = perf_counter_ns()
        counts.append(sum(1 for _ in memory.keys(f"{PREFIX}{first:x}{first:x}")))
        took.append(perf_counter_ns() - begun)
    each = sum(counts) / len(counts)
    return told(took) | {"each": each, "rate": 1e9 * sum(counts) / sum(took)}


def _stores(memory: OptimizationMiddleware, records: Records, numbers: range) -> dict[str, Any]:
    took: list[int] = []
    for turn in _turns(numbers):
        timed(lambda item: memory.store(*item), [records.item(number) for number in turn], took)
    return told(took)


def _many_stores(memory: OptimizationMiddleware, records: Records, numbers: range) -> dict[str, Any]:
    took: list[int] = []
    for turn in _turns(numbers, BATCH):
        timed(memory.store_many, [[records.item(number) for number in turn]], took)
    return told(took, min(BATCH, len(numbers)))
