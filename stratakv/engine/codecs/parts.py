"""`PartsCodec` (id 6): a plaintext of several segments, each with the codec that suits it.

Owns the container's layout. Counts and lengths are unsigned LEB128 varints:

    count
    count x ( plain length, method byte, [width byte: method 4 only], [payload length: not for method 0] )
    the payloads, one after the other

The methods are in `candidates`. Invariant: plain lengths add up to the size known from outside and payload lengths to
the payload; this is checked before any part is decoded, so nothing is allocated that the container only claims.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple, Protocol

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.candidates import PLANES, RAW, Methods, strategy_of
from stratakv.engine.codecs.contests import Contests, shortest
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Iterable

# Below this a part of its own costs more than it gains.
_SMALL = 64


class Span(Protocol):
    """Where a segment lies in the plaintext, in bytes, and what its elements are."""

    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def elements(self) -> Elements: ...


class _Tile(NamedTuple):
    """A stretch that becomes one part."""

    start: int
    stop: int
    elements: Elements


class Parts(NamedTuple):
    """An encoded plaintext.

    Attributes:
        payload: The container.
        strategy: What most of the plaintext was encoded with.
    """

    payload: bytes
    strategy: CompressionStrategy


class PartsCodec(Codec):
    """The container. As a plain codec it treats the plaintext as one segment.

    Args:
        blosc: Use blosc2 for typed segments; None means when it is installed. Without it byte planes are made here.
            Decoding needs blosc2 where it was used.
        numeric: The same for pcodec.
    """

    id = 6
    strategy = CompressionStrategy.ADAPTIVE

    def __init__(self, *, blosc: bool | None = None, numeric: bool | None = None) -> None:
        self._methods = Methods(blosc=blosc, numeric=numeric)

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        return self._encode(memoryview(plaintext), [_Tile(0, len(plaintext), elements)], level, None, None).payload

    def encode_segments(
        self,
        plaintext: Buffer,
        segments: Iterable[Span],
        level: int,
        *,
        contests: Contests | None = None,
        only: CompressionStrategy | None = None,
        joined: bool = True,
    ) -> Parts:
        """Encode segment by segment. Bytes between segments are taken as untyped.

        Args:
            plaintext: What to encode.
            segments: Where its arrays lie.
            level: zstd's level.
            contests: Remembers which method does best; None tries all that may suit, every time.
            only: The strategy for typed segments, where it suits them.
            joined: Whether neighbours of one kind become one part.

        Raises:
            ValueError: Segments overlap, are out of order or reach beyond the plaintext.
        """
        view = memoryview(plaintext)
        return self._encode(view, _tiles(segments, len(plaintext), joined=joined), level, contests, only)

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        count, at, start = _table(view, size)
        # Thousands of tiny parts as objects would take many times the size.
        plain = BytesIO()
        for _ in range(count):
            method, itemsize, length, coded, at = _row(view, at)
            part = self._methods.decode(method, view[start : start + coded], length, itemsize)
            if length == size:
                return part
            plain.write(part)
            start += coded
        return plain.getvalue()

    def _encode(
        self,
        view: memoryview,
        tiles: list[_Tile],
        level: int,
        contests: Contests | None,
        only: CompressionStrategy | None,
    ) -> Parts:
        table = bytearray(write_varint(len(tiles)))
        payloads: list[Buffer] = []
        leading, most = RAW, -1
        for start, stop, elements in tiles:
            plain = view[start:stop]
            method, payload = self._part(plain, elements, level, contests, only)
            table += write_varint(len(plain))
            table.append(method)
            if method == PLANES:
                table.append(elements.itemsize)
            if method != RAW:
                table += write_varint(len(payload))
            payloads.append(payload)
            if len(plain) > most:
                leading, most = method, len(plain)
        return Parts(b"".join((bytes(table), *payloads)), strategy_of(leading))

    def _part(
        self,
        plain: memoryview,
        elements: Elements,
        level: int,
        contests: Contests | None,
        only: CompressionStrategy | None,
    ) -> tuple[int, Buffer]:
        """Return a method and what it makes, never longer than the plain bytes."""
        methods = self._methods
        if len(plain) < _SMALL:
            return RAW, plain
        contest = None if contests is None or only is not None else contests.of(elements)
        if only is not None:
            names = methods.of(only, plain, elements)
        else:
            settled = None if contest is None or contests is None or contests.looks else contest.settled
            form, names = methods.fitting(plain, elements, level, settled)
            if form and contests is not None:
                contest = contests.of(elements, form)
        name, payload = shortest(
            {name: methods.candidate(name, elements, level) for name in names}, plain, elements, contest
        )
        return (name, payload) if len(payload) < len(plain) else (RAW, plain)


def _tiles(segments: Iterable[Span], size: int, *, joined: bool) -> list[_Tile]:
    """Tile the plaintext: fill gaps, join neighbours that are too small or of one kind."""
    tiles: list[_Tile] = []
    reached = 0
    for segment in segments:
        start, stop, elements = segment.start, segment.stop, segment.elements
        if not reached <= start <= stop <= size or elements.itemsize < 1:
            raise ValueError(
                f"segment {start}..{stop} of width {elements.itemsize} does not fit after {reached} of {size} bytes"
            )
        if start > reached:
            _add(tiles, reached, start, UNTYPED, joined=joined)
        if stop > start:
            _add(tiles, start, stop, elements, joined=joined)
        reached = stop
    if reached < size:
        _add(tiles, reached, size, UNTYPED, joined=joined)
    return tiles


def _add(tiles: list[_Tile], start: int, stop: int, elements: Elements, *, joined: bool) -> None:
    if tiles:
        before, middle, known = tiles[-1]
        # Elements must stay in step with those they join.
        same = joined and known == elements and (middle - before) % (known.itemsize * max(1, known.row)) == 0
        if same or (known.itemsize == 1 and stop - start < _SMALL):
            tiles[-1] = _Tile(before, stop, known)
            return
    tiles.append(_Tile(start, stop, elements))


def _table(view: memoryview, size: int) -> tuple[int, int, int]:
    """Check the table; return how many parts there are, and where its rows and the payloads begin."""
    count, first = read_varint(view, 0)
    at = first
    plain = stored = 0
    # A wrong count cannot run on: each row takes at least two bytes, and they run out.
    for _ in range(count):
        _, _, length, coded, at = _row(view, at)
        plain += length
        stored += coded
        if not length and size:
            # So there are no more parts than bytes.
            raise CorruptionError(f"damaged container of {len(view)} bytes: a part of nothing")
        if plain > size or stored > len(view):
            break
    if plain != size or at + stored != len(view):
        raise CorruptionError(
            f"damaged container: parts of {plain} bytes in {stored} bytes, not of {size} in {len(view) - at}"
        )
    return count, first, at


def _row(view: memoryview, at: int) -> tuple[int, int, int, int, int]:
    """Read a row of the table: (method, itemsize, plain length, payload length, where the next row begins)."""
    length, at = read_varint(view, at)
    if at >= len(view) or not Methods.knows(view[at]):
        raise CorruptionError(f"damaged container of {len(view)} bytes: unknown method of a part")
    method, itemsize, coded = view[at], 1, length
    at += 1
    if method == PLANES and at < len(view):
        itemsize = view[at]
        at += 1
    if method != RAW:
        coded, at = read_varint(view, at)
    if not 1 <= itemsize <= 255:
        raise CorruptionError(f"damaged container of {len(view)} bytes: elements of {itemsize} bytes")
    return method, itemsize, length, coded, at
