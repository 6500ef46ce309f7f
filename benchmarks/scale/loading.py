"""Owns filling a store, mostly a thousand keys at a time, and what RAM the process has meanwhile and afterwards.

Records are made between the calls, so rates are of the calls alone while the background shares the interpreter with
both; what storing costs with all that follows is `sustained`. Then the operations are timed in the same process, whose
RAM is looked at once more.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import TYPE_CHECKING, Any

from benchmarks.scale.latencies import timed, told
from benchmarks.scale.memory import peak_bytes, resident_bytes
from benchmarks.scale.operations import operations
from benchmarks.scale.records import Records
from benchmarks.scale.stores import checkpoint, fold, held, opened
from stratakv.engine.serialization import Serializer

if TYPE_CHECKING:
    from benchmarks.scale.processes import Plan
    from stratakv import OptimizationMiddleware

BATCH = 1000
SINGLE_EACH = 10
"""One batch in so many is stored key by key."""

SAY_EVERY_SECONDS = 10.0
PARTS = 10
SAMPLE = 2000


def loading(plan: Plan) -> dict[str, Any]:
    """Fill the store, look at RAM, time the operations, shut down."""
    records = Records.read(Path(plan.records))
    gc.collect()
    imported = resident_bytes()
    begun = perf_counter()
    with opened(Path(plan.store)) as memory:
        made = _filled(memory, records, plan.keys)
        checkpoint(memory)
        made["seconds"] = perf_counter() - begun
        ram = {"imported": imported, "loaded": resident_bytes(), "loading_peak": peak_bytes()}
        fold(memory)
        disk = held(Path(plan.store))
        deduplication = memory.get_statistics()["deduplication"]
        made["unique_share"] = deduplication["unique_contents"] / plan.keys
        timings = operations(memory, records, plan.keys, quick=plan.quick)
        ram |= {"served": resident_bytes(), "peak": peak_bytes()}
    sample = range(0, plan.keys, max(1, plan.keys // SAMPLE))
    serialised = [len(Serializer().dumps(records.value(number))) for number in sample]
    return {
        "loading": made,
        "disk": {"loaded": disk},
        "ram": ram,
        "operations": timings,
        "key_bytes": len(records.key(0).encode()),
        "value_bytes": sum(serialised) / len(serialised),
    }


def _filled(memory: OptimizationMiddleware, records: Records, keys: int) -> dict[str, Any]:
    """Store all keys; return rates by tenth of the way, and latencies of single stores."""
    say = _Progress(keys)
    single: list[int] = []
    many: list[int] = []
    rates: list[float] = []
    for part in range(PARTS):
        before = len(many)
        first, last = keys * part // PARTS, keys * (part + 1) // PARTS
        for start in range(first, last, BATCH):
            numbers = range(start, min(start + BATCH, last))
            items = [records.item(number) for number in numbers]
            if start // BATCH % SINGLE_EACH == SINGLE_EACH - 1:
                timed(lambda item: memory.store(*item), items, single)
            else:
                began = perf_counter_ns()
                memory.store_many(items)
                many.append((perf_counter_ns() - began) // len(items))
            say.at(numbers.stop)
        if many[before:]:
            rates.append(_rate(many[before:]))
    return {"single": told(single) if single else None, "many_rate": _rate(many), "many_rates": rates}


def _rate(nanoseconds: list[int]) -> float:
    """Return keys a second of what a key took in each batch."""
    return 1e9 * len(nanoseconds) / sum(nanoseconds)


class _Progress:
    """Says on standard error every few seconds how far it is, how fast, and how long it will take."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = self._said = perf_counter()
        self._done = 0

    def at(self, done: int) -> None:
        now = perf_counter()
        if now - self._said < SAY_EVERY_SECONDS:
            return
        rate = (done - self._done) / (now - self._said)
        left = (self._total - done) * (now - self._begun) / done
        text = f"{done:,} of {self._total:,} keys, {rate:,.0f} a second, about {left:,.0f} s left"
        print(text, file=sys.stderr, flush=True)
        self._said, self._done = now, done
