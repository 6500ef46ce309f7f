"""Codec 17: vectors that a rotation names, as their multiples.

Owns the payload. The codec loses nothing: vectors that are of the rotation, to the bit, become multiples, everything
else is kept by the general form. Payload:

    form u8, of flags:
        1 symbols by the rotation's own frequencies; else Huffman codes of the block's
        2 every value is the rotation's template around one vector; else there is a table of runs
        4 all gains are number 0; else they follow
        8 there are escapes
    table of runs: number of runs; for each how many times it comes, the bytes before the vectors, the bytes of an
        element, and the number of vectors; then the length of the rest, coded, and the rest in the general form
    gains: length, and i32 byte planes in the general form
    escapes: length, and i32 byte planes in the general form
    the symbols

Numbers are LEB128 varints. Invariant: the runs must fit into the size known from outside before anything is made.
"""

from __future__ import annotations

from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stratakv.engine.codecs.shortest import Shortest
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.engine.rotation.model import Multiples
from stratakv.engine.rotation.statistics import Symbols
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stratakv.engine.codecs.base import Buffer
    from stratakv.engine.rotation.model import Rotation
    from stratakv.engine.serialization.segments import Segment

Array = np.ndarray[Any, Any]

ID = 17
_NUMERALS, _TEMPLATE, _UNIT, _ESCAPES = 1, 2, 4, 8
_TYPES: dict[int, np.dtype[Any]] = {2: np.dtype("<f2"), 4: np.dtype("<f4"), 8: np.dtype("<f8")}
# From so many vectors on Huffman codes come near enough, and are read ten times as fast.
_MANY = 64
_LEVEL = 6
_AT_ONCE = 1 << 17  # numbers
_general = Shortest()


class Rotated(NamedTuple):
    """Encoded plaintexts.

    Attributes:
        payload: The bytes.
        vectors: How many vectors are in them as multiples.
        bits: Bits that a coordinate of these takes.
    """

    payload: bytes
    vectors: int
    bits: float


class _Run(NamedTuple):
    """Vectors side by side: bytes before them, bytes of an element, number of vectors."""

    before: int
    itemsize: int
    vectors: int


def encode_rotated(
    rotation: Rotation, plaintexts: Sequence[bytes], layouts: Sequence[Sequence[Segment]]
) -> Rotated | None:
    """Encode plaintexts side by side.

    Args:
        rotation: The model.
        plaintexts: Of any shapes.
        layouts: The segments of each.

    Returns:
        None where no vector is of the model, or the payload is not shorter than the plaintexts.

    Raises:
        ConfigurationError: constriction is not installed.
    """
    plain = plaintexts[0] if len(plaintexts) == 1 else b"".join(plaintexts)
    runs, rest, names = _found(rotation, plain, _candidates(rotation, plaintexts, layouts))
    if not runs:
        return None
    numbers = np.concatenate([each.numbers for each in names])
    gains = np.concatenate([each.gains for each in names])
    symbols = rotation.statistics.symbols(numbers)
    coded = _symbols_bytes(rotation, symbols, gains)
    form, head = _head(rotation, runs, rest, len(plain))
    payload = b"".join((bytes((form | coded[0],)), head, coded[1]))
    if len(payload) >= len(plain):
        return None
    return Rotated(payload, len(numbers), 8.0 * len(coded[1]) / numbers.size)


def decode_rotated(rotation: Rotation, payload: Buffer, size: int) -> bytes:
    """Return exactly `size` bytes of plaintexts.

    Raises:
        CorruptionError: The payload was not made with this rotation, or does not decode to `size` bytes.
        ConfigurationError: constriction is not installed.
    """
    view = memoryview(payload)
    if not view or view[0] > 15:
        raise CorruptionError(f"a payload of {len(view)} bytes holds no rotated vectors")
    form, at = view[0], 1
    if form & _TEMPLATE:
        runs, rest = _templates(rotation, size), None
    else:
        runs, rest, at = _read_runs(rotation, view, at, size)
    vectors = sum(times * run.vectors for times, run in runs)
    if form & _NUMERALS and vectors >= _MANY:
        raise CorruptionError(f"a payload of {len(view)} bytes claims {vectors} vectors where there are fewer")
    gains = np.broadcast_to(np.int32(0), vectors)
    if not form & _UNIT:
        gains, at = _read_numbers(view, at, vectors)
    symbols = _read_symbols(rotation, view, at, form, vectors)
    if rest is None:
        before, behind, _ = rotation.template
        rest = (before + behind) * vectors
    return _assembled(rotation, runs, rest, symbols, gains)


