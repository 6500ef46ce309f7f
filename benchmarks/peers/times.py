"""Owns the times of calls: stores of one durability in short turns, each in a process of its own.

A round begins in empty directories: every record is set, the last ones are read again (hot: all of them fit into
anybody's RAM), the stores are closed and their processes end; new processes open them, every record is read once, and
some are deleted. In each step every store works on the same few records in turn, and who begins changes.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers.worker import Job, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.peers.protocol import Contender, Room
    from benchmarks.peers.records import Records

OPERATIONS = ("set", "hot", "restart", "delete")
TURN = 50
HOT = 200
HOT_PASSES = 3
DELETED = 200

Medians = dict[str, dict[str, list[float]]]


def times(contenders: Sequence[Contender], records: Records, room: Room, count: int, rounds: Iterable[int]) -> Medians:
    """Return for each store and operation the median of each round, in microseconds; "open" is what opening took.

    Args:
        contenders: Of one durability.
        records: What is stored.
        room: RAM of each store.
        count: How many of the records.
        rounds: A number for each, which decides the order of reading.

    Raises:
        DifferenceError: A store failed, or gave back another value.
    """
    found: Medians = {each.name: {name: [] for name in (*OPERATIONS, "open")} for each in contenders}
    for number in rounds:
        with tempfile.TemporaryDirectory(prefix="stratakv-peers-") as directory:
            jobs = []
            for at, contender in enumerate(contenders):
                path = Path(directory) / str(at)
                path.mkdir()
                jobs.append(Job(contender.name, path, room, records))
            for name, taken in _round(jobs, count, number).items():
                for operation, each in taken.items():
                    found[name][operation].append(statistics.median(each) / 1000)
    return found


def _round(jobs: list[Job], count: int, seed: int) -> dict[str, dict[str, list[int]]]:
    taken: dict[str, dict[str, list[int]]] = {job.name: {} for job in jobs}

    def note(name: str, operation: str, each: list[int]) -> None:
        taken[name].setdefault(operation, []).extend(each)

    hot = range(max(0, count - hot_values(jobs[0].room)), count)
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(job)) for job in jobs]
        for worker in workers:
            worker.must("open")
        for worker, numbers in _turns(workers, range(count)):
            note(worker.name, "set", worker.must("set", numbers))
        for attempt in range(1 + HOT_PASSES):
            for worker, numbers in _turns(workers, hot):
                read = worker.read(numbers)
                if attempt:  # the first one brings into RAM what is not there
                    note(worker.name, "hot", read.times)
        for worker in workers:
            worker.must("close")
    order = list(range(count))
    random.Random(seed).shuffle(order)
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(job)) for job in jobs]
        for worker in workers:
            note(worker.name, "open", [worker.must("open")])
        for worker, numbers in _turns(workers, order):
            note(worker.name, "restart", worker.read(numbers).times)
        for worker, numbers in _turns(workers, order[:DELETED]):
            note(worker.name, "delete", worker.must("delete", numbers))
    return taken


def hot_values(room: Room) -> int:
    """Return how many values are read again: half of what live objects may take, at most `HOT`."""
    return max(1, min(HOT, room.values // 2))


def _turns(workers: list[Worker], numbers: Sequence[int]) -> Iterator[tuple[Worker, Sequence[int]]]:
    for turn, start in enumerate(range(0, len(numbers), TURN)):
        first = turn % len(workers)
        for worker in (*workers[first:], *workers[:first]):
            yield worker, numbers[start : start + TURN]


def spread(each: Sequence[float]) -> dict[str, Any]:
    """Return median and quartiles; of one number, that number."""
    low, middle, high = statistics.quantiles(each, n=4, method="inclusive") if len(each) > 1 else (each[0],) * 3
    return {"median": middle, "low": low, "high": high}
