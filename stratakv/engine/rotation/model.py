"""`Rotation`: what a namespace has learned of its vectors, and the vectors that it can name exactly.

Owns the arithmetic. A vector is named by whole numbers q, one a coordinate, and a gain g; it is

    x = (A^T q) * (g * step / scale), rounded once to the array's type

where A is a square matrix of small whole numbers, `scale` times a rotation, nearly. Changing a vector means taking the
nearest that has a name. Naming it again is exact: A's own inverse finds q, and the product proves it.

Invariant: x is the same to the bit on every machine, in float32 and float64, one by one or in batches. By the
inequality of Cauchy and Schwarz no partial sum of A^T q, in whatever order, exceeds |q| times the longest column of A.
Below 2^24 float32, below 2^53 float64 hold all of them exactly; then follow one multiplication and one rounding.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stratakv.engine.rotation.coding import Huffman, Numerals
from stratakv.engine.rotation.form import Form, from_content, to_content
from stratakv.engine.rotation.gains import AN_OCTAVE, GREATEST, LEAST, gains_of, lengths_of, nearest_gains
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.rotation.statistics import Statistics

Array = np.ndarray[Any, Any]

EXACT_32, EXACT_64 = float(1 << 24), float(1 << 53)
# How far the rounding of a type may move multiples so that they are told from others; the next gain moves them further.
_LEAST_DOUBT, _LARGEST_DOUBT = 0.001, 0.25
_FURTHEST = 24  # gains
_LARGEST_MULTIPLE = float(1 << 30)
# How much further than half-way a multiple must be to count as the next one, over the spread of its coordinate: on
# sentence embeddings 1% fewer bytes at the same cosine (a simple form of rate-distortion optimised quantisation).
_PULL, _STRONGEST_PULL = 0.1, 2.0


class Multiples(NamedTuple):
    """The names of vectors.

    Attributes:
        numbers: Whole numbers, int32, a row for each vector.
        gains: The number of each vector's gain.
    """

    numbers: Array
    gains: Array


class Rotation:
    """A model of a namespace's vectors. Immutable, thread-safe, safe after fork.

    Args:
        form: What is stored of it.
        content: The stored form, if it is at hand.
    """

    def __init__(self, form: Form, content: bytes | None = None) -> None:
        self._narrow: Array | None = None
        self._wide: Array | None = None
        self._inverse: Array | None = None
        self._longest = self._spread = 1.0
        if form.axes is not None:
            self._narrow = form.axes.astype(np.float32)
            wide = form.axes.astype(np.float64)
            self._longest = float(np.sqrt((wide * wide).sum(axis=0).max()))
            try:
                self._inverse = np.linalg.inv(wide)
            except np.linalg.LinAlgError as error:
                raise CorruptionError(f"a rotation of {len(wide)} axes cannot be undone: {error}") from error
            # How far a rounding can move one multiple.
            self._spread = form.scale * float(np.sqrt((self._inverse * self._inverse).sum(axis=0).max()))
        self._fit(form, to_content(form) if content is None else content)

    def _fit(self, form: Form, content: bytes) -> None:
        statistics = form.statistics
        self._form, self.content = form, content
        self.dimension = len(statistics.members)
        self.step, self.min_cosine, self.bits = form.step, form.min_cosine, form.bits
        self.rotates = form.axes is not None
        self.statistics = statistics
        self.numerals, self.huffman = Numerals(statistics), Huffman(statistics)
        self._unit = form.step / form.scale
        # A vector changed much has another length, and the gain nearest to it is another.
        error = 2.0 * (1.0 - form.min_cosine)
        away = 4.0 * (error / self.dimension) ** 0.5 + error
        reach = min(_FURTHEST, int(1.5 + AN_OCTAVE * float(np.log2(1.0 + away))))
        self._neighbours = [offset for off in range(1, reach + 1) for offset in (-off, off)]
        with np.errstate(divide="ignore"):
            self._pull = _PULL * np.minimum(_STRONGEST_PULL, 1.0 / statistics.spreads)

    @classmethod
    def from_bytes(cls, content: bytes) -> Rotation:
        """Return the model of a stored form.

        Raises:
            CorruptionError: It is not one.
        """
        return cls(from_content(content), content)

    @property
    def template(self) -> tuple[bytes, bytes, int]:
        """What stands before and behind the vector in the commonest value, and the bytes of an element."""
        return self._form.before, self._form.behind, self._form.itemsize

    def changed(self, rows: Array) -> Array:
        """Return the nearest vectors that the model names.

        Those that it names already stay as they are. So do those that are so long or short that the array's type
        could not hold a name exactly, or that have no direction.

        Args:
            rows: Finite vectors, one a row, of float16, float32 or float64.
        """
        names, _, doubt = self._names(rows)
        changed = self.put_together(names, rows.dtype)
        too_long = np.abs(rows).max(axis=1) > 0.5 * float(np.finfo(rows.dtype).max)
        # Gains are looked for around the length; one that is too far off would not be found again.
        lengths = lengths_of(changed.astype(np.float64))
        off = np.abs(nearest_gains(np.where(lengths > 0, lengths, 1.0)) - names.gains) > len(self._neighbours) // 2
        kept = (doubt > _LARGEST_DOUBT) | too_long | off | (lengths == 0) | (np.abs(names.gains) >= GREATEST)
        changed[kept] = rows[kept]
        return changed

    def nearest(self, rows: Array) -> Multiples:
        """Return the names of the vectors nearest to some."""
        return self._names(rows)[0]

    def taken_apart(self, rows: Array) -> Multiples | None:
        """Return the names of vectors, or None where one has none, to the bit."""
        names, found, _ = self._names(rows)
        if not found.all() or self.put_together(names, rows.dtype).tobytes() != rows.tobytes():
            return None
        return names

    def refitted(self, step: float, statistics: Statistics) -> Rotation:
        """Return a model with the same axes that is not meant to be stored."""
        other = copy(self)
        other._fit(self._form._replace(step=step, statistics=statistics), b"")  # noqa: SLF001 - of the same class
        return other

    def put_together(self, multiples: Multiples, dtype: np.dtype[Any] | type) -> Array:
        """Return the vectors of names, in a type of float. What leaves its range is infinite."""
        numbers, gains = multiples
        products = self._products(numbers)
        if not gains.any():
            made: Array = np.multiply(products, self._unit, dtype=np.float64).astype(dtype)
            return made
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            units = gains_of(gains, self._unit)[:, None]
            result: Array = np.multiply(products, units, dtype=np.float64).astype(dtype)
        return result

    def ram_bytes(self) -> int:
        """Estimate the bytes of RAM held."""
        arrays = (self._narrow, self._wide, self._inverse, self._form.axes)
        return len(self.content) + 16 * self.dimension + sum(each.nbytes for each in arrays if each is not None)

    def _products(self, numbers: Array) -> Array:
        """Return A^T q: whole numbers in float32 or float64, without a negative zero."""
        if self._narrow is None:
            return numbers.astype(np.float64)
        narrow = numbers.astype(np.float32)
        # All rows together are longer than any of them; the factor is for the rounding of this sum.
        longest = float(np.vdot(narrow, narrow)) ** 0.5 * self._longest * 1.001
        if longest < EXACT_32:
            products: Array = narrow @ self._narrow
        else:
            if self._wide is None:
                self._wide = self._narrow.astype(np.float64)
            products = numbers.astype(np.float64) @ self._wide
        products += 0.0
        return products

    def _names(self, rows: Array) -> tuple[Multiples, Array, Array]:
        """Return the nearest names, which rows have a name, and how far rounding may have moved their multiples."""
        wide = rows.astype(np.float64)
        lengths = lengths_of(wide)
        usable = (lengths > 0) & np.isfinite(lengths)
        wide[~usable] = 0
        gains = np.clip(nearest_gains(np.where(usable, lengths, 1.0)), LEAST, GREATEST)
        lengths_named = gains_of(gains)
        scaled = wide / lengths_named[:, None]
        exact = scaled / self._unit if self._inverse is None else (scaled @ self._inverse) / self._unit
        limits = np.finfo(rows.dtype)
        lost = lengths * float(limits.eps) + float(limits.smallest_subnormal) * self.dimension**0.5
        doubt = np.where(usable, lost * self._spread / (self.step * lengths_named), np.inf)
        bound = np.minimum(doubt + _LEAST_DOUBT, _LARGEST_DOUBT)
        numbers = np.rint(exact)
        found = _whole(exact, numbers, bound) & usable
        for offset in self._neighbours:
            left = np.flatnonzero(~found & usable)
            if not len(left):
                break
            ratio = gains_of(gains[left]) / gains_of(gains[left] + offset)
            other = exact[left] * ratio[:, None]
            near = np.rint(other)
            fits = _whole(other, near, bound[left])
            numbers[left[fits]] = near[fits]
            gains[left[fits]] += offset
            found[left[fits]] = True
        fresh = ~found
        if fresh.any():
            numbers[fresh] = self._rounded(exact[fresh])
        numbers = np.clip(numbers, -_LARGEST_MULTIPLE, _LARGEST_MULTIPLE)
        return Multiples(numbers.astype(np.int32), gains), found, doubt

    def _rounded(self, exact: Array) -> Array:
        """Round to whole numbers, in doubt to the one nearer to the middle, which is coded in fewer bits."""
        rests = exact - self.statistics.middles
        numbers: Array = np.copysign(np.floor(np.maximum(0.0, np.abs(rests) + (0.5 - self._pull))), rests)
        numbers += self.statistics.middles
        return numbers


def _whole(exact: Array, numbers: Array, bound: Array) -> Array:
    result: Array = np.abs(exact - numbers).max(axis=1) <= bound
    return result
