"""The eviction interface: which entry leaves a bounded cache next.

A policy is a pure decision: no I/O, no clock, no locks. It tracks keys and sizes only and never sees values, so the
same object that serves the live store can be replayed from a trace.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable


class EvictionPolicy(ABC):
    """Chooses victims among the entries it has been told of.

    The owner calls `insert`, `resize`, `remove` and `evict` under its own lock. `hit` is called WITHOUT a lock, from
    any thread, at any moment: it MUST NOT raise for a key that has just left, MUST NOT lose or duplicate an entry
    when it races with the locked calls, and may lose a bump.

    Args:
        capacity: What the owner's cache can hold, in the unit of the sizes given to `insert`. A hint for policies
            that divide their space; the owner enforces the budget.
    """

    name: str

    hits_keep_order: bool = False
    """Whether hits leave the order of entries as it is, so that insertions may be told a little later than they were
    made, between hits that came after them."""

    def __init__(self, capacity: int) -> None:
        if capacity <= 0:
            raise ValueError(f"capacity must be positive, not {capacity}")
        self.capacity = capacity

    @abstractmethod
    def hit(self, key: Hashable) -> None:
        """A tracked entry was read. Unknown keys are ignored."""

    @abstractmethod
    def insert(self, key: Hashable, size: int) -> None:
        """A new entry came in. The owner MUST NOT insert a tracked key twice."""

    @abstractmethod
    def resize(self, key: Hashable, size: int) -> None:
        """A tracked entry was overwritten with a value of another size; counts as a use. Unknown keys are ignored."""

    def reweigh(self, key: Hashable, size: int) -> None:  # noqa: B027 -- optional: many policies need no sizes
        """A tracked entry takes another size now, without having been used. Unknown keys are ignored."""

    @abstractmethod
    def remove(self, key: Hashable) -> None:
        """An entry left for another reason than eviction. Unknown keys are ignored; no ghost is kept of it."""

    @abstractmethod
    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        """Choose a victim, forget it and return it. MUST never return `keep`. None when nothing else is tracked."""

    @abstractmethod
    def __len__(self) -> int:
        """Count the tracked entries."""

    @abstractmethod
    def __contains__(self, key: object) -> bool:
        """Tell whether the key is tracked."""

    def set_capacity(self, capacity: int) -> None:
        """The owner's budget is another one now. It calls `evict` for what is over it; nothing leaves here."""
        if capacity <= 0:
            raise ValueError(f"capacity must be positive, not {capacity}")
        self.capacity = capacity

    def shrink(self) -> None:  # noqa: B027 -- optional: a policy with small tables need not
        """Give the memory of tables back after many entries left. A hit that races with it may be lost."""

    def explain(self) -> dict[str, object]:
        """Return what the policy has set by itself and why, `why` in words; empty where it sets nothing."""
        return {}

    @abstractmethod
    def overhead_bytes(self) -> int:
        """Return the bytes of RAM the policy's own tables take (not the keys), in O(1)."""
