"""`GhostList`: what a policy remembers of the entries it let go, hashes and sizes, oldest first.

Owns the list and the sum of its sizes. Never holds a key: a ghost is `hash(key)`, so its cost is known whatever
the keys are, and two keys of one hash share a ghost. Invariant: `size` is the sum of the sizes listed, each at
least 1, so that a bound on `size` bounds the number of ghosts too. Only used under the lock of the policy's owner.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import TYPE_CHECKING

from stratakv.policies.eviction.footprint import sizes_bytes

if TYPE_CHECKING:
    from collections.abc import Hashable

_HASH_BYTES = sys.getsizeof((1 << 63) - 1)


class GhostList:
    """A first-in, first-out list of ghosts that its user keeps within a bound."""

    __slots__ = ("_sizes", "size")

    def __init__(self) -> None:
        self._sizes: OrderedDict[int, int] = OrderedDict()
        self.size = 0

    def add(self, key: Hashable, size: int, limit: int) -> None:
        """Remember an entry that has just left as the newest ghost; forget the oldest beyond `limit`."""
        ghost, size, sizes = hash(key), max(size, 1), self._sizes
        if ghost in sizes:
            self.size -= sizes.pop(ghost)
        sizes[ghost] = size
        self.size += size
        if self.size > limit:
            self.trim(limit)

    def take(self, key: Hashable) -> int:
        """Forget the key's ghost; return the size it had, 0 where there was none."""
        ghost = hash(key)
        if ghost not in self._sizes:
            return 0
        size = self._sizes.pop(ghost)
        self.size -= size
        return size

    def trim(self, limit: int) -> None:
        """Forget the oldest ghosts until the rest is no larger than `limit`."""
        sizes = self._sizes
        while self.size > limit and sizes:
            self.size -= sizes.popitem(last=False)[1]

    def shrink(self) -> None:
        """Give the memory of a table that was larger once back."""
        self._sizes = self._sizes.copy()

    def __len__(self) -> int:
        return len(self._sizes)

    def overhead_bytes(self) -> int:
        """Return the bytes of RAM that the ghosts take, in O(1)."""
        count = len(self._sizes)
        return sys.getsizeof(self._sizes) + count * _HASH_BYTES + sizes_bytes(count, self.size)
