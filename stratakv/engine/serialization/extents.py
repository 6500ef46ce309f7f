"""Extents: where the bytes of a value, or the rows of an array, lie in its plaintext, told from its first bytes.

Owns the forms of bytes values in a plaintext, those too long for MessagePack included. Reads no items.
"""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from ormsgpack import unpackb

from stratakv.engine.serialization import layout
from stratakv.engine.serialization.dtypes import rebuild
from stratakv.engine.serialization.layout import ALIGN, ESCAPE, head_of_buffers, table
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES = 64 * 1024
"""So many bytes of a plaintext tell where its items lie; no type has a longer description."""

LONGEST_BIN = (1 << 32) - 1
_FIXEXT1 = 0xD4
_BIN = {0xC4: struct.Struct(">B"), 0xC5: struct.Struct(">H"), 0xC6: struct.Struct(">I")}
_EXT = {0xC7: struct.Struct(">B"), 0xC8: struct.Struct(">H"), 0xC9: struct.Struct(">I")}


class Extent(NamedTuple):
    """Where the items of a value lie.

    Attributes:
        start: The first byte of the first one.
        items: How many there are.
        width: Bytes of each.
        make: Returns a value of the same type from the bytes of some.
    """

    start: int
    items: int
    width: int
    make: Callable[[bytes], object]


def bytes_around(size: int) -> tuple[bytes, bytes]:
    """Return what stands before and behind `size` bytes where they are a value of their own."""
    if size > LONGEST_BIN:
        # Written by hand: the serializer tells by the references to `Ext` whether a value holds one.
        tree = bytes((_FIXEXT1, layout.BYTES, 0))
        return head_of_buffers(tree, [(size, 1)]), bytes(-size % ALIGN)
    for mark, length in _BIN.items():
        if size < 1 << 8 * length.size:
            return bytes((mark,)) + length.pack(size), b""
    raise AssertionError(size)


def extent_of(head: bytes, size: int) -> Extent | None:
    """Return where the items of a value lie; None where the rows of an array do not lie one behind the other.

    Args:
        head: The first `HEAD_BYTES` of its plaintext, or all of it.
        size: Bytes of the whole plaintext.

    Raises:
        ConfigurationError: It is neither bytes nor an array.
        CorruptionError: The bytes are no plaintext.
    """
    if head[0] in _BIN:
        length = _BIN[head[0]]
        return _checked(Extent(1 + length.size, length.unpack_from(head, 1)[0], 1, bytes), size)
    if head[0] in _EXT:
        length = _EXT[head[0]]
        if head[1 + length.size] == layout.BYTEARRAY:
            return _checked(Extent(2 + length.size, length.unpack_from(head, 1)[0], 1, bytearray), size)
    if head[0] == ESCAPE:
        start, tree, entries = table(memoryview(head), size)
        first = start + tree + -tree % ALIGN
        found = unpackb(head[start : start + tree], ext_hook=lambda code, body: (code, body))
        if len(entries) == 1 and type(found) is tuple and found[0] == layout.BYTES:
            return Extent(first, entries[0][0], 1, bytes)
        if len(entries) == 1 and type(found) is tuple and found[0] == layout.ARRAY:
            return _array(found[1], first, entries[0][0])
    raise ConfigurationError(
        "parts are read of bytes, and of rows of arrays: retrieve() returns other values whole; store text as bytes"
    )


def _array(body: bytes, first: int, length: int) -> Extent | None:
    spelled, order, shape, _ = unpackb(body)
    dtype = rebuild(spelled)
    width = dtype.itemsize * prod(shape[1:])
    if (order != "C" and len(shape) > 1) or not shape or not width or width * shape[0] != length:
        return None

    def rows(items: bytes) -> object:
        return np.frombuffer(items, dtype).reshape(-1, *shape[1:]).copy()

    return Extent(first, shape[0], width, rows)


def _checked(extent: Extent, size: int) -> Extent:
    if extent.start + extent.items != size:
        raise CorruptionError(f"a plaintext of {size} bytes claims {extent.items} bytes of value")
    return extent
