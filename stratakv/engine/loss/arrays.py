"""Arrays with fewer bits: rows of whole steps (8 or 4 bits), or of signs (1 bit).

Owns what a row becomes. Every number becomes a whole multiple of its row's step, and the step has so few bits that the
product is exact in the array's type: so a codec finds steps and multiples again from the numbers alone, and quantising
a second time changes nothing. Shape, type and memory order stay.

Symmetric quantisation by the greatest magnitude of a row ("absmax"), as in LLM.int8() (Dettmers et al., 2022); signs
with the mean magnitude as in XNOR-Net (Rastegari et al., 2016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.engine.codecs.base import Elements
from stratakv.engine.codecs.binarize import BinarizeCodec
from stratakv.engine.codecs.quantize_int4 import QuantizeInt4Codec
from stratakv.engine.codecs.quantize_int8 import QuantizeInt8Codec

if TYPE_CHECKING:
    from stratakv.engine.codecs.stepped import SteppedCodec
    from stratakv.types import CompressionStrategy

Array = np.ndarray[Any, Any]

_CODECS: dict[CompressionStrategy, SteppedCodec] = {
    codec.strategy: codec for codec in (QuantizeInt8Codec(), QuantizeInt4Codec(), BinarizeCodec())
}
_COARSE_BELOW = 1e9

SHORTEST_ROW = 16
"""Shorter rows save less than their step costs."""


def may_lose(array: Array) -> bool:
    """Tell whether an array is of a kind that is quantised: plain floats in rows of at least 16."""
    return array.dtype.kind == "f" and array.dtype.itemsize <= 8 and array.ndim > 0 and array.shape[-1] >= SHORTEST_ROW


def quantised(array: Array, bits: int) -> Array:
    """Return the array with each number a multiple of its row's step, -(2^(bits-1) - 1) to 2^(bits-1) - 1 of them.

    The numbers must be finite. A row is the last axis as it lies in memory, so that codecs meet the same rows.
    """
    if _is_fortran(array):
        return quantised(array.T, bits).T
    top = (1 << (bits - 1)) - 1
    wide = array.astype(np.float64)
    step = _exact_step(np.abs(wide).max(axis=-1, keepdims=True) / top, array.dtype, bits - 1)
    multiples = np.rint(np.divide(wide, step, out=np.zeros_like(wide), where=step > 0))
    return _like(array, multiples.clip(-top, top) * step)


def binarised(array: Array) -> Array:
    """Return the array with each number replaced by its sign times its row's mean magnitude; 0 counts as positive."""
    if _is_fortran(array):
        return binarised(array.T).T
    wide = array.astype(np.float64)
    with np.errstate(over="ignore"):
        step = _exact_step(np.abs(wide).mean(axis=-1, keepdims=True), array.dtype, 1)
    return _like(array, np.where(wide < 0, -step, step))


def is_coarse(array: Array) -> bool:
    """Tell whether an array has few steps to choose from: float16, and numbers near the least of their type.

    There quantising again may find another step, and near zero no step is exact.
    """
    least = _COARSE_BELOW * float(np.finfo(array.dtype).tiny)
    return array.dtype.itemsize <= 2 or float(np.abs(array).max(initial=0.0)) <= least


def is_stepped(array: Array, strategy: CompressionStrategy) -> bool:
    """Tell whether an array is what a strategy makes of arrays, to the bit."""
    rows = np.ascontiguousarray(array.T if _is_fortran(array) else array, array.dtype.newbyteorder("<"))
    elements = Elements("f", array.dtype.itemsize, rows.shape[-1])
    return _CODECS[strategy].is_stepped(rows.tobytes(), elements)


def measured(before: Array, after: Array) -> tuple[float, float]:
    """Return (greatest relative error, least cosine) over all rows; infinity and -1 where a number is not finite."""
    old, new = before.astype(np.float64), after.astype(np.float64)
    if not np.isfinite(new).all():
        return float("inf"), -1.0
    greatest = np.abs(old).max(axis=-1)
    off = np.abs(old - new).max(axis=-1)
    error = np.divide(off, greatest, out=np.where(off > 0, np.inf, 0.0), where=greatest > 0)
    # Rows are scaled first: squares of very large or small numbers leave the range.
    scale = np.where(greatest > 0, greatest, 1.0)[..., None]
    old, new = old / scale, new / scale
    lengths = np.sqrt((old * old).sum(axis=-1) * (new * new).sum(axis=-1))
    both_zero = (greatest == 0) & (np.abs(new).max(axis=-1) == 0)
    cosine = np.divide((old * new).sum(axis=-1), lengths, out=np.where(both_zero, 1.0, 0.0), where=lengths > 0)
    return float(error.max(initial=0.0)), float(cosine.min(initial=1.0))


def _exact_step(step: Array, dtype: np.dtype[Any], multiple_bits: int) -> Array:
    """Round steps up to so few bits that a multiple of `multiple_bits` bits is exact in the type."""
    # A float32 holds the step beside the multiples, whatever the array's own type is.
    mantissa = min(np.finfo(dtype).nmant, np.finfo(np.float32).nmant) + 1 - multiple_bits
    fraction, exponent = np.frexp(step)
    rounded: Array = np.ldexp(np.ceil(np.ldexp(fraction, mantissa)), exponent - mantissa)
    return rounded


def _like(array: Array, changed: Array) -> Array:
    """Return changed numbers in the type of the array; what leaves the type's range is infinite."""
    with np.errstate(over="ignore", under="ignore"):
        result: Array = changed.astype(array.dtype, order="C")
    # Rounding to nothing leaves a sign behind, which no codec of whole steps could tell.
    result[result == 0] = 0
    return result


def _is_fortran(array: Array) -> bool:
    return array.flags.f_contiguous and not array.flags.c_contiguous
