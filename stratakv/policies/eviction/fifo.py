"""First in, first out: the entry that came in earliest leaves first, used or not.

Owns the order of arrival. Never looks at hits or sizes. Invariant: each tracked key stands in the queue once.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import TYPE_CHECKING

from stratakv.policies.eviction.base import EvictionPolicy

if TYPE_CHECKING:
    from collections.abc import Hashable


class FifoPolicy(EvictionPolicy):
    """Evicts in the order of arrival."""

    name = "fifo"
    hits_keep_order = True

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        # A plain dict keeps the order too, but finding its first key walks over all the keys that left
        # before.
        self._queue: OrderedDict[Hashable, None] = OrderedDict()

    def hit(self, key: Hashable) -> None:
        """Nothing changes: a use does not delay an entry's turn."""

    def insert(self, key: Hashable, size: int) -> None:  # noqa: ARG002 - order needs no sizes
        self._queue[key] = None

    def resize(self, key: Hashable, size: int) -> None:
        """Nothing changes: an overwrite does not delay an entry's turn."""

    def remove(self, key: Hashable) -> None:
        self._queue.pop(key, None)

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        queue = self._queue
        # `popitem` is one step that no hit of another thread can fall into; looking at the first key and then
        # taking it out would be two.
        if not queue:
            return None
        victim, _ = queue.popitem(last=False)
        if victim != keep or keep is None:
            return victim
        victim = queue.popitem(last=False)[0] if queue else None
        queue[keep] = None
        queue.move_to_end(keep, last=False)
        return victim

    def __len__(self) -> int:
        return len(self._queue)

    def __contains__(self, key: object) -> bool:
        return key in self._queue

    def shrink(self) -> None:
        self._queue = self._queue.copy()

    def overhead_bytes(self) -> int:
        return sys.getsizeof(self._queue)
