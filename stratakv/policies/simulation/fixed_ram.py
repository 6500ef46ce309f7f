"""Caches of a fixed number of bytes that several namespaces share: who gives way when it is full.

Owns the three ways that are compared. Each is told of the same requests; values are not kept. Invariant: no cache holds
more than its budget when a call returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import TYPE_CHECKING

from stratakv.policies.eviction import policy_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratakv.policies.eviction import EvictionPolicy
    from stratakv.policies.placement.division import Division


class FixedRam(ABC):
    """A cache of `budget` bytes.

    Attributes:
        held: The bytes in it.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self.held = 0

    @abstractmethod
    def touch(self, key: int, namespace: int, size: int, accesses: int, now: float) -> bool:
        """A key is read or written: tell whether it was there; it is there now if it fits."""

    @abstractmethod
    def remove(self, key: int) -> None:
        """A key was deleted."""

    @abstractmethod
    def divided(self, division: Division) -> None:
        """The budget was divided anew."""


class GlobalLru(FixedRam):
    """One queue for all: the one that was used least recently gives way."""

    def __init__(self, budget: int) -> None:
        super().__init__(budget)
        self._sizes: OrderedDict[int, int] = OrderedDict()

    def touch(self, key: int, namespace: int, size: int, accesses: int, now: float) -> bool:  # noqa: ARG002
        before = self._sizes.pop(key, None)
        self._sizes[key] = size
        self.held += size - (before or 0)
        while self.held > self._budget:
            self.held -= self._sizes.popitem(last=False)[1]
        return before is not None

    def remove(self, key: int) -> None:
        self.held -= self._sizes.pop(key, 0)

    def divided(self, division: Division) -> None:
        """All are equal here."""


_Group = tuple[int, int, int]


class OldestInUnits(FixedRam):
    """The one whose age is largest in units of its own threshold gives way.

    Blobs of one namespace, about the same number of accesses and about the same size have about the same threshold:
    among those the oldest is the candidate.
    """

    _LEAST = 1e-6

    def __init__(self, budget: int) -> None:
        super().__init__(budget)
        self._groups: dict[_Group, OrderedDict[int, tuple[float, int, int]]] = {}
        self._place: dict[int, _Group] = {}
        self._division: Division | None = None
        self._seconds: dict[_Group, float] = {}

    def touch(self, key: int, namespace: int, size: int, accesses: int, now: float) -> bool:
        there = key in self._place
        self.remove(key)
        group = namespace, min(accesses, 16).bit_length(), size.bit_length()
        self._place[key] = group
        self._groups.setdefault(group, OrderedDict())[key] = now, size, accesses
        self.held += size
        while self.held > self._budget:
            self.remove(self._oldest(now))
        return there

    def remove(self, key: int) -> None:
        group = self._place.pop(key, None)
        if group is not None:
            queue = self._groups[group]
            self.held -= queue.pop(key)[1]
            if not queue:
                del self._groups[group]

    def divided(self, division: Division) -> None:
        self._division = division
        self._seconds = {}

    def _oldest(self, now: float) -> int:
        oldest, victim = -1.0, -1
        for group, queue in self._groups.items():
            key, (last, size, accesses) = next(iter(queue.items()))
            seconds = self._seconds.get(group)
            if seconds is None:
                seconds = self._seconds[group] = self._threshold(group[0], size, accesses)
            # What is as old as its threshold of no time goes before all others, the oldest of it first.
            age = (now - last + self._LEAST) / max(seconds, self._LEAST)
            if age > oldest:
                oldest, victim = age, key
        return victim

    def _threshold(self, namespace: int, size: int, accesses: int) -> float:
        if self._division is None:
            return 1.0
        return self._division.shares[namespace].threshold.seconds(size, accesses)


class Shares(FixedRam):
    """Each namespace has a share and an eviction policy; the namespace that is furthest over its share gives way.

    Args:
        budget: Bytes.
        namespaces: How many; they start with equal shares.
        policy: The name of their policies.
    """

    def __init__(self, budget: int, namespaces: int, policy: str) -> None:
        super().__init__(budget)
        self._shares = dict.fromkeys(range(namespaces), max(1, budget // namespaces))
        self._policies: dict[int, EvictionPolicy] = {
            number: policy_by_name(policy, share) for number, share in self._shares.items()
        }
        self._held = dict.fromkeys(range(namespaces), 0)
        self._entries: dict[int, tuple[int, int]] = {}

    def touch(self, key: int, namespace: int, size: int, accesses: int, now: float) -> bool:  # noqa: ARG002
        policy = self._policies[namespace]
        entry = self._entries.get(key)
        if entry is None:
            policy.insert(key, size)
        elif entry[1] == size:
            policy.hit(key)
        else:
            policy.resize(key, size)
        self._account(key, namespace, size)
        while self.held > self._budget:
            self._evict()
        return entry is not None

    def remove(self, key: int) -> None:
        if key in self._entries:
            self._policies[self._entries[key][0]].remove(key)
            self._forget(key)

    def divided(self, division: Division) -> None:
        for number, share in division.shares.items():
            self._shares[number] = max(1, share.size)
            self._policies[number].set_capacity(self._shares[number])

    def _evict(self) -> None:
        over: Mapping[int, int] = {number: held - self._shares[number] for number, held in self._held.items() if held}
        victim = self._policies[max(over, key=over.__getitem__)].evict()
        assert isinstance(victim, int)
        self._forget(victim)

    def _account(self, key: int, namespace: int, size: int) -> None:
        more = size - self._entries.get(key, (namespace, 0))[1]
        self._entries[key] = namespace, size
        self._held[namespace] += more
        self.held += more

    def _forget(self, key: int) -> None:
        namespace, size = self._entries.pop(key)
        self._held[namespace] -= size
        self.held -= size
