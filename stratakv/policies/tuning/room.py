"""`Room`: how much RAM values may take, and how it is divided between namespaces.

Owns capacity and shares. The capacity follows the bytes that are younger than their threshold, between its bounds; the
division follows the shadow price (`placement/division.py`). Invariant: the capacity lies within its bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.policies.placement.division import Claim, divide
from stratakv.policies.tuning.verdict import HOT, LEAST_EVENTS, Change, Settings, Sight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.policies.tuning.edges import Edges
    from stratakv.policies.tuning.thresholds import Thresholds

SPARE_ROOM = 1.1
"""RAM is made for so many times the bytes that should stay there, tables included."""

LEAST_CHANGE = 0.1
"""A smaller change is not worth moving entries for."""

FEWEST_TO_DIVIDE = 2
"""One namespace has all of RAM anyway."""


class Room:
    """The RAM of one store.

    Args:
        settings: Bounds and learning rate.

    Attributes:
        capacity: Bytes that values may take.
        shares: Namespace -> bytes of them; empty where nothing is divided.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.capacity = settings.capacity[1]
        self.shares: dict[int, int] = {}

    @property
    def is_elastic(self) -> bool:
        """Whether the capacity may move."""
        low, high = self._settings.capacity
        return low < high

    def resize(self, sight: Sight, edges: Edges, thresholds: Thresholds) -> Iterator[Change]:
        """Move the capacity towards the bytes that are younger than their threshold."""
        if not self.is_elastic:
            return
        needed = sum(thresholds.held(name) for name, _ in edges.items() if name[0] == HOT)
        before = self.capacity
        after = int(before + self._settings.learning_rate * (self._within(int(needed * SPARE_ROOM)) - before))
        if abs(after - before) > LEAST_CHANGE * before:
            self.capacity = after
            why = f"{needed:,.0f} bytes are younger than the idle time after which they leave RAM"
            yield sight.change("bytes of RAM for values", None, before, after, why)

    def divide(self, sight: Sight, edges: Edges) -> Iterator[Change]:
        """Divide RAM that is too small for all between the namespaces of which enough is known."""
        if not (sight.full and self._settings.divides):
            return
        claims = {
            namespace: Claim(edge.costs, edge.seen, edges.share_watched(namespace))
            for (name, namespace), edge in edges.items()
            if name == HOT and edge.events >= LEAST_EVENTS
        }
        if len(claims) < FEWEST_TO_DIVIDE:
            return
        division = divide(claims, self.capacity)
        for namespace, share in division.shares.items():
            before = self.shares.get(namespace, 0)
            # A namespace without a share yet gets all of what is worth it at once.
            after = int(before + self._settings.learning_rate * (share.size - before)) if before else share.size
            if namespace not in self.shares or abs(after - before) > LEAST_CHANGE * before:
                self.shares[namespace] = after
                yield sight.change("share of RAM", namespace, before, after, f"{share.reason}; {division.reason}")

    def restore(self, capacity: int, shares: dict[int, int]) -> None:
        """Take up what was kept, as far as the bounds allow."""
        self.capacity, self.shares = self._within(capacity), shares

    def _within(self, capacity: int) -> int:
        low, high = self._settings.capacity
        return min(max(capacity, low), high)
