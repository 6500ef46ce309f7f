"""What is known beforehand of the multiples: which are usual for each coordinate, and how often.

Owns the classes of coordinates that share a distribution, and the way between whole numbers and symbols. A multiple
less its coordinate's middle is cut into `shift` low bits, kept as they are, and a symbol: the rest plus `reach`, or,
where that is not from 0 to 2 `reach`, the symbol of an escape, 2 `reach` + 1. Never codes anything.

Invariant: coordinates lie in the order of their classes; `columns` tells which they are where the vector has another
order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, Any]

GREATEST_REACH = 126
"""So that a symbol, the escape among them, is one byte."""
GREATEST_SHIFT = 24
MOST_CLASSES = 64


class Class(NamedTuple):
    """Coordinates of like spread.

    Attributes:
        shift: Low bits that are kept as they are.
        reach: The greatest rest, in magnitude, that has a symbol of its own.
        frequencies: How often each of 2 `reach` + 2 symbols is expected, as whole numbers from 1 on.
    """

    shift: int
    reach: int
    frequencies: tuple[int, ...]


class Symbols(NamedTuple):
    """Multiples as symbols, in the order of classes.

    Attributes:
        usual: The symbols, one byte each, of so many rows.
        low: The low bits, or None where no class has any.
        escaped: The rests of the escapes, row by row.
    """

    usual: Array
    low: Array | None
    escaped: Array


@dataclass(frozen=True)
class Statistics:
    """The classes, and what each coordinate's class and middle are.

    Attributes:
        classes: The classes.
        members: The class of each coordinate.
        middles: What is taken off each coordinate's multiples, as int32.
    """

    classes: Sequence[Class]
    members: Array
    middles: Array

    @cached_property
    def columns(self) -> Array | None:
        """Coordinates in the order of their classes; None where they lie so."""
        if (np.diff(self.members.astype(np.int16)) >= 0).all():
            return None
        return np.argsort(self.members, kind="stable")

    @cached_property
    def widths(self) -> list[int]:
        """How many coordinates each class has."""
        widths: list[int] = np.bincount(self.members, minlength=len(self.classes)).tolist()
        return widths

    @cached_property
    def spreads(self) -> Array:
        """The standard deviation of each coordinate's class, in multiples."""
        each = []
        for shift, reach, frequencies in self.classes:
            shares = np.array(frequencies[:-1], np.float64)
            squares = np.arange(-reach, reach + 1, dtype=np.float64) ** 2
            each.append(float(np.sqrt(squares @ shares / shares.sum())) * (1 << shift))
        return np.array(each)[self.members]

    def symbols(self, multiples: Array) -> Symbols:
        """Return the symbols of multiples, an array of rows."""
        rests = multiples - self.middles
        if self.columns is not None:
            rests = rests[:, self.columns]
        low = None
        if self._shifted:
            low = rests & self._masks
            rests >>= self._shifts
        rests += self._reaches
        outside = (rests < 0) | (rests > 2 * self._reaches)
        escaped = (rests - self._reaches)[outside]
        rests = np.where(outside, 2 * self._reaches + 1, rests)
        return Symbols(rests.astype(np.uint8), low, escaped)

    def multiples(self, symbols: Symbols) -> Array:
        """Undo `symbols`: int32 rows. Numbers that leave the range wrap around."""
        rests = symbols.usual.astype(np.int32)
        if self._shifted or len(symbols.escaped):
            outside = self.escapes(symbols.usual)
            rests -= self._reaches
            rests[outside] = symbols.escaped
            if symbols.low is not None:
                rests <<= self._shifts
                rests |= symbols.low
            rests += self._middles
        else:
            rests += self._offsets
        if self.columns is None:
            return rests
        multiples = np.empty_like(rests)
        multiples[:, self.columns] = rests
        return multiples

    def escapes(self, usual: Array) -> Array:
        """Tell where escapes stand."""
        result: Array = usual == self._escape
        return result

    def bits(self, symbols: Symbols) -> float:
        """Return the bits of rows by these statistics."""
        bits, start = 0.0, 0
        for kind, width in zip(self.classes, self.widths, strict=True):
            table = np.array(kind.frequencies, np.float64)
            counts = np.bincount(symbols.usual[:, start : start + width].reshape(-1), minlength=len(table))
            bits += float(counts @ (np.log2(table.sum()) - np.log2(table))) + counts.sum() * kind.shift
            start += width
        return bits + 32.0 * len(symbols.escaped)

    def _each(self, numbers: Sequence[int]) -> Array:
        """Return a number of each class for each coordinate, in the order of classes."""
        return np.repeat(np.array(numbers, np.int32), self.widths)

    @cached_property
    def _shifted(self) -> bool:
        return any(kind.shift for kind in self.classes)

    @cached_property
    def _shifts(self) -> Array:
        return self._each([kind.shift for kind in self.classes])

    @cached_property
    def _masks(self) -> Array:
        return self._each([(1 << kind.shift) - 1 for kind in self.classes])

    @cached_property
    def _reaches(self) -> Array:
        return self._each([kind.reach for kind in self.classes])

    @cached_property
    def _escape(self) -> Array:
        return (2 * self._reaches + 1).astype(np.uint8)

    @cached_property
    def _middles(self) -> Array:
        return self.middles if self.columns is None else self.middles[self.columns]

    @cached_property
    def _offsets(self) -> Array:
        result: Array = self._middles - self._reaches
        return result
