"""S3+: a small queue that tries new entries, a main queue that keeps the proven, and a memory of who left.

Owns the two queues and the ghosts. Never looks at values or clocks; its time counts entries put into a queue.
Invariant: each tracked key has one entry in one queue, whatever threads hit it meanwhile.

Source: S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi, "FIFO queues are all you need for cache eviction", SOSP
2023), with three changes.

1. The ghosts remember when they came in. One that is asked for again enters the main queue only if that is more
   recent than the last (re)insertion of main's first entry, else it is tried once more: main's first has then
   gone unused for longer than the newcomer's whole absence. This is the comparison of recencies in LIRS
   (Jiang and Zhang, SIGMETRICS 2002), and what makes loops larger than the cache keep a share of themselves.
2. While the cache first fills, entries that overflow the small queue go to main.
3. With the objective "objects", sizes count: each queue lets the largest age x size go first (see
   `size_queues.py`), the recency test compares the same product, and an entry much smaller than usual passes
   from small to main unused, since keeping it costs next to nothing. With equal sizes this is the plain design.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from stratakv.policies.eviction.base import EvictionPolicy
from stratakv.policies.eviction.ghosts import GhostTable, mark_of
from stratakv.policies.eviction.size_queues import Entry, SizeQueue

if TYPE_CHECKING:
    from collections.abc import Hashable

Objective = Literal["objects", "bytes"]

SMALL_SHARE = 0.05
MOST_USES = 3
USES_FOR_MAIN = 2
# Bounds an eviction after a long spell of hits alone, to about half a millisecond. Hit ratios with and without the
# bound agree within 0.05 points.
_MOST_SECOND_CHANCES = 512


class S3PlusPolicy(EvictionPolicy):
    """S3-FIFO with ghosts that compare recency. A hit takes no lock: it raises a counter of its entry, up to 3.

    Memory, for each tracked key: 200 to 250 bytes for entry and table, and 48 to 96 for ghosts; measured 260 to 340.

    Args:
        capacity: What the owner's cache can hold, in the unit of the sizes.
        objective: "objects" lets sizes count, so that as many requests as possible hit; "bytes" does not, which
            serves the share of bytes that hit.
    """

    name = "s3+"
    hits_keep_order = True

    def __init__(self, capacity: int, objective: Objective = "objects") -> None:
        super().__init__(capacity)
        if objective not in {"objects", "bytes"}:
            raise ValueError(f"objective must be 'objects' or 'bytes', not {objective!r}")
        self.objective: Objective = objective
        self._share = SMALL_SHARE
        self._small_target = 1
        self._divide(SMALL_SHARE)
        self._by_size = objective == "objects"
        self._table: dict[Hashable, Entry] = {}
        self._small = SizeQueue(by_size=self._by_size)
        self._main = SizeQueue(by_size=self._by_size)
        self._ghosts = GhostTable()
        self._clock = 0
        self._squares = 0
        self._first_size = -1
        self._sizes_differ = False
        self._is_filling = True

    def hit(self, key: Hashable) -> None:
        try:
            entry = self._table[key]
        except KeyError:
            return
        # If the entry leaves between these lines, the counter of a dead entry rises and nobody looks at it.
        if entry.hits < entry.hit_limit:
            entry.hits += 1

    def insert(self, key: Hashable, size: int) -> None:
        self._enter(key, mark_of(key), size, MOST_USES)

    def resize(self, key: Hashable, size: int) -> None:
        self.reweigh(key, size)
        self.hit(key)

    def reweigh(self, key: Hashable, size: int) -> None:
        entry = self._table.get(key)
        if entry is not None and entry.place is not None:
            entry.place.total += size - entry.size
            self._squares += size * size - entry.size * entry.size
            self._note_size(size)
            # The entry keeps its place in the line of its old size class until its turn comes.
            entry.size = size

    def remove(self, key: Hashable) -> None:
        entry = self._table.pop(key, None)
        if entry is not None and entry.place is not None:
            entry.place.discard(entry)
            self._squares -= entry.size * entry.size

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        table, small, main, ghosts, clock = self._table, self._small, self._main, self._ghosts, self._clock
        held = None if keep is None else table.get(keep)
        if len(table) == (held is not None):
            return None
        self._is_filling = False
        limit = self._small_target
        if held is not None and held.place is small and held.size > limit:
            # An entry larger than the small queue does not push out the others that are on trial.
            limit += held.size
        chances = _MOST_SECOND_CHANCES
        while True:
            entry = small.pop(clock, held) if small.total > limit else None
            if entry is not None:
                if entry.hits < USES_FOR_MAIN and not (self._sizes_differ and self._is_tiny(entry.size)):
                    if len(table) > ghosts.room:
                        ghosts.reserve(len(table))
                    ghosts.put(entry.mark, entry.time)
                    break
                entry.hits = 0
            else:
                entry = main.pop(clock, held)
                if entry is None:
                    limit = -1
                    continue
                uses = min(entry.hits, MOST_USES)
                if not (uses and chances):
                    break
                chances -= 1
                entry.hits = uses - 1
            clock += 1
            entry.time = clock
            main.push(entry)
        self._clock = clock
        self._squares -= entry.size * entry.size
        del table[entry.key]
        return entry.key

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def set_capacity(self, capacity: int) -> None:
        # Room gained is filled as at the start; evictions move what the new boundary leaves on the wrong side.
        self._is_filling = self._is_filling or capacity > self.capacity
        super().set_capacity(capacity)
        self._divide(self._share)

    def shrink(self) -> None:
        # A hit on another thread finds the old table or the new one; both hold the same entries.
        self._table = dict(self._table)
        if self._ghosts.room > 8 * len(self._table):
            self._ghosts.reserve(len(self._table))

    def overhead_bytes(self) -> int:
        queues = self._small.overhead_bytes() + self._main.overhead_bytes()
        return sys.getsizeof(self._table) + queues + self._ghosts.overhead_bytes()

    def _enter(self, key: Hashable, mark: int, size: int, hit_limit: int) -> None:
        small, main = self._small, self._main
        self._clock = clock = self._clock + 1
        entry = Entry(key, mark, size, clock, hit_limit)
        self._table[key] = entry
        self._squares += size * size
        if not self._sizes_differ and size != self._first_size:
            self._note_size(size)
        came = self._ghosts.take(mark) if self._ghosts.room else 0
        if came and self._is_proven(clock - came, size):
            main.push(entry)
            return
        small.push(entry)
        if self._is_filling and small.total > self._small_target:
            self._overflow(size)

    def _overflow(self, newest: int) -> None:
        """Let main take what the small queue has too much, but not all."""
        small = self._small
        while small.total > max(self._small_target, newest):
            entry = small.pop(self._clock)
            if entry is None:
                break
            self._clock += 1
            entry.time = self._clock
            self._main.push(entry)

    def _note_size(self, size: int) -> None:
        if self._first_size < 0:
            self._first_size = size
        else:
            self._sizes_differ = self._sizes_differ or size != self._first_size

    def _is_proven(self, absence: int, size: int) -> bool:
        """Tell whether a returning entry was needed sooner than the one main would let go first."""
        first = self._main.first(self._clock)
        if first is None:
            return True
        age = self._clock - first.time
        return absence * size < age * first.size if self._by_size else absence < age

    def _is_tiny(self, size: int) -> bool:
        """Tell whether a size is below 4/5 of the mean of the tracked ones and of their standard deviation."""
        if not self._by_size:
            return False
        count = len(self._table)
        # The entry in question has left its queue, and still stands in the table.
        total = self._small.total + self._main.total + size
        room = 5 * count * size
        return room <= 4 * total and room * room <= 16 * (count * self._squares - total * total)

    def _are_sizes_dispersed(self) -> bool:
        """Tell whether the standard deviation of the sizes is above half their mean."""
        total = self._small.total + self._main.total
        return self._sizes_differ and 4 * len(self._table) * self._squares > 5 * total * total

    def _divide(self, share: float) -> None:
        self._share = share
        self._small_target = max(1, int(share * self.capacity))
