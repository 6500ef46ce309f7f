"""Least frequently used: the entry with the fewest uses leaves first; among equals, the one used longest ago.

Owns the counts. Never looks at sizes, and forgets a count when its entry leaves. Invariant: a key is tracked
exactly while the table holds its entry, and every entry of the table has at least one note in the heap.

Hits take no lock, so they must not touch the order: they only raise numbers inside the entry. The heap holds
notes of what the numbers were when they were last looked at. Since numbers only rise, the heap's least note
is at or below every true minimum, and a note that is still true names the victim; notes found out of date are
written anew. An eviction so pays for the hits since the last one, at most `_MOST_RENEWALS` of them: it then
takes the least of the entries it has looked at, and the next eviction goes on from there.
"""

from __future__ import annotations

import sys
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import TYPE_CHECKING

from stratakv.policies.eviction.base import EvictionPolicy

if TYPE_CHECKING:
    from collections.abc import Hashable

# Bounds an eviction after a long spell of hits alone: about 0.5 ms with 2,000 entries, 2.6 ms with 100,000.
# The least of 1024 entries is then about as good a victim as the least of all; with fewer entries out of date
# the choice is exact.
_MOST_RENEWALS = 1024
# Notes of entries that left are dropped when they outnumber the living; small heaps are not worth the
# trouble.
_SPARE_NOTES = 64


class _Entry:
    """One tracked key. Two racing hits may lose a use; nothing else refers to the numbers."""

    __slots__ = ("key", "last_use", "uses")

    def __init__(self, key: Hashable, last_use: int) -> None:
        self.key = key
        self.uses = 1
        self.last_use = last_use


# (uses, last_use, entry); no two notes agree in the first two, so entries are never compared.
_Note = tuple[int, int, _Entry]

# The number of the last use is one object for entry and note until the next hit, and two after it: one and a
# half.
_ENTRY_BYTES = sys.getsizeof(_Entry("", 0)) + sys.getsizeof(1 << 29) // 2
_NOTE_BYTES = sys.getsizeof((0, 0, None)) + sys.getsizeof(1 << 29)


class LfuPolicy(EvictionPolicy):
    """Evicts the entry with the fewest uses since it came in."""

    name = "lfu"

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._table: dict[Hashable, _Entry] = {}
        self._notes: list[_Note] = []
        # One step of a C iterator: two threads never get the same number.
        self._next_use = count().__next__

    def hit(self, key: Hashable) -> None:
        entry = self._table.get(key)
        if entry is not None:
            # If the entry leaves between these lines, numbers of a dead entry rise and nobody looks at them.
            entry.uses += 1
            entry.last_use = self._next_use()

    def insert(self, key: Hashable, size: int) -> None:  # noqa: ARG002 - order needs no sizes
        entry = _Entry(key, self._next_use())
        self._table[key] = entry
        heappush(self._notes, (1, entry.last_use, entry))
        self._drop_spare_notes()

    def resize(self, key: Hashable, size: int) -> None:  # noqa: ARG002 - order needs no sizes
        self.hit(key)

    def remove(self, key: Hashable) -> None:
        if self._table.pop(key, None) is not None:
            self._drop_spare_notes()

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        table, notes = self._table, self._notes
        victim: _Entry | None = None
        kept: _Note | None = None
        least: _Note | None = None
        renewals = 0
        while notes and renewals < _MOST_RENEWALS:
            uses, last_use, entry = note = notes[0]
            if table.get(entry.key) is not entry:
                heappop(notes)
            elif keep is not None and entry.key == keep:
                kept = heappop(notes)
            elif entry.uses == uses and entry.last_use == last_use:
                victim = heappop(notes)[2]
                break
            else:
                note = (entry.uses, entry.last_use, entry)
                heapreplace(notes, note)
                renewals += 1
                if least is None or note < least:
                    least = note
        if kept is not None:
            heappush(notes, kept)
        if victim is None and least is not None:
            victim = least[2]
        if victim is None:
            return None
        del table[victim.key]
        return victim.key

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def overhead_bytes(self) -> int:
        tables = sys.getsizeof(self._table) + sys.getsizeof(self._notes)
        return tables + len(self._table) * _ENTRY_BYTES + len(self._notes) * _NOTE_BYTES

    def _drop_spare_notes(self) -> None:
        if len(self._notes) > 2 * len(self._table) + _SPARE_NOTES:
            self._notes[:] = [(entry.uses, entry.last_use, entry) for entry in self._table.values()]
            heapify(self._notes)
