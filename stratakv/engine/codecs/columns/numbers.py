"""One column of whole numbers or floats as bytes, by whichever method is shortest.

Owns the methods and their numbers. Integers are int64 here and stored in the narrowest type that holds them
all. A read gives exactly as many numbers as the caller, who has checked that count, asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stratakv.engine.codecs.base import Elements
from stratakv.engine.codecs.lzma_raw import lzma_decode, lzma_encode
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratakv.engine.codecs.columns.pieces import PieceReader, PieceWriter, Tools

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Narrow = NDArray[np.generic]

_TYPES = tuple(np.dtype(name) for name in ("u1", "i1", "<u2", "<i2", "<u4", "<i4", "<i8"))
_CONSTANT, _RAW, _NUMERIC, _PLANES, _DELTA, _LZMA, _LZMA_PLANES = range(7)

# What is less or more than this takes so many bytes more.
_STEPS = (
    (-32, (1 << 7) - 1, 1),
    (-(1 << 7), (1 << 8) - 1, 1),
    (-(1 << 15), (1 << 16) - 1, 2),
    (-(1 << 31), (1 << 32) - 1, 4),
)

# Below this a method's own header outweighs what it models.
_SMALL = 48
# Longer columns choose their method on a run of this length from their middle.
_PILOT = 4 * 1024
_PILOT_LEVEL = 9
_FLOAT = np.dtype("<f8")


def write_ints(out: PieceWriter, values: Ints, *, ordered: bool = True) -> None:
    """Add integers. Without an order of their own they hold no sequences worth looking for."""
    if not len(values) or bool((values == values[0]).all()):
        out.number(_CONSTANT)
        out.signed(int(values[0]) if len(values) else 0)
        return
    kind, narrow = _narrow(values)
    method, made = _shortest(out, narrow, thorough=out.thorough and ordered)
    out.number(method)
    out.number(kind)
    out.piece(made)


def read_ints(source: PieceReader, count: int) -> Ints:
    """Return `count` integers."""
    method = source.number(_LZMA_PLANES)
    if method == _CONSTANT:
        number = source.signed()
        return np.full(count, number, np.int64)
    dtype = _TYPES[source.number(len(_TYPES) - 1)]
    return _restore(source, method, dtype, count).astype(np.int64)


def more_bytes(values: Ints) -> int:
    """Return how many bytes integers take as MessagePack beside the first byte of each."""
    low, high = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    more = 0
    for least, most, wider in _STEPS:
        if low < least or high > most:
            more += wider * int(np.count_nonzero((values < least) | (values > most)))
    return more


def write_floats(out: PieceWriter, values: Floats) -> None:
    """Add floats, bit by bit."""
    method, made = _shortest(out, values.astype(_FLOAT, copy=False), thorough=out.thorough)
    out.number(method)
    out.piece(made)


def read_floats(source: PieceReader, count: int) -> Floats:
    """Return `count` floats."""
    return _restore(source, source.number(_LZMA_PLANES), _FLOAT, count).astype(np.float64, copy=False)


def estimate(tools: Tools, values: Ints) -> int:
    """Return about how many bytes integers would take, quickly."""
    if not len(values) or bool((values == values[0]).all()):
        return 2
    _, narrow = _narrow(values)
    method = _NUMERIC if tools.numeric_works else _PLANES
    return min(len(_apply(tools, method, narrow, 8 if tools.numeric_works else 1)), narrow.nbytes)


def _narrow(values: Ints) -> tuple[int, Narrow]:
    low, high = int(values.min()), int(values.max())
    for kind, dtype in enumerate(_TYPES):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return kind, values.astype(dtype)
    raise AssertionError("int64 holds every int64")


def _shortest(out: PieceWriter, values: Narrow, *, thorough: bool) -> tuple[int, bytes]:
    """Return the method with the shortest result, and the result."""
    methods = _methods(out, values, thorough=thorough)
    if len(values) > 2 * _PILOT and len(methods) > 1:
        start = (len(values) - _PILOT) // 2
        # Above this level pcodec tries twice, which does not change which method wins.
        level = min(out.level, _PILOT_LEVEL)
        sample = values[start : start + _PILOT]
        methods = [min(methods, key=lambda method: len(_apply(out.tools, method, sample, level)))]
    best, shortest = _RAW, values.tobytes()
    for method in methods:
        made = _apply(out.tools, method, values, out.level)
        if len(made) < len(shortest):
            best, shortest = method, made
    return best, shortest


def _methods(out: PieceWriter, values: Narrow, *, thorough: bool) -> list[int]:
    if len(values) < _SMALL:
        return [_PLANES] if values.nbytes > 32 else []
    numeric = [_NUMERIC] if out.tools.numeric_works else [_PLANES, _DELTA]
    if values.dtype == _FLOAT:
        return [*numeric, _LZMA_PLANES] if thorough else numeric[:1]
    if thorough:
        return [*numeric, _LZMA]
    return [*numeric, _PLANES] if out.tools.numeric_works and values.dtype.itemsize == 1 else numeric


def _apply(tools: Tools, method: int, values: Narrow, level: int) -> bytes:
    width = values.dtype.itemsize
    if method == _NUMERIC:
        return tools.numeric.encode(values.tobytes(), level=level, elements=Elements(values.dtype.kind, width))
    if method == _LZMA:
        return lzma_encode(values.tobytes(), level, width)
    if method == _DELTA:
        whole = values.view(f"<u{width}")
        values = np.diff(whole, prepend=whole[:1])
        values[0] = whole[0]
    planes = values.view(np.uint8).reshape(-1, width).T.tobytes()
    return lzma_encode(planes, level) if method == _LZMA_PLANES else tools.zstd.encode(planes, level)


def _restore(source: PieceReader, method: int, dtype: np.dtype[np.generic], count: int) -> Narrow:
    tools, piece, width = source.tools, source.piece(), dtype.itemsize
    size = count * width
    if method == _RAW:
        if len(piece) != size:
            raise CorruptionError(f"damaged columns: {len(piece)} bytes where {size} are expected")
        return np.frombuffer(piece, dtype)
    if method == _NUMERIC:
        return np.frombuffer(tools.numeric.decode(piece, size), dtype)
    if method == _LZMA:
        return np.frombuffer(lzma_decode(piece, size), dtype)
    if method not in (_PLANES, _DELTA, _LZMA_PLANES):
        raise CorruptionError(f"damaged columns: unknown method {method} of numbers")
    planes = lzma_decode(piece, size) if method == _LZMA_PLANES else tools.zstd.decode(piece, size)
    whole = np.frombuffer(np.frombuffer(planes, np.uint8).reshape(width, -1).T.tobytes(), dtype)
    if method != _DELTA:
        return whole
    unsigned = whole.view(f"<u{width}")
    return np.cumsum(unsigned, dtype=unsigned.dtype).view(dtype)