def _candidates(
    rotation: Rotation, plaintexts: Sequence[bytes], layouts: Sequence[Sequence[Segment]]
) -> Iterable[tuple[int, _Run]]:
    """Yield where arrays of such vectors stand in the plaintexts side by side."""
    offset = 0
    for plaintext, layout in zip(plaintexts, layouts, strict=True):
        for start, stop, (kind, itemsize, row) in layout:
            if kind != "f" or itemsize not in _TYPES:
                continue
            width = rotation.dimension * itemsize
            # A segment ends with up to 7 bytes of padding.
            count = (stop - start) // width
            if count and (row == rotation.dimension or (row == 0 and count == 1)) and stop - start - count * width < 8:
                yield offset + start, _Run(0, itemsize, count)
        offset += len(plaintext)


def _found(
    rotation: Rotation, plain: bytes, candidates: Iterable[tuple[int, _Run]]
) -> tuple[list[_Run], bytes, list[Multiples]]:
    """Return the runs that are of the model, all bytes but theirs, and the names."""
    tried = list(candidates)
    runs: list[_Run] = []
    names: list[Multiples] = []
    rest: list[memoryview] = []
    view = memoryview(plain)
    reached = 0
    for (start, run), name in zip(tried, _names(rotation, view, tried), strict=True):
        if name is None:
            continue
        runs.append(run._replace(before=start - reached))
        names.append(name)
        rest.append(view[reached:start])
        reached = start + run.vectors * run.itemsize * rotation.dimension
    rest.append(view[reached:])
    return runs, b"".join(rest), names


def _names(rotation: Rotation, view: memoryview, tried: list[tuple[int, _Run]]) -> list[Multiples | None]:
    """Take all runs of a type apart together, and one by one where some are not of the model."""
    found: list[Multiples | None] = [None] * len(tried)
    for itemsize, dtype in _TYPES.items():
        places = [number for number, (_, run) in enumerate(tried) if run.itemsize == itemsize]
        rows = [_rows(rotation, view, *tried[number], dtype) for number in places]
        if not rows:
            continue
        together = rotation.taken_apart(np.concatenate(rows)) if len(rows) > 1 else None
        start = 0
        for number, each in zip(places, rows, strict=True):
            if together is None:
                found[number] = rotation.taken_apart(each)
            else:
                part = slice(start, start + len(each))
                found[number] = Multiples(together.numbers[part], together.gains[part])
            start += len(each)
    return found


def _rows(rotation: Rotation, view: memoryview, start: int, run: _Run, dtype: np.dtype[Any]) -> Array:
    count = run.vectors * rotation.dimension
    return np.frombuffer(view, dtype, count, start).reshape(run.vectors, rotation.dimension)


def _symbols_bytes(rotation: Rotation, symbols: Symbols, gains: Array) -> tuple[int, bytes]:
    """Return the flags and the bytes of what is known of vectors."""
    form, parts = 0, []
    if gains.any():
        parts.append(_numbers_bytes(gains))
    else:
        form |= _UNIT
    if len(symbols.escaped):
        form |= _ESCAPES
        parts.append(_numbers_bytes(symbols.escaped))
    if len(symbols.usual) < _MANY:
        form |= _NUMERALS
        parts.append(rotation.numerals.encode(symbols.usual, symbols.low))
    else:
        parts.append(rotation.huffman.encode(symbols.usual, symbols.low))
    return form, b"".join(parts)


def _numbers_bytes(numbers: Array) -> bytes:
    coded = _general.encode(numbers.astype("<i4").tobytes(), _LEVEL, 4)
    return write_varint(len(coded)) + coded


def _read_numbers(view: memoryview, at: int, count: int) -> tuple[Array, int]:
    length, at = read_varint(view, at)
    if at + length > len(view):
        raise CorruptionError(f"a payload of {len(view)} bytes ends inside its numbers")
    numbers = np.frombuffer(_general.decode(view[at : at + length], 4 * count), "<i4")
    return numbers, at + length


def _head(rotation: Rotation, runs: list[_Run], rest: bytes, size: int) -> tuple[int, bytes]:
    """Return the flag and the bytes of what stands around the vectors."""
    before, behind, itemsize = rotation.template
    each = len(before) + len(behind) + rotation.dimension * itemsize
    first = _Run(len(before), itemsize, 1)
    following = _Run(len(before) + len(behind), itemsize, 1)
    if (
        len(runs) * each == size
        and runs[0] == first
        and all(run == following for run in runs[1:])
        and rest == (before + behind) * len(runs)
    ):
        return _TEMPLATE, b""
    grouped = [(len(list(group)), run) for run, group in groupby(runs)]
    numbers = [len(grouped), *(number for times, run in grouped for number in (times, *run))]
    coded = _general.encode(rest, _LEVEL)
    return 0, b"".join((*map(write_varint, numbers), write_varint(len(coded)), coded))


