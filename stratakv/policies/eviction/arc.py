"""ARC: recency and frequency share the cache, and ghosts that are asked for move the border between them.

Source: Megiddo, Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache" (FAST 2003). T1 is here `_recent`
(used once), T2 `_frequent` (used again), B1 and B2 their ghosts, p the `_target` of T1. All of them count in sizes,
and a ghost moves the border by its size, so that the unit of the sizes does not matter; with equal sizes this is
the paper's algorithm.

Owns both queues, both ghost lists and the border. Invariant: the table says what is tracked, and `place` to which
queue an entry counts. A first hit enters the entry in `_frequent` and logs it; the next call under the owner's lock
takes it out of `_recent` and moves its size. So the order of `_frequent` is the order of use at every moment, and no
step of a hit leaves anything that others cannot put right. The log holds an entry once (once a thread in a race).
An entry that `_frequent` holds although it counts elsewhere is passed over.

A tracked key takes 184 to 291 bytes: 64 for the entry, 28 for its size, the rest for the table and the queue, which
grow in steps. A ghost takes 183 to 259 more, and there are about as many ghosts as entries: the sizes of each list sum
up to the capacity at most.
"""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from stratakv.policies.eviction.footprint import sizes_bytes
from stratakv.policies.eviction.ghost_list import GhostList
from stratakv.policies.eviction.table_policy import TablePolicy

if TYPE_CHECKING:
    from collections.abc import Hashable

_RECENT, _FREQUENT, _GONE = 1, 2, 3


class _Entry:
    """One tracked key. A hit only sets `reused`; the rest changes under the owner's lock."""

    __slots__ = ("key", "place", "reused", "size")

    def __init__(self, key: Hashable, size: int) -> None:
        self.key = key
        self.size = size
        self.place = _RECENT
        self.reused = False


_ENTRY_BYTES = sys.getsizeof(_Entry("", 0))

_Queue = OrderedDict[_Entry, None]


