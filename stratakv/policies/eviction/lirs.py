"""LIRS: entries whose last two uses lie close together stay; the others pass through a small queue.

Owns the two queues of tracked entries and the history of evicted ones. Never decides by size, only accounts it.
Invariant: each tracked key stands in exactly one of the queues, a key of the history in none. The history holds
hashes, as many as there are entries and a few.

The paper's stack is not kept as a list. An entry is in it exactly if its last use is not older than the oldest last
use among the LIR entries, so a number in each entry and in the history stands for its place, and pruning the
stack's bottom costs nothing.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import TYPE_CHECKING

from stratakv.policies.eviction.footprint import sizes_bytes
from stratakv.policies.eviction.logged_hits import LoggedHitsPolicy, first_but

if TYPE_CHECKING:
    from collections.abc import Hashable

_LIR_SHARE = 0.99
# Bounds what one call demotes when the owner's budget shrinks.
_MOST_DEMOTIONS = 64
# Keeps a history in the smallest caches.
_SPARE_GHOSTS = 16


class _Entry:
    """A tracked key's size and the number of its last use."""

    __slots__ = ("last_use", "size")

    def __init__(self, size: int, last_use: int) -> None:
        self.size = size
        self.last_use = last_use


_NUMBER_BYTES = sys.getsizeof(1 << 29)
_ENTRY_BYTES = sys.getsizeof(_Entry(0, 0)) + _NUMBER_BYTES
# Hash and number of the last use; both are held by nobody else.
_GHOST_BYTES = sys.getsizeof(1 << 60) + _NUMBER_BYTES


class LirsPolicy(LoggedHitsPolicy):
    """Low inter-reference recency set.

    Source: Jiang & Zhang, "LIRS: An Efficient Low Inter-reference Recency Set Replacement Policy to Improve Buffer
    Cache Performance", SIGMETRICS 2002. LIR entries may hold 99% of the capacity; the rest (HIR) leaves in the
    order of the queue. A HIR entry used again while it is in the stack, evicted or not, becomes LIR in place of
    the LIR entry used longest ago. Unlike the paper's, the history of evicted entries is bounded: it holds as
    many as there are tracked.

    An entry larger than the LIR share never becomes LIR. A tracked key takes about 200 bytes, and its share of a full
    history about 150 more.
    """

    name = "lirs"

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        # Oldest last use first.
        self._lir: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._hir: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._ghosts: OrderedDict[int, int] = OrderedDict()
        self._lir_size = 0
        self._uses = 0

    def insert(self, key: Hashable, size: int) -> None:
        if self._log:
            self._replay_hits()
        if self._held > self._budget:
            self._learn_budget()
        self._uses += 1
        entry = _Entry(size, self._uses)
        last_use = self._ghosts.pop(hash(key), -1)
        self._hir[key] = entry
        self._held += size
        if self._lir_size + size <= self._lir_limit or last_use >= self._stack_bottom():
            self._promote(key, entry)

    def reweigh(self, key: Hashable, size: int) -> None:
        entry = self._hir.get(key)
        if entry is None:
            entry = self._lir.get(key)
            if entry is None:
                return
            self._lir_size += size - entry.size
        self._held += size - entry.size
        entry.size = size

    def remove(self, key: Hashable) -> None:
        if key in self._lir:
            self._lir_size -= self._lir[key].size
            self._held -= self._lir.pop(key).size
        elif key in self._hir:
            self._held -= self._hir.pop(key).size
        self._ghosts.pop(hash(key), None)
        self._forget_ghosts()

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        if self._log:
            self._replay_hits()
        self._learn_budget()
        self._demote()
        victim = first_but(self._hir, keep)
        if victim is None:
            victim = first_but(self._lir, keep)
            if victim is not None:
                self.remove(victim)
            return victim
        entry = self._hir.pop(victim)
        self._held -= entry.size
        if entry.last_use >= self._stack_bottom():
            self._ghosts[hash(victim)] = entry.last_use
        self._forget_ghosts()
        return victim

    def _replay_hits(self) -> None:
        lir, hir = self._lir, self._hir
        uses = self._uses
        for key in self._logged_hits():
            uses += 1
            entry = lir.get(key)
            if entry is not None:
                entry.last_use = uses
                lir.move_to_end(key)
                continue
            entry = hir.get(key)
            if entry is not None:
                in_stack = entry.last_use >= self._stack_bottom()
                entry.last_use = uses
                hir.move_to_end(key)
                if in_stack or self._lir_size + entry.size <= self._lir_limit:
                    self._promote(key, entry)
        self._uses = uses

    def _promote(self, key: Hashable, entry: _Entry) -> None:
        """Make a HIR entry LIR, and the oldest LIR entries HIR until the share is kept."""
        if entry.size > self._lir_limit:
            return
        del self._hir[key]
        self._lir[key] = entry
        self._lir_size += entry.size
        self._demote()

    def _demote(self) -> None:
        for _ in range(_MOST_DEMOTIONS):
            if self._lir_size <= self._lir_limit:
                return
            key, entry = self._lir.popitem(last=False)
            self._lir_size -= entry.size
            self._hir[key] = entry

    def _stack_bottom(self) -> int:
        """Return the oldest last use among the LIR entries; what was used since is in the stack."""
        for entry in self._lir.values():
            return entry.last_use
        return 0

    def _forget_ghosts(self) -> None:
        ghosts = self._ghosts
        bottom = self._stack_bottom()
        # Two at a time are enough to follow: an eviction brings one and takes an entry away.
        for _ in range(2):
            if not ghosts:
                return
            oldest = next(iter(ghosts))
            if ghosts[oldest] >= bottom and len(ghosts) <= len(self) + _SPARE_GHOSTS:
                return
            del ghosts[oldest]

    def _divide(self, budget: int) -> None:
        super()._divide(budget)
        # At least one unit is left for HIR entries.
        self._lir_limit = min(self._budget - 1, int(_LIR_SHARE * self._budget))

    def __len__(self) -> int:
        return len(self._lir) + len(self._hir)

    def __contains__(self, key: object) -> bool:
        return key in self._lir or key in self._hir

    def shrink(self) -> None:
        self._lir, self._hir = self._lir.copy(), self._hir.copy()
        self._ghosts = self._ghosts.copy()

    def overhead_bytes(self) -> int:
        queues = sys.getsizeof(self._lir) + sys.getsizeof(self._hir) + sys.getsizeof(self._ghosts)
        entries = len(self)
        ghosts = len(self._ghosts) * _GHOST_BYTES
        return queues + sys.getsizeof(self._log) + entries * _ENTRY_BYTES + sizes_bytes(entries, self._held) + ghosts
