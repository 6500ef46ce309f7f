"""`LoggedHitsPolicy`: what policies share whose hits move entries, so that a hit must not do it by itself.

Owns the log of hits and the guess of what the owner can hold. Never knows queues. Invariant: hits are replayed in the
order they came in, under the owner's lock, and a log that overflows loses the oldest.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from stratakv.policies.eviction.base import EvictionPolicy

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Hashable

# A locked call that replays a full log takes about a millisecond.
_LONGEST_LOG = 1024

_Tracked = TypeVar("_Tracked")


class LoggedHitsPolicy(EvictionPolicy):
    """Notes hits without a lock; the next insertion, overwrite or eviction replays them.

    Derived classes call `_replay_hits` before they look at their order, keep the sum of the sizes in `_held`, and
    divide `_budget` rather than the capacity: an owner that pays for more than the entries evicts earlier than
    the capacity says, and a share of the capacity might then be more than all there is.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self._log: deque[Hashable] = deque(maxlen=_LONGEST_LOG)
        self._held = 0
        self._divide(capacity)

    def hit(self, key: Hashable) -> None:
        self._log.append(key)

    def resize(self, key: Hashable, size: int) -> None:
        self.hit(key)
        self._replay_hits()
        self.reweigh(key, size)

    def set_capacity(self, capacity: int) -> None:
        super().set_capacity(capacity)
        self._divide(capacity)

    def _logged_hits(self) -> list[Hashable]:
        """Take the hits so far out of the log. Those that come in meanwhile wait, or this might never end."""
        log = self._log
        return [log.popleft() for _ in range(len(log))]

    @abstractmethod
    def _replay_hits(self) -> None:
        """Do what the logged hits did not; keys that left meanwhile are passed over."""

    def _learn_budget(self) -> None:
        """The owner can hold what is held now, up to the capacity: it evicts for the rest, or has let it be."""
        budget = min(self._held, self.capacity)
        if budget != self._budget:
            self._divide(max(1, budget))

    def _divide(self, budget: int) -> None:
        """Take note of what the owner can hold. Overridden by who divides it."""
        self._budget = budget


def first_but(queue: OrderedDict[Hashable, _Tracked], keep: Hashable | None) -> Hashable | None:
    """Return the first key that is not `keep`, None if there is none."""
    for key in queue:
        if keep is None or key != keep:
            return key
    return None
