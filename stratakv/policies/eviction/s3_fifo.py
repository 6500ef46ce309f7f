"""S3-FIFO: two FIFO queues, a small one that new entries must be used in to reach the main one, and ghosts.

Source: Yang, Zhang, Qiu, Yue, Rashmi, "FIFO Queues are All You Need for Cache Eviction" (SOSP 2023), with the rules
that its authors' simulator settled on later: an entry needs two uses in the small queue, and while the cache first
fills, what the small queue has no room for goes to the main queue.

Owns the queues, the counters and the ghosts of what left the small queue. Invariant: each tracked entry is in the
queue that its `place` names, once, or is the newest; the newest joins its queue at the next call, so that an eviction
that makes room for it works on the queues without it.

The shares are taken of what is tracked when something must leave, where that is less than the capacity: an owner may
charge more to its budget than the sizes told here.

The owner decides what is admitted: an entry larger than the small queue's share comes in here as any other, which the
authors' simulator would refuse.

A tracked key takes 120 to 186 bytes: 64 for the entry, 28 for its size, 8 for its place, the rest for the table, which
grows in steps. A ghost takes 175 to 247 more; their sizes sum up to nine tenths of the capacity at most.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

from stratakv.policies.eviction.footprint import sizes_bytes
from stratakv.policies.eviction.ghost_list import GhostList
from stratakv.policies.eviction.table_policy import TablePolicy

if TYPE_CHECKING:
    from collections.abc import Hashable

_SMALL, _MAIN, _GONE = 1, 2, 3
_USES_TO_STAY = 2
_MOST_USES = 3
# Places of entries that left are swept when they outnumber the living.
_SPARE_PLACES = 64


class _Entry:
    """One tracked key. A hit only raises `uses`; the rest changes under the owner's lock."""

    __slots__ = ("key", "place", "size", "uses")

    def __init__(self, key: Hashable, size: int, place: int) -> None:
        self.key = key
        self.size = size
        self.place = place
        self.uses = 0


_ENTRY_BYTES = sys.getsizeof(_Entry("", 0, 0))


class S3FifoPolicy(TablePolicy[_Entry]):
    """Evicts from a small queue of a tenth what was not used twice there, else from the main queue by CLOCK."""

    name = "s3-fifo"
    hits_keep_order = True

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._small: deque[_Entry] = deque()
        self._main: deque[_Entry] = deque()
        self._small_size = self._main_size = 0
        self._ghosts = GhostList()
        self._newest: _Entry | None = None
        self._has_evicted = False

    def hit(self, key: Hashable) -> None:
        entry = self._table.get(key)
        if entry is not None:
            uses = entry.uses
            if uses < _MOST_USES:
                entry.uses = uses + 1

    def insert(self, key: Hashable, size: int) -> None:
        if self._newest is not None:
            self._settle(self._newest)
        overflows = not self._has_evicted and self._small_size >= self.capacity // 10
        place = _MAIN if overflows or self._ghosts.take(key) else _SMALL
        self._newest = self._table[key] = _Entry(key, size, place)

    def resize(self, key: Hashable, size: int) -> None:
        self.reweigh(key, size)
        self.hit(key)

    def reweigh(self, key: Hashable, size: int) -> None:
        entry = self._table.get(key)
        if entry is not None:
            if entry is not self._newest:
                self._add_size(entry.place, size - entry.size)
            entry.size = size

    def remove(self, key: Hashable) -> None:
        entry = self._table.pop(key, None)
        if entry is None:
            return
        if entry is self._newest:
            self._newest = None
        else:
            self._add_size(entry.place, -entry.size)
            entry.place = _GONE
            self._sweep()

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        kept = None if keep is None else self._table.get(keep)
        newest = self._newest
        if newest is not None and newest is not kept:
            self._settle(newest)
            newest = None
        budget = min(self.capacity, self._small_size + self._main_size + (newest.size if newest else 0))
        victim = self._leave_small(kept) if self._main_size <= budget - budget // 10 else None
        victim = victim or self._leave_main(kept) or self._leave_small(kept) or self._leave_main(kept)
        if victim is None:
            return None
        if not self._has_evicted:
            self._has_evicted = True
            if newest is not None:
                # It came in when there was no room left, so it is not one of those that filled the cache.
                newest.place = _SMALL
        del self._table[victim.key]
        if victim.place == _SMALL:
            self._ghosts.add(victim.key, victim.size, budget * 9 // 10)
        victim.place = _GONE
        return victim.key

    def set_capacity(self, capacity: int) -> None:
        super().set_capacity(capacity)
        self._ghosts.trim(capacity * 9 // 10)

    def shrink(self) -> None:
        super().shrink()
        self._ghosts.shrink()

    def overhead_bytes(self) -> int:
        tables = sys.getsizeof(self._table) + sys.getsizeof(self._small) + sys.getsizeof(self._main)
        places = len(self._small) + len(self._main) + (self._newest is not None)
        sizes = sizes_bytes(places, self._small_size + self._main_size)
        return tables + places * _ENTRY_BYTES + sizes + self._ghosts.overhead_bytes()

    def _settle(self, newest: _Entry) -> None:
        """Let the newest entry join its queue."""
        self._newest = None
        if newest.place == _SMALL:
            self._small.append(newest)
            self._small_size += newest.size
        else:
            self._main.append(newest)
            self._main_size += newest.size

    def _leave_small(self, kept: _Entry | None) -> _Entry | None:
        """Take the first of the small queue that was not used enough out of it; those before it go to main."""
        small = self._small
        for _ in range(len(small)):
            entry = small.popleft()
            if entry.place != _SMALL:
                continue
            if entry is kept:
                small.append(entry)
                continue
            self._small_size -= entry.size
            if entry.uses < _USES_TO_STAY:
                return entry
            entry.place = _MAIN
            entry.uses = 0
            self._main.append(entry)
            self._main_size += entry.size
        return None

    def _leave_main(self, kept: _Entry | None) -> _Entry | None:
        """Take the first of the main queue whose uses are spent out of it; those before it spend one each."""
        main = self._main
        turns = (_MOST_USES + 1) * len(main)
        last_round = len(main)
        # One round spends a use of each. In the last one uses no longer count, however fast threads add them.
        while main and turns:
            turns -= 1
            entry = main.popleft()
            if entry.place != _MAIN:
                continue
            uses = entry.uses
            if entry is not kept and (not uses or turns < last_round):
                self._main_size -= entry.size
                return entry
            if uses:
                entry.uses = uses - 1
            main.append(entry)
        return None

    def _add_size(self, place: int, size: int) -> None:
        if place == _SMALL:
            self._small_size += size
        else:
            self._main_size += size

    def _sweep(self) -> None:
        """Drop the places of entries that left when they outnumber the living."""
        if len(self._small) + len(self._main) > 2 * len(self._table) + _SPARE_PLACES:
            self._small = deque(entry for entry in self._small if entry.place == _SMALL)
            self._main = deque(entry for entry in self._main if entry.place == _MAIN)
