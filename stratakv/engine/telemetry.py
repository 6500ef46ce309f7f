"""`Counters` and `LatencyHistogram`: what the store counts about itself while many threads work.

Owns numbers only: it never reads a clock and never decides anything; a lock is taken only at a thread's first
count. Invariant: no count is lost, also when threads race or end. A sum read while others count lies between
what it was before and what it is after the read.

Each thread adds to a list of its own, so that nothing is shared where operations run; reading sums the lists.
"""

from __future__ import annotations

import math
import os
import threading
import weakref
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SLOT_NAMES = (
    "reads",
    "writes",
    "hits",
    "misses",
    "deletes",
    "evictions",
    "promotions",
    "demotions",
    "dedup_hits",
    "encodes",
    "encoded_bytes",
    "plaintext_bytes",
    "corruptions",
    "background_failures",
    "expired",
    "checkpoints",
    "compactions",
    "collected",
    "engine_reads",
    "engine_writes",
    "bloom_negatives",
    "bloom_false_positives",
    "absent",
)
# Plain numbers: an IntEnum member as a list index costs a call.
(
    READS,
    WRITES,
    HITS,
    MISSES,
    DELETES,
    EVICTIONS,
    PROMOTIONS,
    DEMOTIONS,
    DEDUP_HITS,
    ENCODES,
    ENCODED_BYTES,
    PLAINTEXT_BYTES,
    CORRUPTIONS,
    BACKGROUND_FAILURES,
    EXPIRED,
    CHECKPOINTS,
    COMPACTIONS,
    COLLECTED,
    ENGINE_READS,
    ENGINE_WRITES,
    BLOOM_NEGATIVES,
    BLOOM_FALSE_POSITIVES,
    ABSENT,
) = range(len(SLOT_NAMES))


class _Life:
    """Lives in one thread's storage and dies with it: weak references to it tell whether the thread runs."""

    __slots__ = ("__weakref__",)


class _Shards:
    """One list of numbers a thread, and the sums left by threads that ended."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lock = threading.Lock()
        # Replaced whole, never changed in place: readers need no lock and a fork never sees half a change.
        self._state: tuple[list[int], tuple[tuple[weakref.ref[_Life], list[int]], ...]] = ([0] * width, ())
        _all_shards.add(self)

    def enlist(self, life: _Life) -> list[int]:
        """Return a new thread's list, and fold in those of threads that have ended since."""
        counts = [0] * self.width
        with self.lock:
            ended, shards = self._state
            ended = list(ended)
            running = []
            for shard in shards:
                if shard[0]() is None:
                    ended = [a + b for a, b in zip(ended, shard[1], strict=True)]
                else:
                    running.append(shard)
            self._state = (ended, (*running, (weakref.ref(life), counts)))
        return counts

    def column(self, index: int) -> int:
        ended, shards = self._state
        return ended[index] + sum(counts[index] for _, counts in shards)

    def sums(self) -> list[int]:
        ended, shards = self._state
        return [sum(column) for column in zip(ended, *(counts for _, counts in shards), strict=True)]


_all_shards: weakref.WeakSet[_Shards] = weakref.WeakSet()


class _Local(threading.local):
    """The calling thread's own list; made on the thread's first use."""

    def __init__(self, shards: _Shards) -> None:
        self.life = _Life()
        self.counts = shards.enlist(self.life)


class Counters:
    """The named counters of one store, at the indexes READS, WRITES, ... of this module.

    Safe under any number of threads. A child process after fork starts with the parent's sums.
    """

    def __init__(self) -> None:
        self._shards = _Shards(len(SLOT_NAMES))
        self._local = _Local(self._shards)
        self._tickers: list[tuple[int, count[int]]] = []

    def add(self, slot: int, amount: int = 1) -> None:
        """Add to one counter, about 90 ns."""
        self._local.counts[slot] += amount

    def ticker(self, slot: int) -> Callable[[], object]:
        """Return a function that adds one to a counter in about 30 ns; its result means nothing.

        For what happens in every operation: ask once, keep the function. A step of `itertools.count` is one
        call of C code, which other threads cannot interrupt.
        """
        steps = count()
        self._tickers.append((slot, steps))
        return steps.__next__

    def total(self, slot: int) -> int:
        """Return one counter's sum over all threads."""
        ticked = sum(_steps_made(steps) for ticking, steps in tuple(self._tickers) if ticking == slot)
        return self._shards.column(slot) + ticked

    def snapshot(self) -> dict[str, int]:
        """Return all sums by name. Nothing is stopped meanwhile: they may be some operations apart."""
        sums = self._shards.sums()
        for slot, steps in tuple(self._tickers):
            sums[slot] += _steps_made(steps)
        return dict(zip(SLOT_NAMES, sums, strict=True))


def _steps_made(steps: count[int]) -> int:
    # `count(7)` is the only view of the number that does not take a step itself.
    return int(repr(steps)[len("count(") : -1])


_OCTAVES = 44
_LONGEST = (1 << _OCTAVES) - 1
_BUCKETS = 4 * (_OCTAVES - 1)


class LatencyHistogram:
    """Durations in nanoseconds, in buckets at most 25% wide: four between a power of two and the next.

    Durations below 8 ns have buckets of their own; those outside 0..2**44 - 1 (4.9 hours) count at that edge.
    """

    def __init__(self) -> None:
        self._shards = _Shards(_BUCKETS + 1)
        self._local = _Local(self._shards)

    def record(self, nanoseconds: int) -> None:
        """Count one duration, about 0.25 us."""
        if not 0 <= nanoseconds <= _LONGEST:
            nanoseconds = 0 if nanoseconds < 0 else _LONGEST
        counts = self._local.counts
        if nanoseconds < 8:
            counts[nanoseconds] += 1
        else:
            octave = nanoseconds.bit_length() - 3
            counts[4 * octave + (nanoseconds >> octave)] += 1
        counts[_BUCKETS] += nanoseconds

    @property
    def count(self) -> int:
        """Durations recorded."""
        return sum(self._shards.sums()[:_BUCKETS])

    def mean(self) -> float | None:
        """Return the mean in nanoseconds, None when nothing was recorded."""
        *buckets, total = self._shards.sums()
        recorded = sum(buckets)
        return total / recorded if recorded else None

    def quantile(self, q: float) -> int | None:
        """Return a duration in nanoseconds that the share `q` did not exceed, None when nothing was recorded.

        It is the upper edge of a bucket, so never below the true quantile and at most 25% above it.

        Raises:
            ValueError: `q` is not between 0 and 1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
        buckets = self._shards.sums()[:_BUCKETS]
        left = max(1, math.ceil(q * sum(buckets)))
        for bucket, recorded in enumerate(buckets):
            left -= recorded
            if left <= 0:
                return _upper_edge(bucket)
        return None


def _upper_edge(bucket: int) -> int:
    """Return the longest duration that falls into a bucket."""
    if bucket < 8:
        return bucket
    octave = bucket // 4 - 1
    return (bucket % 4 + 5 << octave) - 1


def _renew_locks() -> None:
    # Another thread of the parent may have held a lock at the fork; here it would never be released.
    for shards in tuple(_all_shards):
        shards.lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_locks)
