"""Reads below RAM: how many each namespace had in each tier, and how long callers waited for them.

Owns those sums. Counted by the threads that read; one of two that race for the same number may lose a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.records import IN_COLD

if TYPE_CHECKING:
    from collections.abc import Mapping


class Counted:
    """The reads of one namespace.

    Attributes:
        reads: All of them, those served from RAM as estimated from watched keys.
        warm, cold: Those served from there.
    """

    __slots__ = ("cold", "reads", "warm")

    def __init__(self) -> None:
        self.reads = 0
        self.warm = 0
        self.cold = 0


class Below:
    """The reads below RAM of one store."""

    def __init__(self) -> None:
        self._counted: dict[int, Counted] = {}
        self._waited = 0.0

    def add(self, namespace: int, tier: int, seconds: float) -> None:
        """A read was served from a tier."""
        counted = self._counted.get(namespace)
        if counted is None:
            counted = self._counted.setdefault(namespace, Counted())
        counted.reads += 1
        if tier == IN_COLD:
            counted.cold += 1
        else:
            counted.warm += 1
        self._waited += seconds

    def waited(self) -> float:
        """Return the seconds that callers have waited in all."""
        return self._waited

    def take(self, hits: Mapping[int, int]) -> dict[int, Counted]:
        """Return the sums since the last call, with the reads served from RAM added, and begin anew."""
        taken, self._counted = self._counted, {}
        for namespace, number in hits.items():
            taken.setdefault(namespace, Counted()).reads += number
        return taken
