"""Owns what opening takes: after a process was killed that had just stored, and after a shutdown."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import DifferenceError
from benchmarks.scale.records import Records
from benchmarks.scale.stores import compare, opened

if TYPE_CHECKING:
    from benchmarks.scale.processes import Plan

JOURNALED = 2000
"""What the process stores before it is killed. The same keys in every lap, so that the store does not grow."""

AFTER = ("crash", "shutdown")


def crash(plan: Plan) -> dict[str, Any]:
    """Store records and kill this process."""
    records = Records.read(Path(plan.records))
    memory = opened(Path(plan.store))
    for number in _numbers(plan):
        memory.store(records.key(number), records.value(number + plan.lap))
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def openings(plan: Plan) -> dict[str, Any]:
    """Open, look, shut down, and once more; return milliseconds until the store is open and until the first value."""
    records = Records.read(Path(plan.records))
    made = {}
    last = _numbers(plan)[-1]
    for after in AFTER:
        chosen = random.Random(f"{plan.lap}:{after}").randrange(plan.keys)
        begun = perf_counter()
        memory = opened(Path(plan.store))
        open_ms = 1000 * (perf_counter() - begun)
        found = memory.retrieve(records.key(chosen))
        made[after] = {"open_ms": open_ms, "first_value_ms": 1000 * (perf_counter() - begun)}
        with memory:
            compare(records, [chosen, last + plan.lap], [found, memory.retrieve(records.key(last))])
            if len(memory) < plan.keys + JOURNALED:
                raise DifferenceError(f"only {len(memory):,} keys came back")
    return made


def _numbers(plan: Plan) -> range:
    """Return numbers that no other step uses."""
    return range(3 * plan.keys, 3 * plan.keys + JOURNALED)
