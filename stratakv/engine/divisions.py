"""Divisions: the eviction policies of the hot table, one for all namespaces or one for each that has a share of RAM.

Owns which policy is told of which entry and how many bytes each has been told of. Which division gives way is decided
here: the one that is furthest over its share; which of its entries leaves is its policy's decision. All calls but
`Division.hit` are made under the hot table's lock. Invariant: every entry that is not pinned is tracked by the policy
of the division that it names, or waits there to be told to it, and is known to no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratakv.engine.hot_entries import HotEntry
    from stratakv.policies.eviction.base import EvictionPolicy

LEAST_SHARE = 4096
"""A smaller share would hold nothing but tables."""

TOLD_TOGETHER = 16
"""So many new entries are told to a policy at once, so that most writers do not wait for it."""

UNTOLD_BYTES = 64 + 8 + 32
"""A new entry that waits to be told: three references, its place in the list and its size."""

USES_THAT_COUNT = 3
"""A policy that an entry is new to is told of so many of its past reads at most."""


class Division:
    """One policy and what it tracks.

    Attributes:
        hit: Tells the policy that an entry was read; takes no lock. Of an entry that waits to be told it knows nothing,
            and hears of its reads when it is told of it.
        policy: Chooses among this division's entries.
        held: The bytes it has been told of.
        share: The bytes it may hold before it gives way to others.
    """

    __slots__ = ("_together", "_untold", "held", "hit", "policy", "share")

    def __init__(self, policy: EvictionPolicy, share: int) -> None:
        self.policy = policy
        self.hit = policy.hit
        self.held = 0
        self.share = share
        self._untold: list[tuple[str, int, HotEntry]] = []
        self._together = TOLD_TOGETHER if policy.hits_keep_order else 1

    def insert(self, key: str, size: int, entry: HotEntry) -> None:
        """Track a new entry."""
        self.held += size
        self._untold.append((key, size, entry))
        if len(self._untold) >= self._together:
            self.tell()

    def tell(self) -> None:
        """Tell the policy of the entries that wait."""
        insert, hit = self.policy.insert, self.hit
        for key, size, entry in self._untold:
            insert(key, size)
            for _ in range(min(entry.uses, USES_THAT_COUNT)):
                hit(key)
        self._untold.clear()

    def remove(self, key: str, size: int) -> None:
        """Forget an entry that was told with that size."""
        self.tell()
        self.policy.remove(key)
        self.held -= size

    def resize(self, key: str, size: int, before: int) -> None:
        """An entry was overwritten."""
        self.tell()
        self.policy.resize(key, size)
        self.held += size - before

    def reweigh(self, key: str, size: int, before: int) -> None:
        """An entry takes another size without having been used."""
        self.tell()
        self.policy.reweigh(key, size)
        self.held += size - before

    def evict(self, keep: str) -> str | None:
        """Choose a victim and forget it, but for its bytes, which the caller knows; None where there is none."""
        self.tell()
        victim = self.policy.evict(keep)
        return None if victim is None else str(victim)

    def overhead_bytes(self) -> int:
        """Return the RAM of the policy's tables and of what it has not been told."""
        return self.policy.overhead_bytes() + UNTOLD_BYTES * len(self._untold)


class Divisions:
    """The divisions of one hot table.

    Args:
        capacity: The table's budget in bytes.
        make: Makes an eviction policy for a capacity.
    """

    def __init__(self, capacity: int, make: Callable[[int], EvictionPolicy]) -> None:
        self._make = make
        self._capacity = capacity
        self.common = Division(make(capacity), capacity)
        """Of all namespaces that have no share of their own."""
        self.own: dict[int, Division] = {}

    def of(self, namespace: int) -> Division:
        """Return the division that a namespace's new entries belong to."""
        return self.own.get(namespace, self.common) if self.own else self.common

    def divide(self, shares: Mapping[int, int], capacity: int) -> None:
        """Give namespaces shares of the capacity, in bytes; what is left is for all others together.

        Entries stay with the division that they name until the table moves them. A namespace that had a share keeps its
        policy, and where it is not named any more the share is what is left.
        """
        self._capacity = capacity
        left = max(LEAST_SHARE, capacity - sum(shares.values()))
        self._set_share(self.common, left)
        for namespace, share in shares.items():
            wanted = max(LEAST_SHARE, share)
            if namespace in self.own:
                self._set_share(self.own[namespace], wanted)
            else:
                self.own[namespace] = Division(self._make(wanted), wanted)
        for namespace in self.own.keys() - shares.keys():
            self._set_share(self.own[namespace], left)

    @staticmethod
    def _set_share(division: Division, share: int) -> None:
        if share != division.share:
            division.share = share
            division.policy.set_capacity(share)

    def evict(self, keep: str) -> str | None:
        """Choose a victim and forget it, but for its bytes, which the caller knows; None where there is none."""
        if not self.own:
            return self.common.evict(keep)
        for division in sorted((self.common, *self.own.values()), key=_excess, reverse=True):
            victim = division.evict(keep)
            if victim is not None:
                return victim
        return None

    def explain(self) -> dict[str, object]:
        """Return what the policy of all that have no share of their own says of itself."""
        return {"policy": self.common.policy.name, **self.common.policy.explain()}

    def overhead_bytes(self) -> int:
        """Return the RAM of all policies' tables."""
        total = self.common.overhead_bytes()
        for division in self.own.values():
            total += division.overhead_bytes()
        return total

    def shrink(self) -> None:
        """Give the memory of tables back."""
        self.common.policy.shrink()
        for division in self.own.values():
            division.policy.shrink()


def _excess(division: Division) -> int:
    return division.held - division.share
