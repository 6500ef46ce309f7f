"""`Known`: a rotation in use, with what was measured of it.

Owns when vectors count as having drifted away from a rotation, and whether a newer one is worth its bytes. It knows no
lock: its owner has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from stratakv.engine.rotation.model import Rotation

    Array = np.ndarray[Any, Any]

DRIFT_WINDOW = 256
"""Vectors by which a drift is judged."""

DRIFT = 1.10
# Every further rotation is one more to keep for as long as its vectors live: it must save a little more than nothing.
_WORTH = 0.98
# Vectors by which two rotations are compared.
_JUDGED = 256


@dataclass(slots=True)
class Known:
    """A rotation and what was measured of it.

    Attributes:
        rotation: The rotation.
        namespace: The number of the namespace that it was learned for.
        mark: Bits a coordinate that count as expected.
        measured: Bits a coordinate of the newest vectors, by the same statistics; None before there were enough.
        vectors: How many were encoded with it when they were stored.
    """

    rotation: Rotation
    namespace: int
    mark: float
    measured: float | None = None
    vectors: int = 0

    def accept(self) -> None:
        """Take what was measured for what is to be expected: no other rotation does better."""
        if self.measured is not None:
            self.mark = max(self.mark, self.measured)

    @property
    def drifted(self) -> bool:
        """Whether the newest vectors take clearly more than was expected."""
        return self.measured is not None and self.measured > self.mark * DRIFT

    def report(self) -> dict[str, Any]:
        """Return what it is, what it was expected to take and what it took since the start."""
        rotation = self.rotation
        return {
            "dimension": rotation.dimension,
            "step": rotation.step,
            "rotates": rotation.rotates,
            "min_cosine": rotation.min_cosine,
            "expected_bits": rotation.bits,
            "measured_bits": self.measured,
            "vectors": self.vectors,
            "model_bytes": len(rotation.content),
        }


def is_better(found: Rotation, current: Rotation, vectors: Array) -> bool:
    """Tell whether a new rotation is worth being kept beside the current one, by what both take for the vectors."""
    if found.min_cosine != current.min_cosine:
        return True
    some = vectors[:: max(1, len(vectors) // _JUDGED)]
    return bits_of(found, some) < _WORTH * bits_of(current, some)


def bits_of(rotation: Rotation, vectors: Array) -> float:
    """Return the bits a coordinate that vectors take by the statistics of a rotation."""
    numbers = rotation.nearest(vectors).numbers
    return float(rotation.statistics.bits(rotation.statistics.symbols(numbers))) / numbers.size
