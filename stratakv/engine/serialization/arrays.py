"""Numpy arrays and scalars: bodies in the tree, items in the tree or in a typed buffer beside it.

Owns the bodies of codes 18 and 19. Never accepts subclasses of ndarray. Invariant: shape, type, byte order
and memory order (C or Fortran) come back; items come back bit by bit; the array that is read owns its memory
and is writable. Views that are neither C nor Fortran contiguous come back in C order.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np
from ormsgpack import packb, unpackb

from stratakv.engine.serialization.dtypes import blank_holes, describe, has_holes, rebuild, width
from stratakv.engine.serialization.layout import TypedBuffer
from stratakv.engine.serialization.numbers import read_str, write_str
from stratakv.engine.serialization.refusal import RefusedError
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Array = np.ndarray[Any, Any]

_INLINE = 64
SCALAR_TYPES: frozenset[type] = frozenset(np.sctypeDict.values()) - {np.object_}


def write_array(array: Array, buffers: list[TypedBuffer]) -> bytes:
    """Return an array's body; items of 64 bytes and more go to `buffers`, uncopied where contiguous."""
    dtype = array.dtype
    spelled = describe(dtype)
    flags = array.flags
    fortran = flags.f_contiguous and not flags.c_contiguous
    rows = array.T if fortran else array
    size = array.nbytes
    items: bytes | int
    if size < _INLINE:
        items = blank_holes(dtype, rows.tobytes()) if has_holes(dtype) else rows.tobytes()
    else:
        items = len(buffers)
        buffers.append(TypedBuffer(_raw(rows), width(dtype)))
    try:
        return packb([spelled, "F" if fortran else "C", array.shape, items])
    except TypeError as error:
        raise RefusedError(f"numpy type {dtype} has field names that are not clean text") from error


def _raw(rows: Array) -> memoryview:
    """Return the items as bytes in C order: a view, or a copy where there are gaps or holes."""
    dtype = rows.dtype
    if has_holes(dtype):
        return memoryview(blank_holes(dtype, rows.tobytes()))
    whole: Array = rows if rows.flags.c_contiguous else np.ascontiguousarray(rows)
    flat: Array = whole.reshape(-1).view(np.uint8)
    return flat.data


def read_array(body: bytes, take: Callable[[int], memoryview]) -> Array:
    """Return the array of `write_array`; `take` gives the typed buffer of a number, once.

    Raises:
        CorruptionError: The body is damaged, or the shape does not fit the items.
    """
    spelled, order, shape, items = unpackb(body)
    dtype = rebuild(spelled)
    if type(items) is int:
        items = take(items)
    elif type(items) is not bytes:
        raise CorruptionError("array has no items")
    if order not in {"C", "F"} or type(shape) is not list or dtype.subdtype is not None:
        raise CorruptionError("array has no known order, shape or type")
    # Checked before anything is allocated; a count of items is checked even where items have no bytes.
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != len(items):
        raise CorruptionError(f"array of shape {shape} and type {dtype} does not fit {len(items)} bytes")
    if not items:
        return np.ndarray(shape, dtype, order=order)
    return np.frombuffer(items, dtype).reshape(shape, order=order).copy(order)


def write_scalar(value: np.generic) -> bytes:
    """Return the body of a numpy scalar."""
    if isinstance(value, np.str_):
        # Arrays, and str() of a numpy str, would strip trailing zeros.
        return packb(["U", write_str(value)])
    if isinstance(value, np.bytes_):
        return packb(["S", bytes(value)])
    dtype = value.dtype
    spelled, items = describe(dtype), value.tobytes()
    try:
        return packb([spelled, blank_holes(dtype, items) if has_holes(dtype) else items])
    except TypeError as error:
        raise RefusedError(f"numpy type {dtype} has field names that are not clean text") from error


def read_scalar(body: bytes) -> np.generic:
    """Return the scalar of `write_scalar`."""
    spelled, items = unpackb(body)
    if type(items) is not bytes:
        raise CorruptionError("numpy scalar has no bytes")
    if spelled == "U":
        return np.str_(read_str(items))
    if spelled == "S":
        return np.bytes_(items)
    dtype = rebuild(spelled)
    if len(items) != dtype.itemsize or dtype.subdtype is not None or dtype.kind in "US":
        raise CorruptionError(f"numpy scalar of type {dtype} does not fit {len(items)} bytes")
    # The copy makes the memory the scalar's own: a structured scalar is a view of its array.
    whole: Array = np.frombuffer(items, dtype).copy() if items else np.zeros(1, dtype)
    scalar: np.generic = whole[0]
    return scalar
