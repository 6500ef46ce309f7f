"""Owns what a policy costs: the time of a hit and of whole traces beside an LRU with a lock, and bytes per tracked key.

The floor is what one writes by hand: an OrderedDict, moved to the end under a `threading.Lock` at each hit. A policy
stands beside a dict of what is held, as in the store: a read that hits looks there and tells the policy without a lock,
a miss takes a lock. "Hits" are the call of the policy alone, beside the move under the lock; "reads" the look-up with
it. Times are those of the processor, interleaved round by round; ratios are taken within a round.
"""

from __future__ import annotations

import gc
import statistics
import threading
import tracemalloc
from collections import OrderedDict
from time import process_time_ns
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from benchmarks.hitratio.cells import ADAPTIVE
from benchmarks.traces.sources import load
from stratakv.policies.eviction import known_policies, policy_by_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.hitratio.cells import Cell

LRU = "OrderedDict LRU with a lock"
ROUNDS, QUICK_ROUNDS = 9, 3
HITS = 50_000
HIT_KEYS = 10_000
SKEW = 0.9
LONGEST = 60_000
"""Of a trace so many requests are timed."""

WEIGHED_CAPACITY, WEIGHED_REQUESTS = 10_000, 100_000


class Cached(Protocol):
    """A cache of a fixed number of objects."""

    @property
    def hit(self) -> Callable[[str], object]:
        """What is called with the key of each hit."""

    def read(self, key: str) -> object | None:
        """Return what is held under the key."""

    def insert(self, key: str, value: object) -> None:
        """Hold it, and let another go if there is no room."""


class LockedLru:
    """What one writes by hand."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held: OrderedDict[str, object] = OrderedDict()
        self._lock = threading.Lock()

    def hit(self, key: str) -> None:
        """Move to the end what was read, if it is still there."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)

    def read(self, key: str) -> object | None:
        with self._lock:
            value = self._held.get(key)
            if value is not None:
                self._held.move_to_end(key)
            return value

    def insert(self, key: str, value: object) -> None:
        with self._lock:
            self._held[key] = value
            if len(self._held) > self._capacity:
                self._held.popitem(last=False)


class PolicyCache:
    """A dict and a policy."""

    def __init__(self, capacity: int, policy: str) -> None:
        self.policy = policy_by_name(policy, capacity)
        self._capacity = capacity
        self._held: dict[str, object] = {}
        self.hit = self.policy.hit
        self._lock = threading.Lock()

    def read(self, key: str) -> object | None:
        value = self._held.get(key)
        if value is not None:
            self.hit(key)
        return value

    def insert(self, key: str, value: object) -> None:
        with self._lock:
            self.policy.insert(key, 1)
            self._held[key] = value
            while len(self._held) > self._capacity:
                victim = self.policy.evict(key)
                assert isinstance(victim, str)
                del self._held[victim]


def _cache(name: str, capacity: int) -> Cached:
    return LockedLru(capacity) if name == LRU else PolicyCache(capacity, name)


def ratios(times: dict[str, list[float]], floor: str = LRU) -> dict[str, dict[str, float]]:
    """Return for each name but the floor the median nanoseconds and the ratio to the floor, with its quartiles.

    Args:
        times: By name, one for each round.
        floor: The name that others are compared with.
    """
    told = {}
    for name, each in times.items():
        within = [own / other for own, other in zip(each, times[floor], strict=True)]
        low, middle, high = statistics.quantiles(within, n=4)
        told[name] = {"ns": statistics.median(each), "ratio": middle, "low": low, "high": high}
    return told


def _timed(call: Callable[[str], object], keys: Sequence[str]) -> float:
    gc.collect()
    start = process_time_ns()
    for key in keys:
        call(key)
    return (process_time_ns() - start) / len(keys)


def _popular(keys: int, requests: int) -> list[str]:
    """Return names of keys as requests for them, few of them often (Zipf), the same in every run."""
    weights = np.arange(1, keys + 1) ** -SKEW
    chosen = np.random.default_rng(1).choice(keys, requests, p=weights / weights.sum())
    return [f"key:{number}" for number in chosen.tolist()]


def hit_costs(rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Time `hits` and `reads` of popular keys, all of them held, after they were all read before."""
    keys = _popular(HIT_KEYS, HITS)
    names = (LRU, *known_policies())
    hits: dict[str, list[float]] = {name: [] for name in names}
    reads: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            cache = _cache(name, HIT_KEYS)
            for number in range(HIT_KEYS):
                cache.insert(f"key:{number}", number)
            _timed(cache.hit, keys)
            hits[name].append(_timed(cache.hit, keys))
            reads[name].append(_timed(cache.read, keys))
    return {"hits": ratios(hits), "reads": ratios(reads)}


def trace_costs(cells: Sequence[Cell], rounds: int) -> list[dict[str, Any]]:
    """Time the beginnings of traces, misses and evictions included: the default policy beside the LRU."""
    told = []
    for cell in cells:
        requests = [f"key:{number}" for number in load(cell.source).keys[:LONGEST].tolist()]
        times: dict[str, list[float]] = {LRU: [], ADAPTIVE: []}
        for _ in range(rounds):
            for name, each in times.items():
                cache = _cache(name, cell.capacity)

                each.append(_timed(_requested(cache), requests))
        told.append({"trace": cell.source.name, "capacity": cell.capacity, **ratios(times)[ADAPTIVE]})
    return told


def _requested(cache: Cached) -> Callable[[str], None]:
    read, insert = cache.read, cache.insert

    def request(key: str) -> None:
        if read(key) is None:
            insert(key, True)

    return request


def weights() -> dict[str, dict[str, float]]:
    """Return bytes per tracked key: what the tables allocate, without keys and values, and what the policy says."""
    requests = _popular(8 * WEIGHED_CAPACITY, WEIGHED_REQUESTS)
    told = {}
    for name in known_policies():
        gc.collect()
        tracemalloc.start()
        policy = policy_by_name(name, WEIGHED_CAPACITY)
        for key in requests:
            if key in policy:
                policy.hit(key)
            else:
                policy.insert(key, 1)
                while len(policy) > WEIGHED_CAPACITY:
                    policy.evict(key)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        told[name] = {"measured": taken / len(policy), "by_the_policy": policy.overhead_bytes() / len(policy)}
    return told


def costs(cells: Sequence[Cell], *, quick: bool, progress: Callable[[str, int, int], None]) -> dict[str, Any]:
    """Measure all of it.

    Args:
        cells: Of each trace the one with the middle size is timed.
        quick: Fewer rounds.
        progress: Told what is measured, the steps that are done, and all of them.
    """
    rounds = QUICK_ROUNDS if quick else ROUNDS
    by_trace: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.part == "table":
            by_trace.setdefault(cell.source.name, []).append(cell)
    progress("timing hits", 0, 3)
    hits = hit_costs(rounds)
    progress("timing traces", 1, 3)
    traces = trace_costs([each[len(each) // 2] for each in by_trace.values()], rounds)
    progress("weighing tables", 2, 3)
    return {"rounds": rounds, **hits, "traces": traces, "bytes_per_key": weights()}
