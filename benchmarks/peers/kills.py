"""Owns what is left after `kill -9`: a process tells of every value that was acknowledged, and is killed meanwhile.

The process sets some keys over and over, each time to another record's value. Afterwards every key must have the value
that was acknowledged last or, where a set was under way, the one behind it. Power stays on: what the process had given
to the system is not lost.
"""

from __future__ import annotations

import random
import tempfile
from itertools import count as counting
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import DifferenceError
from benchmarks.peers.contenders import BY_NAME
from benchmarks.peers.worker import FailedError, Job, Worker

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from benchmarks.peers.protocol import Contender, Room
    from benchmarks.peers.records import Records

KEYS = 60
FEWEST, MOST = 20, 240
"""Between how many acknowledged sets the process is killed; from `KEYS` on, keys are set again."""


def acknowledging(line: Connection, job: Job) -> None:
    """Set values without end; tell the number of each set when it is acknowledged."""
    keys = job.records.keys[:KEYS]
    values = [job.records.value(number) for number in range(len(keys))]
    peer = BY_NAME[job.name].opened(job.path, job.room)
    for number in counting():
        peer.set(keys[number % len(keys)], values[value_of(number, len(keys))])
        line.send(number)


def value_of(number: int, keys: int) -> int:
    """Return which record's value a set writes."""
    turn, key = divmod(number, keys)
    return (key + turn) % keys


def allowed(last: int, keys: int) -> dict[int, tuple[int, ...]]:
    """Return for each acknowledged key the values that it may have, when `last` was the last set acknowledged."""
    found = {}
    for key in range(min(last + 1, keys)):
        newest = last - (last - key) % keys
        # The set behind the last one may have been done when the process was killed, or not.
        sets = (newest, last + 1) if (last + 1) % keys == key else (newest,)
        found[key] = tuple(value_of(number, keys) for number in sets)
    return found


def kills(contender: Contender, records: Records, room: Room, rounds: int) -> dict[str, Any]:
    """Kill a process so many times, each time on a fresh store; return what was acknowledged and what of it was lost.

    Raises:
        DifferenceError: A store failed before it was killed.
    """
    chance = random.Random(rounds)
    acknowledged = lost = 0
    failures = []
    keys = min(KEYS, len(records.keys))
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="stratakv-peers-") as directory:
            job = Job(contender.name, Path(directory), room, records)
            expected = allowed(_killed(job, chance.randint(FEWEST, MOST)), keys)
            acknowledged += len(expected)
            with Worker(job) as worker:
                try:
                    worker.ask("open")
                    lost += len(worker.ask("lost", expected))
                except FailedError as error:
                    failures.append(str(error))
                    lost += len(expected)
    return {"kills": rounds, "acknowledged": acknowledged, "lost": lost, "not_opened": failures}


def _killed(job: Job, after: int) -> int:
    """Kill a process when so many sets are acknowledged; return the number of the last that was.

    Raises:
        DifferenceError: It ended before.
    """
    last = -1
    with Worker(job, acknowledging) as worker:
        try:
            while last < after:
                last = worker.line.recv()
            worker.process.kill()
            while True:  # what it told before it was killed
                last = worker.line.recv()
        except EOFError:
            if last < after:
                raise DifferenceError(f"{job.name} ended before it was killed") from None
            return last
