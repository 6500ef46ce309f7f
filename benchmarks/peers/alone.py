"""Owns what a store takes that has the machine to itself: RAM, bytes on disk, a value's share of filling and closing.

One process fills it, reads everything, tells its RAM and closes it; another opens it and reads everything again, which
tells how many values came back with other types.
"""

from __future__ import annotations

import random
import tempfile
from operator import sub
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers.protocol import sizes_of
from benchmarks.peers.worker import Job, Ram, Worker

if TYPE_CHECKING:
    from benchmarks.peers.protocol import Contender, Room
    from benchmarks.peers.records import Records

_BATCH = 100


def alone(contender: Contender, records: Records, room: Room) -> dict[str, Any]:
    """Return bytes of RAM and disk, microseconds a value of filling and closing, and how many values are not exact.

    Raises:
        DifferenceError: The store failed, or gave back another value.
    """
    count = len(records.keys)
    order = list(range(count))
    random.Random(count).shuffle(order)
    with tempfile.TemporaryDirectory(prefix="stratakv-peers-") as directory:
        job = Job(contender.name, Path(directory), room, records)
        with Worker(job, start="spawn") as worker:
            before: Ram | None = worker.must("ram")
            worker.must("open")
            taken = sum(sum(worker.must("set", numbers)) for numbers in _batches(list(range(count))))
            for numbers in _batches(order):
                worker.read(numbers)
            after: Ram | None = worker.must("ram")
            taken += worker.must("close")
        sizes = sizes_of(Path(directory))
        with Worker(job) as worker:
            worker.must("open")
            inexact = sum(len(worker.read(numbers).inexact) for numbers in _batches(order))
    return {
        "ram": None if before is None or after is None else Ram(*map(sub, after, before))._asdict(),
        "disk": sizes._asdict(),
        "filled_us": taken / count / 1000,
        "inexact": inexact,
    }


def _batches(numbers: list[int]) -> list[list[int]]:
    return [numbers[start : start + _BATCH] for start in range(0, len(numbers), _BATCH)]
