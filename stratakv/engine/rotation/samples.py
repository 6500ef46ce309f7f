"""`Samples`: vectors of one namespace and dimension, kept so that a rotation can be learned from them.

Owns which vectors are kept. They are taken systematically, not at random: every n-th, and n doubles whenever room is
short; after a training the newer half stays and every vector counts again. The same stores keep the same samples.

A vector is kept as its norm and its direction in float16: eleven bits of precision, far below any step that a rotation
uses, at half the RAM. It knows no lock: its owner has one.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

MOST_AT_ONCE = 4096
"""Vectors that one array gives at most, spread over it evenly."""

_NORM_BYTES = 4
_POINTER_BYTES = 8
# Norms outside are not kept: their squares leave float32.
_LEAST_NORM, _GREATEST_NORM = 1e-15, 1e15


class Samples:
    """Samples of vectors with `dimension` numbers each.

    Attributes:
        ram_bytes: RAM that the kept vectors take.
    """

    __slots__ = ("_dimension", "_kept", "_offered", "_stride", "ram_bytes")

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._kept: list[bytes] = []
        self._stride = 1
        self._offered = 0
        self.ram_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def offer(self, rows: Array) -> None:
        """Take what is due of finite vectors, one a row."""
        first = -self._offered % self._stride
        self._offered += len(rows)
        due = rows[first :: max(self._stride, -(-len(rows) // MOST_AT_ONCE))]
        if not len(due):
            return
        wide = due.astype(np.float64)
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            norms = np.sqrt((wide * wide).sum(axis=1))
            fit = (norms >= _LEAST_NORM) & (norms <= _GREATEST_NORM)
            directions = (wide / norms[:, None]).astype("<f2")
            lengths = norms.astype("<f4")
        for number in np.flatnonzero(fit):
            self._kept.append(lengths[number].tobytes() + directions[number].tobytes())
        self._recount()

    @property
    def offered(self) -> int:
        """How many vectors were offered so far."""
        return self._offered

    def vectors(self, newest: int | None = None) -> Array:
        """Return the kept vectors, or so many of the newest, in float32, the oldest first."""
        kept = self._kept[-newest:] if newest else self._kept
        width = _NORM_BYTES + 2 * self._dimension
        table = np.frombuffer(b"".join(kept), np.uint8).reshape(len(kept), width)
        norms = np.ascontiguousarray(table[:, :_NORM_BYTES]).view("<f4").astype(np.float64)
        directions = np.ascontiguousarray(table[:, _NORM_BYTES:]).view("<f2").astype(np.float64)
        # Rounding to float16 moved the norms a little; those of a rotation's gains are to be the true ones.
        lengths = np.sqrt((directions * directions).sum(axis=1, keepdims=True))
        vectors: Array = (directions * (norms / lengths)).astype(np.float32)
        return vectors

    def thin(self) -> None:
        """Drop every other vector, and take only half as many from now on."""
        self._kept = self._kept[1::2]
        self._stride *= 2
        self._recount()

    def forget_older_half(self) -> None:
        """Make room for what comes after a training."""
        self._kept = self._kept[len(self._kept) // 2 :]
        self._stride = 1
        self._recount()

    def forget(self) -> None:
        """Let go of all vectors."""
        self._kept = []
        self._recount()

    def _recount(self) -> None:
        each = sys.getsizeof(b"") + _NORM_BYTES + 2 * self._dimension + _POINTER_BYTES
        self.ram_bytes = each * len(self._kept)


def most_samples(dimension: int, room: int) -> int:
    """Return how many vectors fit in so many bytes of RAM."""
    return room // (sys.getsizeof(b"") + _NORM_BYTES + 2 * dimension + _POINTER_BYTES)
