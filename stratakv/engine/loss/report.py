"""`Loss`: what changing a value did to it, as measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratakv.types import CompressionStrategy


@dataclass(slots=True)
class Loss:
    """The measured loss of one value, the worst of its parts.

    Attributes:
        strategy: What changed it; None while nothing was.
        relative_error: Greatest difference between a number and what became of it, divided by the greatest magnitude in
            its row.
        cosine: Least cosine between a row and what became of it, -1 to 1.
        arrays: How many arrays were changed.
        edges: How many edges the graphs had.
        edges_removed: How many of them were removed.
        kept_exactly: Why parts that might have been changed were not, with how many: "past the bound", "not finite",
            "too small for steps"; and where a rotation was asked for, "zero", "foreign byte order" and "outside the
            rotation's range".
        without_rotation: Why arrays that a rotation was asked for were left to 8-bit steps, with how many: "no rotation
            yet", "other dimension", "other bound" (the known one is coarser), "past the bound".
    """

    strategy: CompressionStrategy | None = None
    relative_error: float = 0.0
    cosine: float = 1.0
    arrays: int = 0
    edges: int = 0
    edges_removed: int = 0
    kept_exactly: dict[str, int] = field(default_factory=dict)
    without_rotation: dict[str, int] = field(default_factory=dict)

    def keep(self, why: str) -> None:
        """Count a part that stays as it is."""
        self.kept_exactly[why] = self.kept_exactly.get(why, 0) + 1

    def miss_rotation(self, why: str) -> None:
        """Count an array that no rotation suits."""
        self.without_rotation[why] = self.without_rotation.get(why, 0) + 1

    def changed_array(self, strategy: CompressionStrategy, relative_error: float, cosine: float) -> None:
        """Count an array that was changed."""
        self.strategy = strategy
        self.arrays += 1
        self.relative_error = max(self.relative_error, relative_error)
        self.cosine = min(self.cosine, cosine)

    def pruned(self, strategy: CompressionStrategy, edges: int, removed: int) -> None:
        """Count a list of edges; nothing was lost where none was removed."""
        self.edges += edges
        self.edges_removed += removed
        if removed:
            self.strategy = strategy
