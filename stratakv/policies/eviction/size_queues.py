"""`Entry` and `SizeQueue`: the first-in-first-out queues of S3+, kept apart by size class.

Owns the order within a queue and the sum of its sizes. Never decides who is promoted or how often an entry
was used. Invariant: a living entry stands exactly once in the queue that its `place` names; entries whose
`place` is None left meanwhile and are passed over.

With sizes, the entry to leave first is the one with the largest age x size: `1 / age` is what its history
says of its rate of use, so age x size is the room it takes for each use (the reasoning of GreedyDual-Size,
Cao and Irani 1997, and Hyperbolic caching, Blankstein et al. 2017, on plain queues). Sizes within a factor
of two share a queue, so one look at a few heads finds it. With equal sizes there is one class, and the queue
is first in, first out.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

# Dead entries are swept out when they outnumber the living; short queues are not worth the trouble.
_SPARE_DEAD = 64


class Entry:
    """One tracked key. A hit raises `hits` up to `hit_limit` without a lock; all else changes under a lock."""

    # Slots lie in the order of their names: what a hit needs shares one line of the processor's cache.
    __slots__ = ("hit_limit", "hits", "key", "mark", "place", "size", "time")

    def __init__(self, key: Hashable, mark: int, size: int, time: int, hit_limit: int) -> None:
        self.key = key
        self.mark = mark
        self.size = size
        self.time = time
        self.hits = 0
        self.hit_limit = hit_limit
        self.place: SizeQueue | None = None


# Mark and time are objects of their own, and one pointer stands in a queue.
_ENTRY_BYTES = sys.getsizeof(Entry("", 0, 0, 0, 0)) + 31 + 28 + 8
# Sizes above 256 are objects too; the interpreter shares the smaller ones.
_LARGEST_SHARED_NUMBER = 256
_NUMBER_BYTES = 28


class SizeQueue:
    """A queue of entries in order of `time`, one line for each class of sizes.

    Args:
        by_size: Whether sizes count. If not, all entries stand in one line.
    """

    __slots__ = ("_by_size", "_dead", "_last_line", "_last_size", "_lines", "_only", "total")

    def __init__(self, *, by_size: bool) -> None:
        self._by_size = by_size
        self._lines: dict[int, deque[Entry]] = {}
        # Where all sizes are of one class, as they often are, this is the one line.
        self._only: deque[Entry] | None = None
        self._last_line: deque[Entry] = deque()
        self._last_size = -1
        self._dead = 0
        self.total = 0

    def push(self, entry: Entry) -> None:
        """Put an entry at the end."""
        entry.place = self
        size = entry.size
        self.total += size
        if size != self._last_size:
            self._last_line = self._line_of(size)
            self._last_size = size
        self._last_line.append(entry)

    def first(self, now: int) -> Entry | None:
        """Return the entry to leave first at the time `now`; None if there is none."""
        line = self._only
        if not line or line[0].place is not self:
            line = self._choose(now, None)
        return line[0] if line else None

    def pop(self, now: int, held: Entry | None = None) -> Entry | None:
        """Take out the entry to leave first at the time `now`, other than `held`; None if there is none."""
        line = self._only
        if not line or line[0].place is not self or line[0] is held:
            line = self._choose(now, held)
            if line is None:
                return None
        entry = line.popleft()
        if entry is held:
            entry = line.popleft()
            line.appendleft(held)
        self.total -= entry.size
        return entry

    def discard(self, entry: Entry) -> None:
        """Take out an entry from anywhere in the queue."""
        entry.place = None
        self.total -= entry.size
        self._dead += 1
        if self._dead > _SPARE_DEAD + sum(map(len, self._lines.values())) // 2:
            for line in self._lines.values():
                living = [other for other in line if other.place is self]
                line.clear()
                line.extend(living)
            self._dead = 0

    def overhead_bytes(self) -> int:
        """Return the bytes of the entries and of the lines they stand in."""
        count = sum(map(len, self._lines.values()))
        number = _NUMBER_BYTES if self.total > _LARGEST_SHARED_NUMBER * (count - self._dead) else 0
        return count * (_ENTRY_BYTES + number)

    def _line_of(self, size: int) -> deque[Entry]:
        size_class = size.bit_length() if self._by_size else 0
        line = self._lines.get(size_class)
        if line is None:
            line = self._lines[size_class] = deque()
            self._only = line if len(self._lines) == 1 else None
        return line

    def _choose(self, now: int, held: Entry | None) -> deque[Entry] | None:
        """Return the line of the entry to leave first. It is the line's head, or behind `held` at its head."""
        best: deque[Entry] | None = None
        most = -1
        for line in self._lines.values():
            while line and line[0].place is not self:
                line.popleft()
                self._dead -= 1
            if not line:
                continue
            entry = line[0]
            if entry is held:
                second = self._second(line)
                if second is None:
                    continue
                entry = second
            room = (now - entry.time + 1) * entry.size
            if room > most:
                most = room
                best = line
        return best

    def _second(self, line: deque[Entry]) -> Entry | None:
        """Return the first living entry behind the head, which becomes the second of the line."""
        while len(line) > 1:
            if line[1].place is self:
                return line[1]
            del line[1]
            self._dead -= 1
        return None
