"""`PartsCodec` (id 6): a plaintext of several segments, each with the codec that suits it.

Owns the container's layout. All integers are unsigned LEB128 varints:

    count
    count x ( plain length, method byte, [itemsize: method 4 only], [payload length: not for method 0] )
    the payloads, one after the other

Methods: 0 raw, 1 LZ4, 2 zstd, 3 blosc2, 4 zstd over byte planes (the first bytes of all elements, then the
second bytes, ...; a last incomplete element follows as it is).

Invariant: plain lengths add up to the size known from outside and payload lengths to the payload; this is
checked before any part is decoded, so nothing is allocated that the container only claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.blosc import BloscCodec, blosc2_installed
from stratakv.engine.codecs.lz4_block import Lz4Codec
from stratakv.engine.codecs.zstd import HIGHEST_LEVEL, ZstdFrames
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Iterable

RAW, LZ4, ZSTD, BLOSC, PLANES = range(5)

# Below this a part of its own costs more than it gains.
_SMALL = 64
# Longer segments choose their method on a sample of this many bytes from their middle.
_PILOT = 32 * 1024
_PILOT_ABOVE = 4 * _PILOT


class Span(Protocol):
    """Where a segment lies in the plaintext, in bytes, and what its elements are."""

    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def elements(self) -> Elements: ...


class PartsCodec(Codec):
    """The container. As a plain codec it treats the plaintext as one segment.

    Args:
        blosc: Use blosc2 for typed segments; None means when it is installed. Without it byte planes are made
        here.
            Decoding needs blosc2 where it was used.
    """

    id = 6
    strategy = CompressionStrategy.BLOSC

    def __init__(self, *, blosc: bool | None = None) -> None:
        self._blosc_wanted = blosc
        self._lz4 = Lz4Codec()
        self._zstd = ZstdFrames()
        self._blosc = BloscCodec()

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        return self._encode(memoryview(plaintext), [(0, len(plaintext), elements.itemsize)], level)

    def encode_segments(self, plaintext: Buffer, segments: Iterable[Span], level: int) -> bytes:
        """Encode segment by segment. Bytes between segments are taken as untyped.

        Raises:
            ValueError: Segments overlap, are out of order or reach beyond the plaintext.
        """
        return self._encode(memoryview(plaintext), _pieces(segments, len(plaintext)), level)

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        pieces: list[bytes] = []
        for method, itemsize, length, start, stop in _table(view, size):
            part = view[start:stop]
            if method == RAW:
                pieces.append(bytes(part))
            elif method == LZ4:
                pieces.append(self._lz4.decode(part, length))
            elif method == ZSTD:
                pieces.append(self._zstd.decode(part, length))
            elif method == PLANES:
                pieces.append(from_planes(self._zstd.decode(part, length), itemsize))
            else:
                pieces.append(self._blosc.decode(part, length))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _encode(self, view: memoryview, pieces: list[tuple[int, int, int]], level: int) -> bytes:
        level = min(level, HIGHEST_LEVEL)
        table = bytearray(_varint(len(pieces)))
        payloads: list[Buffer] = []
        for start, stop, itemsize in pieces:
            plain = view[start:stop]
            method, payload = self._smallest(plain, itemsize, level)
            table += _varint(len(plain))
            table.append(method)
            if method == PLANES:
                table.append(itemsize)
            if method != RAW:
                table += _varint(len(payload))
            payloads.append(payload)
        return b"".join((bytes(table), *payloads))

    def _smallest(self, plain: memoryview, itemsize: int, level: int) -> tuple[int, Buffer]:
        """Return the method with the shortest result, and the result."""
        methods = self._methods(len(plain), itemsize, level)
        if len(plain) > _PILOT_ABOVE and len(methods) > 1:
            middle = (len(plain) - _PILOT) // 2
            middle -= middle % itemsize
            sample = plain[middle : middle + _PILOT]
            methods = [min(methods, key=lambda method: len(self._apply(method, sample, itemsize, level)))]
        best, shortest = RAW, plain
        payload: Buffer
        for method in methods:
            payload = self._apply(method, plain, itemsize, level)
            if len(payload) < len(shortest):
                best, shortest = method, memoryview(payload)
        return best, shortest

    def _methods(self, size: int, itemsize: int, level: int) -> list[int]:
        if size < _SMALL:
            return []
        # LZ4 loses to zstd in size nearly always; it is for text in a hurry.
        plain = [LZ4] if itemsize == 1 and level < 2 else [ZSTD]
        blosc = self._blosc_wanted
        if blosc is None:
            blosc = blosc2_installed()
        if 1 < itemsize < 256:
            return [*plain, BLOSC if blosc else PLANES]
        return plain

    def _apply(self, method: int, plain: Buffer, itemsize: int, level: int) -> bytes:
        if method == LZ4:
            return self._lz4.encode(plain, level=level)
        if method == ZSTD:
            return self._zstd.encode(plain, level)
        if method == PLANES:
            return self._zstd.encode(to_planes(plain, itemsize), level)
        return self._blosc.encode(plain, level=level, elements=Elements(itemsize=itemsize))


def to_planes(plain: Buffer, itemsize: int) -> bytes:
    """Put the n-th bytes of all elements side by side; an incomplete last element stays at the end."""
    whole = len(plain) // itemsize * itemsize
    planes = np.frombuffer(plain, np.uint8, whole).reshape(-1, itemsize).T.tobytes()
    return planes + bytes(plain[whole:])


def from_planes(planes: bytes, itemsize: int) -> bytes:
    """Undo `to_planes`."""
    whole = len(planes) // itemsize * itemsize
    plain = np.frombuffer(planes, np.uint8, whole).reshape(itemsize, -1).T.tobytes()
    return plain + planes[whole:]


def _pieces(segments: Iterable[Span], size: int) -> list[tuple[int, int, int]]:
    """Tile the plaintext: fill gaps, join neighbours that are too small or of one kind."""
    tiles: list[tuple[int, int, int]] = []
    reached = 0
    for segment in segments:
        start, stop, itemsize = segment.start, segment.stop, segment.elements.itemsize
        if not reached <= start <= stop <= size or itemsize < 1:
            raise ValueError(
                f"segment {start}..{stop} of width {itemsize} does not fit after {reached} of {size} bytes"
            )
        if start > reached:
            _add(tiles, reached, start, 1)
        if stop > start:
            _add(tiles, start, stop, itemsize)
        reached = stop
    if reached < size:
        _add(tiles, reached, size, 1)
    return tiles


def _add(tiles: list[tuple[int, int, int]], start: int, stop: int, itemsize: int) -> None:
    if tiles:
        before, middle, width = tiles[-1]
        # Elements must stay in step with those they join.
        same = width == itemsize and (middle - before) % width == 0
        if same or (width == 1 and stop - start < _SMALL):
            tiles[-1] = (before, stop, width)
            return
    tiles.append((start, stop, itemsize))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(view) and shift < 63:
        byte = view[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise CorruptionError("damaged container: a number in its table does not end")


def _table(view: memoryview, size: int) -> list[tuple[int, int, int, int, int]]:
    """Read and check the table: (method, itemsize, plain length, start, stop) of each part."""
    count, at = _read_varint(view, 0)
    rows: list[tuple[int, int, int, int]] = []
    plain = stored = 0
    # A wrong count cannot run on: each row takes at least two bytes, and they run out.
    for _ in range(count):
        length, at = _read_varint(view, at)
        if at >= len(view) or view[at] > PLANES:
            raise CorruptionError(f"damaged container of {len(view)} bytes: unknown method of a part")
        method, itemsize, coded = view[at], 1, length
        at += 1
        if method == PLANES:
            itemsize, at = _read_varint(view, at)
        if method != RAW:
            coded, at = _read_varint(view, at)
        if not 1 <= itemsize <= 255:
            raise CorruptionError(f"damaged container of {len(view)} bytes: elements of {itemsize} bytes")
        plain += length
        stored += coded
        if plain > size or stored > len(view):
            break
        rows.append((method, itemsize, length, coded))
    if plain != size or at + stored != len(view):
        raise CorruptionError(
            f"damaged container: parts of {plain} bytes in {stored} bytes, not of {size} in {len(view) - at}"
        )
    parts: list[tuple[int, int, int, int, int]] = []
    for method, itemsize, length, coded in rows:
        parts.append((method, itemsize, length, at, at + coded))
        at += coded
    return parts
