"""`Losses`: what was lost by permission since the store was opened, added up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stratakv.engine.loss import Loss


class Losses:
    """Sums over many values. Takes a lock: measuring a loss costs a hundred times more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, int] = {}
        self._kept: dict[str, int] = {}
        self._without_rotation: dict[str, int] = {}
        self._arrays = self._edges = self._edges_removed = 0
        self._worst_error = 0.0
        self._least_cosine = 1.0

    def add(self, loss: Loss) -> None:
        """Take in one value's loss."""
        with self._lock:
            if loss.strategy is not None:
                name = loss.strategy.value
                self._values[name] = self._values.get(name, 0) + 1
            for sums, counts in (
                (self._kept, loss.kept_exactly),
                (self._without_rotation, loss.without_rotation),
            ):
                for why, times in counts.items():
                    sums[why] = sums.get(why, 0) + times
            self._arrays += loss.arrays
            self._edges += loss.edges
            self._edges_removed += loss.edges_removed
            self._worst_error = max(self._worst_error, loss.relative_error)
            self._least_cosine = min(self._least_cosine, loss.cosine)

    def report(self) -> dict[str, Any]:
        """Return the sums; `kept_exactly` counts parts that loss was allowed for and that stayed as they were,
        `without_rotation` arrays that a rotation was asked for and that were left to 8-bit steps.

        `least_cosine` is None where no array was changed.
        """
        with self._lock:
            return {
                "values": dict(self._values),
                "arrays": self._arrays,
                "kept_exactly": dict(self._kept),
                "without_rotation": dict(self._without_rotation),
                "worst_relative_error": self._worst_error,
                "least_cosine": self._least_cosine if self._arrays else None,
                "edges": self._edges,
                "edges_removed": self._edges_removed,
            }
