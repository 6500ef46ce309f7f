"""Divisions: the eviction policies of the hot table, one for all namespaces or one for each that has a share of RAM.

Owns which policy is told of which entry and how many bytes each has been told of. Which division gives way is decided
here: the one that is furthest over its share; which of its entries leaves is its policy's decision. All calls but
`Division.hit` are made under the hot table's lock. Invariant: every entry that is not pinned is tracked by the policy
of the division that it names, and by no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratakv.policies.eviction.base import EvictionPolicy

LEAST_SHARE = 4096
"""A smaller share would hold nothing but tables."""


class Division:
    """One policy and what it tracks.

    Attributes:
        hit: Tells the policy that an entry was read; takes no lock.
        policy: Chooses among this division's entries.
        held: The bytes it has been told of.
        share: The bytes it may hold before it gives way to others.
    """

    __slots__ = ("held", "hit", "policy", "share")

    def __init__(self, policy: EvictionPolicy, share: int) -> None:
        self.policy = policy
        self.hit = policy.hit
        self.held = 0
        self.share = share

    def insert(self, key: str, size: int) -> None:
        """Track a new entry."""
        self.policy.insert(key, size)
        self.held += size

    def remove(self, key: str, size: int) -> None:
        """Forget an entry that was told with that size."""
        self.policy.remove(key)
        self.held -= size

    def resize(self, key: str, size: int, before: int) -> None:
        """An entry was overwritten."""
        self.policy.resize(key, size)
        self.held += size - before

    def reweigh(self, key: str, size: int, before: int) -> None:
        """An entry takes another size without having been used."""
        self.policy.reweigh(key, size)
        self.held += size - before


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
            victim = self.common.policy.evict(keep)
            return None if victim is None else str(victim)
        for division in sorted((self.common, *self.own.values()), key=_excess, reverse=True):
            victim = division.policy.evict(keep)
            if victim is not None:
                return str(victim)
        return None

    def explain(self) -> dict[str, object]:
        """Return what the policy of all that have no share of their own says of itself."""
        return {"policy": self.common.policy.name, **self.common.policy.explain()}

    def overhead_bytes(self) -> int:
        """Return the RAM of all policies' tables."""
        total = self.common.policy.overhead_bytes()
        for division in self.own.values():
            total += division.policy.overhead_bytes()
        return total

    def shrink(self) -> None:
        """Give the memory of tables back."""
        self.common.policy.shrink()
        for division in self.own.values():
            division.policy.shrink()


def _excess(division: Division) -> int:
    return division.held - division.share