def _templates(rotation: Rotation, size: int) -> list[tuple[int, _Run]]:
    """Return the runs of values that are all of the template."""
    before, behind, itemsize = rotation.template
    each = len(before) + len(behind) + rotation.dimension * itemsize
    if size < 1 or size % each:
        raise CorruptionError(f"{size} bytes are not a number of values of {each} bytes")
    count = size // each
    if not behind:
        return [(count, _Run(len(before), itemsize, 1))]
    return [(1, _Run(len(before), itemsize, 1)), (count - 1, _Run(len(before) + len(behind), itemsize, 1))]


def _read_runs(rotation: Rotation, view: memoryview, at: int, size: int) -> tuple[list[tuple[int, _Run]], bytes, int]:
    """Return the runs, the rest, and where what follows begins."""
    count, at = read_varint(view, at)
    if not 0 < count <= len(view):
        raise CorruptionError(f"a payload of {len(view)} bytes claims {count} runs of vectors")
    runs = []
    rest = size
    for _ in range(count):
        times, at = read_varint(view, at)
        before, at = read_varint(view, at)
        itemsize, at = read_varint(view, at)
        vectors, at = read_varint(view, at)
        if itemsize not in _TYPES or not times or not vectors:
            raise CorruptionError(f"a payload of {len(view)} bytes has a damaged run of vectors")
        rest -= times * vectors * itemsize * rotation.dimension
        runs.append((times, _Run(before, itemsize, vectors)))
    length, at = read_varint(view, at)
    if rest < sum(times * run.before for times, run in runs) or at + length > len(view):
        raise CorruptionError(f"the runs of a payload of {len(view)} bytes do not fit into {size}")
    return runs, _general.decode(view[at : at + length], rest), at + length


def _read_symbols(rotation: Rotation, view: memoryview, at: int, form: int, vectors: int) -> Symbols:
    """Return the symbols, the low bits and the escapes."""
    escapes = memoryview(b"")
    if form & _ESCAPES:
        length, at = read_varint(view, at)
        escapes, at = view[at : at + length], at + length
    coder = rotation.numerals if form & _NUMERALS else rotation.huffman
    usual, low = coder.decode(view[at:], vectors)
    escaped = np.empty(0, np.int32)
    # Symbols of escapes without their numbers are damage too.
    if form & _ESCAPES or vectors >= _MANY:
        count = int(rotation.statistics.escapes(usual).sum())
        if count and not form & _ESCAPES:
            raise CorruptionError(f"a payload of {len(view)} bytes lacks {count} numbers")
        if form & _ESCAPES:
            escaped = np.frombuffer(_general.decode(escapes, 4 * count), "<i4")
    return Symbols(usual, low, escaped)


def _assembled(rotation: Rotation, runs: list[tuple[int, _Run]], rest: bytes, symbols: Symbols, gains: Array) -> bytes:
    """Return the plaintexts, of their rest and their vectors."""
    view = memoryview(rest)
    # Its bytes become the result as they are; pieces and their join would take twice the size.
    plain = BytesIO()
    rows = _Rows(rotation, symbols, gains)
    at = 0
    for times, (before, itemsize, vectors) in runs:
        # So many vectors at once that what they pass through is small beside them all.
        most = max(1, _AT_ONCE // rotation.dimension)
        if times == 1 or vectors > most:
            for _ in range(times):
                plain.write(view[at : at + before])
                at += before
                for first in range(0, vectors, most):
                    plain.write(rows.following(min(most, vectors - first), _TYPES[itemsize]).data)
            continue
        some = most // vectors
        for first in range(0, times, some):
            count = min(some, times - first)
            made = rows.following(count * vectors, _TYPES[itemsize]).view(np.uint8).reshape(count, -1)
            around = np.frombuffer(view[at : at + count * before], np.uint8).reshape(count, before)
            plain.write(np.concatenate((around, made), axis=1).data)
            at += count * before
    plain.write(view[at:])
    return plain.getvalue()


class _Rows:
    """Vectors one after the other, made when they are asked for."""

    def __init__(self, rotation: Rotation, symbols: Symbols, gains: Array) -> None:
        self._rotation, self._symbols, self._gains = rotation, symbols, gains
        self._row = self._escape = 0

    def following(self, count: int, dtype: np.dtype[Any]) -> Array:
        """Return the next vectors, in a type."""
        usual, low, escaped = self._symbols
        part = slice(self._row, self._row + count)
        if len(escaped):
            here = int(self._rotation.statistics.escapes(usual[part]).sum())
            escaped = escaped[self._escape : self._escape + here]
            self._escape += here
        self._row += count
        symbols = Symbols(usual[part], None if low is None else low[part], escaped)
        numbers = self._rotation.statistics.multiples(symbols)
        return self._rotation.put_together(Multiples(numbers, self._gains[part]), dtype)
