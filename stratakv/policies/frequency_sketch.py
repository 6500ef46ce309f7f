"""A frequency sketch: about how often was a key used lately, in a table of fixed size.

Owns counters and their ageing. Knows no keys, sizes, tiers or evictions: whoever asks decides what an estimate
means. Invariant: while nothing was halved, an estimate is never below the true count (up to `MOST`); two
sketches told the same integers in the same order are equal, in any process.
"""

from __future__ import annotations

import sys
from itertools import count

MOST = 15
"""The largest estimate: counters have four bits."""

_RAISED = [bytes(min(counter + uses, MOST) for counter in range(256)) for uses in range(MOST + 1)]
_RAISED_BY_ONE = _RAISED[1]
_HALVED = bytes(counter >> 1 for counter in range(256))
_ROWS = 4
_COUNTERS_PER_ENTRY = 4
_FEWEST_COUNTERS = 64
_USES_PER_ENTRY = 10
# Hashes of integers are the integers themselves. Neighbours would never share a counter, and shared counters are
# wanted: in a loop of equally frequent keys they tell apart which ones stay. The prime is the largest below
# 2**30, where the interpreter's arithmetic on small numbers ends; the factor is its golden section.
_PRIME = 1_073_741_789
_SPREAD = 663_608_941


class FrequencySketch:
    """Count-min sketch with saturating counters and periodic halving.

    Source: Einziger, Friedman & Manes, "TinyLFU: A Highly Efficient Cache Admission Policy", ACM Transactions on
    Storage 13(4), 2017. A counter of four bits takes a byte here, because packing two into one costs more time
    than all else. The lengths of the four rows are distinct primes, so each row tells for itself which keys share
    a counter. Takes 16 bytes for each entry.

    Not thread-safe; the owner locks.

    Args:
        entries: How many entries the cache holds whose keys are counted; sets the size for good.

    Attributes:
        sample_size: All counters are halved after this many uses, and again after each further half of it. Ten
            for each entry at first; assign another number when the cache turns out to hold more or fewer.
    """

    __slots__ = ("_rows", "_uses", "entries", "sample_size")

    def __init__(self, entries: int) -> None:
        if entries <= 0:
            raise ValueError(f"entries must be positive, not {entries}")
        self.entries = entries
        self.sample_size = _USES_PER_ENTRY * entries
        lengths = _primes_from(max(_FEWEST_COUNTERS, entries * _COUNTERS_PER_ENTRY), _ROWS)
        self._rows = [(length, bytearray(length)) for length in lengths]
        self._uses = 0

    def add(self, key_hash: int, uses: int = 1) -> None:
        """Count one use, or several at once, of the key with that hash."""
        place = key_hash * _SPREAD % _PRIME
        raised = _RAISED_BY_ONE if uses == 1 else _RAISED[min(uses, MOST)]
        # Written out, here, in `count` and in `estimate`: a loop over the rows would take half as long again.
        (length0, row0), (length1, row1), (length2, row2), (length3, row3) = self._rows
        index = place % length0
        row0[index] = raised[row0[index]]
        index = place % length1
        row1[index] = raised[row1[index]]
        index = place % length2
        row2[index] = raised[row2[index]]
        index = place % length3
        row3[index] = raised[row3[index]]
        self._uses += uses
        if self._uses >= self.sample_size:
            self.age()

    def count(self, key_hash: int) -> int:
        """Count one use of the key with that hash and return its estimate, in less time than `add` and `estimate`."""
        place = key_hash * _SPREAD % _PRIME
        raised = _RAISED_BY_ONE
        (length0, row0), (length1, row1), (length2, row2), (length3, row3) = self._rows
        index = place % length0
        row0[index] = uses0 = raised[row0[index]]
        index = place % length1
        row1[index] = uses1 = raised[row1[index]]
        index = place % length2
        row2[index] = uses2 = raised[row2[index]]
        index = place % length3
        row3[index] = uses3 = raised[row3[index]]
        self._uses += 1
        if self._uses >= self.sample_size:
            self.age()
            return self.estimate(key_hash)
        return min(uses0, uses1, uses2, uses3)

    def estimate(self, key_hash: int) -> int:
        """Return about how many uses of the key were counted lately, 0 to `MOST`."""
        place = key_hash * _SPREAD % _PRIME
        (length0, row0), (length1, row1), (length2, row2), (length3, row3) = self._rows
        return min(row0[place % length0], row1[place % length1], row2[place % length2], row3[place % length3])

    def age(self) -> None:
        """Halve all counts, so that what was used long ago gives way."""
        for _, row in self._rows:
            row[:] = row.translate(_HALVED)
        self._uses //= 2

    def doubled(self) -> FrequencySketch:
        """Return a sketch for twice the entries, with twice the counters and for now the same estimates."""
        wider = FrequencySketch(1)
        wider.entries = 2 * self.entries
        wider.sample_size = 2 * self.sample_size
        # A number modulo twice the length falls on one of two copies of the counter it fell on before.
        wider._rows = [(2 * length, row + row) for length, row in self._rows]
        wider._uses = self._uses
        return wider

    def overhead_bytes(self) -> int:
        """Return the bytes of RAM the counters take, in O(1)."""
        return sys.getsizeof(self) + sum(sys.getsizeof(row) for _, row in self._rows)


def _primes_from(smallest: int, how_many: int) -> list[int]:
    primes: list[int] = []
    for number in count(smallest | 1, 2):
        if all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2)):
            primes.append(number)
            if len(primes) == how_many:
                break
    return primes