class ArcPolicy(TablePolicy[_Entry]):
    """Evicts the least recent of those used once or of those used again, as the border between them says."""

    name = "arc"

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._recent: _Queue = OrderedDict()
        self._frequent: _Queue = OrderedDict()
        self._reused: deque[_Entry] = deque()
        self._recent_size = self._frequent_size = 0
        self._recent_ghosts = GhostList()
        self._frequent_ghosts = GhostList()
        self._target = 0.0
        # The last entry inserted, and the queue whose ghosts knew it.
        self._newest: _Entry | None = None
        self._known_to = 0

    def hit(self, key: Hashable) -> None:
        entry = self._table.get(key)
        if entry is None:
            return
        if entry.reused:
            # One call of C code, since an entry compares by identity: it runs whole or not at all beside evict().
            try:
                self._frequent.move_to_end(entry)
            except KeyError:
                return
        else:
            entry.reused = True
            self._reused.append(entry)
            self._frequent[entry] = None

    def insert(self, key: Hashable, size: int) -> None:
        self._settle()
        entry = self._table[key] = self._newest = _Entry(key, max(size, 1))
        self._known_to = self._learn(key)
        if self._known_to:
            entry.place = _FREQUENT
            entry.reused = True
            self._frequent[entry] = None
        else:
            self._recent[entry] = None
        self._add_size(entry.place, entry.size)

    def resize(self, key: Hashable, size: int) -> None:
        self.reweigh(key, size)
        self.hit(key)

    def reweigh(self, key: Hashable, size: int) -> None:
        self._settle()
        entry = self._table.get(key)
        if entry is not None:
            size = max(size, 1)
            self._add_size(entry.place, size - entry.size)
            entry.size = size

    def remove(self, key: Hashable) -> None:
        self._settle()
        entry = self._table.pop(key, None)
        if entry is not None:
            self._recent.pop(entry, None)
            self._frequent.pop(entry, None)
            self._add_size(entry.place, -entry.size)
            entry.place = _GONE

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        self._settle()
        kept = None if keep is None else self._table.get(keep)
        if len(self._table) == (kept is not None):
            return None
        recent, frequent = self._recent_size, self._frequent_size
        budget = min(self.capacity, recent + frequent)
        if kept is not None:
            # What is let in counts only after room was made for it.
            if kept.place == _RECENT:
                recent -= kept.size
            else:
                frequent -= kept.size
        incoming = kept if kept is self._newest else None
        leaves_ghost = self._make_ghost_room(recent, frequent, incoming, budget)
        if recent and (not leaves_ghost or self._recent_leads(recent, frequent, incoming)):
            victim, ghosts = _pop_oldest(self._recent, _RECENT, kept), self._recent_ghosts
            self._recent_size -= victim.size
        else:
            victim, ghosts = _pop_oldest(self._frequent, _FREQUENT, kept), self._frequent_ghosts
            self._frequent_size -= victim.size
        if leaves_ghost:
            ghosts.add(victim.key, victim.size, budget)
        victim.place = _GONE
        del self._table[victim.key]
        return victim.key

    def set_capacity(self, capacity: int) -> None:
        super().set_capacity(capacity)
        self._target = min(self._target, capacity)
        self._recent_ghosts.trim(capacity)
        self._frequent_ghosts.trim(capacity)

    def shrink(self) -> None:
        super().shrink()
        self._recent = self._recent.copy()
        self._frequent = self._frequent.copy()
        self._recent_ghosts.shrink()
        self._frequent_ghosts.shrink()

    def overhead_bytes(self) -> int:
        tables = sum(map(sys.getsizeof, (self._table, self._recent, self._frequent, self._reused)))
        count = len(self._table)
        entries = count * _ENTRY_BYTES + sizes_bytes(count, self._recent_size + self._frequent_size)
        return tables + entries + self._recent_ghosts.overhead_bytes() + self._frequent_ghosts.overhead_bytes()

    def _settle(self) -> None:
        """Take the entries that hits sent to `_frequent` since the last call out of `_recent`."""
        reused = self._reused
        while reused:
            entry = reused.popleft()
            if entry.place == _RECENT:
                entry.place = _FREQUENT
                del self._recent[entry]
                self._recent_size -= entry.size
                self._frequent_size += entry.size
                # The hit may be between its two steps.
                self._frequent.setdefault(entry)

    def _learn(self, key: Hashable) -> int:
        """Move the border by what a missed key's ghost tells; return the queue that it left, 0 where none knows it."""
        recent, frequent = self._recent_ghosts.size, self._frequent_ghosts.size
        if size := self._recent_ghosts.take(key):
            self._target = min(self._target + size * max(frequent / recent, 1.0), self.capacity)
            return _RECENT
        if size := self._frequent_ghosts.take(key):
            self._target = max(self._target - size * max(recent / frequent, 1.0), 0.0)
            return _FREQUENT
        return 0

    def _make_ghost_room(self, recent: int, frequent: int, incoming: _Entry | None, budget: int) -> bool:
        """Drop ghosts for the one that comes; False where T1 alone fills the cache and its victim leaves none.

        T1 with its ghosts stays within the budget, all four lists within twice of it.
        """
        recent_ghosts, frequent_ghosts = self._recent_ghosts, self._frequent_ghosts
        if incoming is None or not self._known_to:
            room = budget - recent - (incoming.size if incoming is not None else 0)
            if room < 0 and not recent_ghosts.size:
                return False
            recent_ghosts.trim(room)
        # One short of the bound: what comes in is not counted yet, and its size is 1 at least.
        frequent_ghosts.trim(2 * budget - 1 - recent - frequent - recent_ghosts.size)
        return True

    def _recent_leads(self, recent: int, frequent: int, incoming: _Entry | None) -> bool:
        """Tell whether the victim comes from T1, which is not empty."""
        if not frequent or recent > self._target:
            return True
        return recent == self._target and incoming is not None and self._known_to == _FREQUENT

    def _add_size(self, place: int, size: int) -> None:
        if place == _RECENT:
            self._recent_size += size
        else:
            self._frequent_size += size


def _pop_oldest(queue: _Queue, place: int, kept: _Entry | None) -> _Entry:
    """Take the oldest entry that counts to the queue and is not the kept one out of it."""
    passed = False
    while True:
        entry, _ = queue.popitem(last=False)
        if entry is kept:
            passed = True
        elif entry.place == place:
            break
    if passed and kept is not None:
        queue[kept] = None
        queue.move_to_end(kept, last=False)
    return entry
