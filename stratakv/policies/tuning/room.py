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

LEAST_SHARE = 256 << 10
"""RAM that gives each namespace less is not divided: each has a policy of its own, whose tables take room."""

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
        self.capacity = settings.capacity.now
        self.shares: dict[int, int] = {}

    @property
    def is_elastic(self) -> bool:
        """Whether the capacity may move."""
        return self._settings.capacity.low < self._settings.capacity.high

    def resize(self, sight: Sight, edges: Edges, thresholds: Thresholds) -> Iterator[Change]:
        """Move the capacity towards the bytes that are younger than their threshold."""
        if not self.is_elastic:
            return
        needed = sum(thresholds.held(name) for name, _ in edges.items() if name[0] == HOT)
        before = self.capacity
        wanted = self._within(int((needed + sight.pinned) * SPARE_ROOM))
        after = int(before + self._settings.learning_rate * (wanted - before))
        if abs(after - before) > LEAST_CHANGE * before:
            self.capacity = after
            why = f"{needed:,.0f} bytes are younger than the idle time after which they leave RAM"
            why += f", and {sight.pinned:,} are pinned there" if sight.pinned else ""
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
        if len(claims) < FEWEST_TO_DIVIDE or self.capacity < LEAST_SHARE * len(claims):
            return
        division = divide(claims, self.capacity)
        wanted = {namespace: self._damped(namespace, share.size) for namespace, share in division.shares.items()}
        # Damped one by one they need not add up to what there is.
        fits = min(1.0, self.capacity / max(1, sum(wanted.values())))
        for namespace, share in division.shares.items():
            before, after = self.shares.get(namespace, 0), int(wanted[namespace] * fits)
            if namespace not in self.shares or fits < 1 or abs(after - before) > LEAST_CHANGE * before:
                self.shares[namespace] = after
                if after != before:
                    yield sight.change("share of RAM", namespace, before, after, f"{share.reason}; {division.reason}")

    def _damped(self, namespace: int, wanted: int) -> int:
        """Return a share on its way; a namespace without one yet gets all of what is worth it at once."""
        before = self.shares.get(namespace, 0)
        return int(before + self._settings.learning_rate * (wanted - before)) if before else wanted

    def restore(self, capacity: int, shares: dict[int, int]) -> None:
        """Take up what was kept, as far as the bounds allow."""
        self.capacity = self._within(capacity)
        fit = all(share >= 0 for share in shares.values()) and sum(shares.values()) <= self.capacity
        self.shares = shares if fit else {}

    def _within(self, capacity: int) -> int:
        return min(max(capacity, self._settings.capacity.low), self._settings.capacity.high)
