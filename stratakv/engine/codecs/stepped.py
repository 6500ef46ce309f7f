"""Rows of whole steps: the form in which quantised floats are found again, and kept, without loss.

Owns the payload that `QUANTIZE_INT8`, `QUANTIZE_INT4` and `BINARIZE` share. The codecs lose nothing: they look whether
each row of floats is a step times small whole numbers, to the bit, and keep step and numbers if it is; for anything
else the payload is that of `Shortest`. Payload of steps:

    mode u8 (16), itemsize u8, bytes of tail u8
    as LEB128 varints the elements of a row, the number of rows, the bytes of the encoded steps
    the steps (float32), then the multiples (8, 4 or 1 bit each), both as `Shortest` makes them smallest
    the tail: bytes behind the last whole row, between steps and multiples

Invariant: the counts must give exactly the size known from outside before anything is allocated.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.shortest import FIRST_OWN_MODE, Shortest
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.errors import CorruptionError

Array = np.ndarray[Any, Any]

STEPS = FIRST_OWN_MODE
_TYPES: dict[int, np.dtype[Any]] = {2: np.dtype("<f2"), 4: np.dtype("<f4"), 8: np.dtype("<f8")}
_STEP_BYTES = 4
_LONGEST_TAIL = 255
# Bytes of a row; the steps of shorter ones would take more memory than the numbers themselves.
_SHORTEST_ROW = 16
# Numbers that are made from their multiples together.
_AT_ONCE = 1 << 17


class SteppedCodec(Codec):
    """Rows of steps. Sub-classes say which multiples there are and how they are packed.

    Attributes:
        bits: Bits of a multiple.
    """

    bits: int

    def __init__(self) -> None:
        self._general = Shortest()

    @abstractmethod
    def steps_of(self, rows: Array) -> Array:
        """Return the step that each row must have, as float64; wrong ones are found out."""

    @abstractmethod
    def pack(self, multiples: Array) -> bytes:
        """Return whole numbers, int8, as bytes."""

    @abstractmethod
    def unpack(self, packed: bytes, count: int) -> Array:
        """Return `count` whole numbers as int8."""

    def packed_bytes(self, count: int) -> int:
        """Return how many bytes so many multiples take."""
        return (count * self.bits + 7) // 8

    def suits(self, plaintext: Buffer, elements: Elements) -> bool:
        """Tell whether the first row is one of steps: cheap, and nearly always right about all rows."""
        rows = _rows(plaintext, elements)
        return rows is not None and bool(rows[:1].view(np.uint8).any()) and self._taken_apart(rows[:1]) is not None

    def is_stepped(self, plaintext: Buffer, elements: Elements) -> bool:
        """Tell whether all rows are of steps, to the bit."""
        rows = _rows(plaintext, elements)
        return rows is not None and self._taken_apart(rows) is not None

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        rows = _rows(plaintext, elements)
        if rows is not None and self.suits(plaintext, elements) and (found := self._taken_apart(rows)) is not None:
            return self._stepped(rows, *found, bytes(memoryview(plaintext)[rows.nbytes :]), level)
        return self._general.encode(plaintext, level, elements.itemsize)

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        if not view or view[0] < FIRST_OWN_MODE:
            return self._general.decode(view, size)
        if len(view) < 3 or view[0] != STEPS or view[1] not in _TYPES:
            raise CorruptionError(f"damaged payload of {len(view)} bytes: these are no rows of steps")
        dtype, tail = _TYPES[view[1]], view[2]
        row, at = read_varint(view, 3)
        count, at = read_varint(view, at)
        coded, at = read_varint(view, at)
        ends = at + coded + tail
        if not row or not count or row * count * dtype.itemsize + tail != size or ends > len(view):
            raise CorruptionError(f"damaged payload of {len(view)} bytes: {count} rows of {row} are not {size} bytes")
        if row * dtype.itemsize < _SHORTEST_ROW:
            raise CorruptionError(f"damaged payload of {len(view)} bytes: rows of {row} have no steps of their own")
        steps = np.frombuffer(self._general.decode(view[at : at + coded], count * _STEP_BYTES), "<f4")
        packed = self._general.decode(view[ends:], self.packed_bytes(row * count))
        if row * count <= _AT_ONCE:
            multiples = self.unpack(packed, row * count).reshape(count, row)
            return b"".join((_values(steps.reshape(count, 1), multiples, dtype).data, view[ends - tail : ends]))
        pieces = [
            self._numbers(packed, steps, row, start, dtype).tobytes() for start in range(0, row * count, _AT_ONCE)
        ]
        del steps, packed
        return b"".join((*pieces, view[ends - tail : ends]))

    def _numbers(self, packed: bytes, steps: Array, row: int, start: int, dtype: np.dtype[Any]) -> Array:
        """Return at most `_AT_ONCE` numbers from a place on: the whole at once would take several times its size."""
        stop = min(start + _AT_ONCE, len(steps) * row)
        first, last = start // row, (stop - 1) // row
        each = np.full(last - first + 1, row)
        each[0] -= start - first * row
        each[-1] -= (last + 1) * row - stop
        # A place is a multiple of 8, so multiples of any number of bits begin there with a byte.
        multiples = self.unpack(packed[start * self.bits // 8 : self.packed_bytes(stop)], stop - start)
        return _values(np.repeat(steps[first : last + 1], each), multiples, dtype)

    def _taken_apart(self, rows: Array) -> tuple[Array, bytes] | None:
        """Return steps and packed multiples that give exactly these rows; None where there are none."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            steps = self.steps_of(rows).astype("<f4").reshape(-1, 1)
            multiples = np.rint(np.divide(rows, steps, out=np.zeros_like(rows), where=steps > 0))
            limit = max(1, (1 << (self.bits - 1)) - 1)
            if not (np.abs(multiples) <= limit).all():
                return None
            # What counts is what unpacking gives: one bit, for instance, has no room for a multiple of 0.
            packed = self.pack(multiples.astype(np.int8).reshape(-1))
            back = self.unpack(packed, rows.size).reshape(rows.shape)
            if _values(steps, back, rows.dtype).tobytes() != rows.tobytes():
                return None
        return steps, packed

    def _stepped(self, rows: Array, steps: Array, packed: bytes, tail: bytes, level: int) -> bytes:
        coded = self._general.encode(steps.tobytes(), level, _STEP_BYTES)
        head = bytes((STEPS, rows.dtype.itemsize, len(tail)))
        numbers = map(write_varint, (rows.shape[1], rows.shape[0], len(coded)))
        return b"".join((head, *numbers, coded, tail, self._general.encode(packed, level)))


def _values(steps: Array, multiples: Array, dtype: np.dtype[Any]) -> Array:
    """Return the rows. Both ways come here, so what was found to be exact stays so."""
    wide = np.dtype("<f4") if dtype.itemsize < 4 else dtype
    with np.errstate(over="ignore", invalid="ignore"):
        rows: Array = (multiples.astype(wide) * steps.astype(wide)).astype(dtype, copy=False)
    return rows


def _rows(plaintext: Buffer, elements: Elements) -> Array | None:
    """Return the whole rows of a plaintext; None where it is no array of floats or has none."""
    dtype = _TYPES.get(elements.itemsize) if elements.kind == "f" else None
    if dtype is None:
        return None
    count = len(plaintext) // dtype.itemsize
    row = elements.row or count
    whole = count // row * row if row else 0
    if not whole or row * dtype.itemsize < _SHORTEST_ROW or len(plaintext) - whole * dtype.itemsize > _LONGEST_TAIL:
        return None
    rows: Array = np.frombuffer(plaintext, dtype, whole).reshape(-1, row)
    return rows
