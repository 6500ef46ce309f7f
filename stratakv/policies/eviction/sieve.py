"""SIEVE: a hand walks from the oldest entry to the newest, and the first that was not used since it last passed leaves.

Source: Zhang, Yang, Yue, Vigfusson, Rashmi, "SIEVE is Simpler than LRU" (NSDI 2024). An entry that stays keeps its
place, so what came in lately is examined soon and a scan leaves without touching what is used.

Owns the order of arrival and the hand. Never looks at sizes. Invariant: `_behind` followed by `_ahead` is the order
of arrival, the hand stands between them, and each tracked entry is in one of the two or is the newest. The newest
joins the queue at the next call, so that an eviction that makes room for it works on the queue without it.

A tracked key takes 76 to 142 bytes: 48 for the entry, 8 for its place, the rest for the table, which grows in steps.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

from stratakv.policies.eviction.table_policy import TablePolicy

if TYPE_CHECKING:
    from collections.abc import Hashable

# Places of entries that left are swept when they outnumber the living.
_SPARE_PLACES = 64


class _Entry:
    """One tracked key. A hit only sets the mark."""

    __slots__ = ("key", "visited")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.visited = False


_ENTRY_BYTES = sys.getsizeof(_Entry(""))


class SievePolicy(TablePolicy[_Entry]):
    """Evicts the first entry under the hand that was not used since the hand last passed it."""

    name = "sieve"
    hits_keep_order = True

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._behind: deque[_Entry] = deque()
        self._ahead: deque[_Entry] = deque()
        self._newest: _Entry | None = None

    def hit(self, key: Hashable) -> None:
        entry = self._table.get(key)
        if entry is not None:
            entry.visited = True

    def insert(self, key: Hashable, size: int) -> None:  # noqa: ARG002 - order needs no sizes
        if self._newest is not None:
            self._ahead.append(self._newest)
        self._newest = self._table[key] = _Entry(key)

    def resize(self, key: Hashable, size: int) -> None:  # noqa: ARG002 - order needs no sizes
        self.hit(key)

    def remove(self, key: Hashable) -> None:
        if self._table.pop(key, None) is not None:
            self._sweep()

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        table = self._table
        kept = None if keep is None else table.get(keep)
        if len(table) == (kept is not None):
            return None
        newest = self._newest
        if newest is not None and newest is not kept:
            self._ahead.append(newest)
            self._newest = None
        # One round clears every mark. After two the hand takes what it meets, however fast threads set them again.
        steps = 2 * (len(self._ahead) + len(self._behind))
        while True:
            if not self._ahead:
                self._ahead, self._behind = self._behind, self._ahead
            entry = self._ahead.popleft()
            steps -= 1
            if entry is kept:
                self._behind.append(entry)
            elif entry.visited and steps >= 0:
                entry.visited = False
                self._behind.append(entry)
            elif table.get(entry.key) is entry:
                break
        if not self._ahead:
            # The hand has passed the newest of the queue and starts over, before another joins there.
            self._ahead, self._behind = self._behind, self._ahead
        del table[entry.key]
        return entry.key

    def overhead_bytes(self) -> int:
        tables = sys.getsizeof(self._table) + sys.getsizeof(self._ahead) + sys.getsizeof(self._behind)
        places = len(self._ahead) + len(self._behind) + (self._newest is not None)
        return tables + places * _ENTRY_BYTES

    def _sweep(self) -> None:
        """Drop the places of entries that left when they outnumber the living."""
        table = self._table
        if len(self._ahead) + len(self._behind) > 2 * len(table) + _SPARE_PLACES:
            self._ahead = deque(entry for entry in self._ahead if table.get(entry.key) is entry)
            self._behind = deque(entry for entry in self._behind if table.get(entry.key) is entry)
