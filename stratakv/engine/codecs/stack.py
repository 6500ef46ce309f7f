"""`StackCodec` (id 16): values with arrays of equal shape, side by side in one block, stacked.

Owns the order in which such values lie in a payload: first what stands before the arrays (trees and tables) of all of
them, then the first array of all, then the second. So a hundred vectors become one matrix for the codec of their kind.
Payload, integers as LEB128 varints:

    number of values, number of arrays in each, the bytes of each array; then the bytes before the arrays of each
    value: once, if all are alike, after a 0, else one by one after a 1
    a container of parts (`PartsCodec`) with what was stacked

Invariant: the lengths must add up to the size known from outside before anything is decoded.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.parts import Parts, PartsCodec, Span
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratakv.engine.codecs.contests import Contests

_ALIKE, _EACH = 0, 1


class _Tile:
    """A stretch of the stacked bytes."""

    __slots__ = ("elements", "start", "stop")

    def __init__(self, start: int, stop: int, elements: Elements) -> None:
        self.start, self.stop, self.elements = start, stop, elements


def shape_of(layout: Sequence[Span]) -> tuple[tuple[int, Elements], ...]:
    """Return what two values must have in common to be stacked: length and elements of each array."""
    return tuple((part.stop - part.start, part.elements) for part in layout[1:])


class StackCodec(Codec):
    """Stacks; as a plain codec it has one value without arrays."""

    id = 16
    strategy = CompressionStrategy.ADAPTIVE

    def __init__(self, parts: PartsCodec | None = None) -> None:
        self._parts = parts or PartsCodec()

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        head = write_varint(1) + write_varint(0) + bytes((_ALIKE,)) + write_varint(len(plaintext))
        return head + self._parts.encode(plaintext, level=level, elements=elements)

    def encode_many(
        self,
        plaintexts: Sequence[bytes],
        layout: Sequence[Span],
        level: int,
        contests: Contests | None = None,
        *,
        apart: bool = False,
    ) -> Parts:
        """Encode values whose layouts have one shape (`shape_of`); `layout` is that of the first.

        The first part of a layout is what stands before the arrays, and may be of another length in each value. With
        `apart` each array is encoded by itself: columns of different things lie better so than as one matrix.
        """
        lengths = [part.stop - part.start for part in layout[1:]]
        arrays = sum(lengths)
        before = [len(plaintext) - arrays for plaintext in plaintexts]
        numbers = [len(plaintexts), len(lengths), *lengths]
        alike = len(set(before)) == 1
        head = b"".join(map(write_varint, numbers)) + bytes((_ALIKE if alike else _EACH,))
        head += b"".join(map(write_varint, before[:1] if alike else before))
        pieces = [plaintext[:start] for plaintext, start in zip(plaintexts, before, strict=True)]
        tiles = [_Tile(0, sum(before), UNTYPED)]
        offset = 0
        for part, length in zip(layout[1:], lengths, strict=True):
            pieces += [text[at + offset : at + offset + length] for text, at in zip(plaintexts, before, strict=True)]
            for share in [1] * len(plaintexts) if apart else [len(plaintexts)]:
                start = tiles[-1].stop
                elements = part.elements if apart else _stacked(part.elements, length)
                tiles.append(_Tile(start, start + length * share, elements))
            offset += length
        made = self._parts.encode_segments(b"".join(pieces), tiles, level, contests=contests, joined=not apart)
        return made._replace(payload=head + made.payload)

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        count, before, lengths, at = _head(view, size)
        if len(before) < count or count == 1:
            return _side_by_side(self._parts.decode(view[at:], size), count, [*before, *lengths])
        return _one_by_one(self._parts.decode(view[at:], size), before, lengths)


def _stacked(elements: Elements, length: int) -> Elements:
    """Return the elements of arrays laid behind one another: a single row each becomes a row of the whole."""
    kind, itemsize, row = elements
    return Elements(kind, itemsize, row if row or length % itemsize else length // itemsize)


def _head(view: memoryview, size: int) -> tuple[int, list[int], list[int], int]:
    """Return what the payload tells of its values, and where the container begins.

    That is their number, the bytes before the arrays of each value (once, if all are alike), and the bytes of each
    array; arrays of nothing are left out.
    """
    count, at = read_varint(view, 0)
    arrays, at = read_varint(view, at)
    # Each number takes a byte at least, so a wrong count is found before anything of its size is made.
    if arrays > len(view) or count > max(size, 1):
        raise CorruptionError(f"damaged stack of {len(view)} bytes: {count} values of {arrays} arrays in {size} bytes")
    lengths = []
    for _ in range(arrays):
        length, at = read_varint(view, at)
        if length:
            lengths.append(length)
    form = view[at] if at < len(view) else -1
    if form not in (_ALIKE, _EACH) or (form == _EACH and count > len(view)):
        raise CorruptionError(f"damaged stack of {len(view)} bytes: its values have no lengths")
    at += 1
    before = []
    for _ in range(1 if form == _ALIKE else count):
        length, at = read_varint(view, at)
        before.append(length)
    if sum(before) * (count if form == _ALIKE else 1) + sum(lengths) * count != size:
        raise CorruptionError(f"damaged stack of {len(view)} bytes: its values do not make {size} bytes")
    return count, before, lengths, at


def _side_by_side(stacked: bytes, count: int, widths: list[int]) -> bytes:
    """Undo the stacking of values of one length: as columns of a table of bytes, without an object for each piece."""
    source = np.frombuffer(stacked, np.uint8)
    values = np.empty((count, sum(widths)), np.uint8)
    start = across = 0
    for width in widths:
        stop = start + width * count
        values[:, across : across + width] = source[start:stop].reshape(count, width)
        start, across = stop, across + width
    del stacked, source  # a third copy would break the promise to take twice the size
    return values.tobytes()


def _one_by_one(stacked: bytes, before: list[int], lengths: list[int]) -> bytes:
    """Undo the stacking of values that differ in what stands before their arrays."""
    source = memoryview(stacked)
    count, start = len(before), sum(before)
    plain = BytesIO()
    at = 0
    for number, length in enumerate(before):
        plain.write(source[at : at + length])
        at += length
        array = start
        for width in lengths:
            plain.write(source[array + number * width : array + (number + 1) * width])
            array += count * width
    return plain.getvalue()
