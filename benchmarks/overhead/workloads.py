"""Owns the requests: keys by Zipf's law with some writes among them, and what recorded traces ask for.

Every key of a workload is in the engine before its first request. Keys and what is done to them are the recording's;
the values are records, since most recordings do not know the sizes of theirs. All requests come twice: in the first lap
a wrapper takes values over, in the second it has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.traces.sources import load
from stratakv.policies.simulation.trace import DELETE, GET, PUT

if TYPE_CHECKING:
    from benchmarks.traces.sources import Source

SEED = 1
SKEW = 0.99
"""Of Zipf's law, as YCSB has it."""
WRITES = 0.1


class Request(NamedTuple):
    """What is asked of an engine.

    Attributes:
        what: GET, PUT or DELETE.
        key: Of what.
        record: The value as JSON: the new one of a PUT, the expected one of a GET, None where there is none.
    """

    what: int
    key: str
    record: bytes | None


class Workload(NamedTuple):
    """Requests and what is there before them.

    Attributes:
        name: What people call it.
        filled: Key -> value as JSON.
        requests: In order; as many in the second lap as in the first.
    """

    name: str
    filled: dict[str, bytes]
    requests: list[Request]


def zipf(records: list[bytes], keys: int, count: int) -> Workload:
    """Return laps of so many requests whose keys follow Zipf's law, one in ten a write.

    Source: Gray et al., "Quickly Generating Billion-Record Synthetic Databases", SIGMOD 1994; the skew is YCSB's.
    """
    chance = np.random.default_rng(SEED)
    weights = np.arange(1, keys + 1) ** -SKEW
    ranks = chance.choice(keys, size=count, p=weights / weights.sum())
    names = chance.permutation(keys)  # neighbours by name are not neighbours by rank
    what = np.where(chance.random(count) < WRITES, PUT, GET)
    return _workload(f"zipf {SKEW:g}", names[ranks].tolist(), what.tolist(), records)


def recorded(source: Source, records: list[bytes], count: int) -> Workload:
    """Return laps of the first requests of a recording.

    Raises:
        ConfigurationError: It cannot be read.
    """
    trace = load(source)
    keys = trace.keys[:count].tolist()
    what = [GET] * len(keys) if trace.ops is None else trace.ops[:count].tolist()
    return _workload(source.name, keys, what, records)


def _workload(name: str, keys: list[int], what: list[int], records: list[bytes]) -> Workload:
    """Give every key a record and every write another one, no two alike, and go over the requests twice."""
    filled = {f"key:{key}": _different(records, key, 0) for key in sorted(set(keys))}
    held: dict[str, bytes | None] = dict(filled)
    requests = []
    for number, (which, act) in enumerate(2 * list(zip(keys, what, strict=True)), 1):
        key = f"key:{which}"
        if act == PUT:
            held[key] = _different(records, number, number)
        elif act == DELETE:
            held[key] = None
        requests.append(Request(act, key, held[key]))
    return Workload(name, filled, requests)


def _different(records: list[bytes], which: int, write: int) -> bytes:
    """Return a record with a number in it that no other one has."""
    return b'{"write": %d, "of": %d, %s' % (write, which, records[which % len(records)].lstrip(b"{ "))
