"""Greedy dual, size and frequency: large and little used entries leave first, and what was not used lately ages.

Owns priorities. Knows sizes and uses, no costs: a miss costs one, whatever the size. Invariant: a key is tracked
exactly while the table holds its entry, and every entry has a note in the heap at or below its priority.

Hits take no lock, so they only set numbers inside the entry; the heap holds notes of what a priority was when it
was last looked at. A hit never lowers a priority, so the least note that is still true names the victim.
"""

from __future__ import annotations

import sys
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import TYPE_CHECKING

from stratakv.policies.eviction.footprint import sizes_bytes
from stratakv.policies.eviction.table_policy import TablePolicy

if TYPE_CHECKING:
    from collections.abc import Hashable

# Bounds an eviction after a long spell of hits alone, to about a millisecond: it then takes the least of the
# entries it has looked at, and the next eviction goes on from there.
_MOST_RENEWALS = 1024
# Notes out of use are dropped when they outnumber the entries; small heaps are not worth the trouble.
_SPARE_NOTES = 64


class _Entry:
    """One tracked key. Two racing hits may lose a use; nothing else refers to the numbers."""

    __slots__ = ("age", "key", "last_use", "size", "uses")

    def __init__(self, key: Hashable, size: int, age: float, last_use: int) -> None:
        self.key = key
        self.size = size
        self.age = age
        self.uses = 1
        self.last_use = last_use

    def note(self) -> _Note:
        # An empty value would have an infinite priority, and would never leave.
        return (self.age + self.uses / max(1, self.size), self.last_use, self)


# (priority, last_use, entry); two notes that agree in the first two are of one entry and identical.
_Note = tuple[float, int, _Entry]

# The number of the last use is one object for entry and note until the next hit, and two after it: one and a
# half. So is the priority with the age it was made from.
_NUMBER_BYTES = sys.getsizeof(1 << 29)
_ENTRY_BYTES = sys.getsizeof(_Entry("", 0, 0.0, 0)) + _NUMBER_BYTES // 2
_NOTE_BYTES = sys.getsizeof((0.0, 0, None)) + sys.getsizeof(0.5) + _NUMBER_BYTES


class GdsfPolicy(TablePolicy[_Entry]):
    """Evicts the entry with the least age + uses / size, and sets the age to what the victim had.

    Source: Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", HP
    Laboratories 1998, with a cost of one: it holds as many of the requested entries as it can, not as many bytes.
    An entry counts from the age at its last use, so unused ones fall behind. Among equals, the one used longest
    ago leaves first. A tracked key takes about 260 to 320 bytes.
    """

    name = "gdsf"

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._notes: list[_Note] = []
        self._age = 0.0
        self._held = 0
        # One step of a C iterator: two threads never get the same number.
        self._next_use = count().__next__

    def hit(self, key: Hashable) -> None:
        entry = self._table.get(key)
        if entry is not None:
            entry.uses += 1
            entry.age = self._age
            entry.last_use = self._next_use()

    def insert(self, key: Hashable, size: int) -> None:
        entry = _Entry(key, size, self._age, self._next_use())
        self._table[key] = entry
        self._held += size
        heappush(self._notes, entry.note())
        self._drop_spare_notes()

    def resize(self, key: Hashable, size: int) -> None:
        self.hit(key)
        self.reweigh(key, size)

    def reweigh(self, key: Hashable, size: int) -> None:
        entry = self._table.get(key)
        if entry is not None:
            self._held += size - entry.size
            grown = size > entry.size
            entry.size = size
            if grown:
                # The priority has fallen, below all notes there are of it.
                heappush(self._notes, entry.note())
                self._drop_spare_notes()

    def remove(self, key: Hashable) -> None:
        entry = self._table.pop(key, None)
        if entry is not None:
            self._held -= entry.size
            self._drop_spare_notes()

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        kept = self._table.get(keep) if keep is not None else None
        least = self._least_note(kept)
        if least is None:
            return None
        victim = least[2]
        # Where the kept entry is the least, the age goes no further, or it would be behind from then on.
        due = least if kept is None else min(least, kept.note())
        self._age = max(self._age, due[0])
        del self._table[victim.key]
        self._held -= victim.size
        self._drop_spare_notes()
        return victim.key

    def _least_note(self, kept: _Entry | None) -> _Note | None:
        """Find the note of the next victim. Notes of entries that left are taken out on the way."""
        table, notes = self._table, self._notes
        least: _Note | None = None
        passed_kept = False
        renewals = 0
        while notes and renewals < _MOST_RENEWALS:
            entry = notes[0][2]
            if entry is kept:
                passed_kept = True
                heappop(notes)
                continue
            if table.get(entry.key) is not entry:
                heappop(notes)
                continue
            note = entry.note()
            if note <= notes[0]:
                least = heappop(notes)
                break
            heapreplace(notes, note)
            renewals += 1
            if least is None or note < least:
                least = note
        if kept is not None and passed_kept:
            heappush(notes, kept.note())
        return least

    def overhead_bytes(self) -> int:
        tables = sys.getsizeof(self._table) + sys.getsizeof(self._notes)
        entries = len(self._table)
        sizes = sizes_bytes(entries, self._held)
        return tables + entries * _ENTRY_BYTES + sizes + len(self._notes) * _NOTE_BYTES

    def _drop_spare_notes(self) -> None:
        if len(self._notes) > 2 * len(self._table) + _SPARE_NOTES:
            self._notes[:] = [entry.note() for entry in self._table.values()]
            heapify(self._notes)
