"""Least recently used: the entry whose last use is longest ago leaves first.

Owns the order of use. Never looks at sizes. Invariant: each tracked key stands in the queue once, whatever
threads hit it meanwhile; a hit on a key that has just left is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.policies.eviction.fifo import FifoPolicy

if TYPE_CHECKING:
    from collections.abc import Hashable


class LruPolicy(FifoPolicy):
    """The queue of arrival, in which a use sends an entry to the end."""

    name = "lru"

    def hit(self, key: Hashable) -> None:
        # One call of C code for keys that compare in C, as str does: it runs whole or not at all beside
        # evict().
        try:
            self._queue.move_to_end(key)
        except KeyError:
            return

    def resize(self, key: Hashable, size: int) -> None:  # noqa: ARG002 - order needs no sizes
        self.hit(key)
