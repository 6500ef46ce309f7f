"""A tree of MessagePack values as Python objects, and back to the same bytes where they were canonical.

Owns the Ext codes as this codec sees them: a tuple is opened, a table's placeholder is replaced, every other
Ext stays an `Opaque`, bytes that nobody looks into. Invariant: what `pack_many` makes of what `unpack_many`
gave is either the same bytes or differs visibly; the codec compares.

Tuples make the C packer call Python and Python call the C packer again; that is bounded here, since no
thread's stack is endless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ormsgpack import Ext, packb, unpackb

from stratakv.engine.serialization.layout import PACK_OPTIONS, TUPLE
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.engine.codecs.base import Buffer

PLACEHOLDER = 63
"""Ext code of a table's place; of the codes that the plaintext format keeps for later versions."""

_TUPLE_DEPTH = 8
_WAS_TUPLE = b"t"


class Opaque(NamedTuple):
    """An Ext that is kept as it is. Its own type, so it is never taken for a tuple of the plaintext."""

    code: int
    body: bytes


class Placeholder(NamedTuple):
    """Where a table stood; tables follow in the order of their places."""

    was_tuple: bool


def array_header(count: int) -> bytes:
    """Return the header of a MessagePack array."""
    if count < 16:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")


class _Opener:
    """The ext_hook of one tree."""

    def __init__(self, tables: Iterator[list[object]] | None) -> None:
        self._tables = tables
        self._depth = 0

    def open(self, code: int, body: bytes) -> object:
        if code == TUPLE:
            if self._depth >= _TUPLE_DEPTH:
                raise CorruptionError(f"tuples nested more than {_TUPLE_DEPTH} deep")
            self._depth += 1
            items = unpackb(body, ext_hook=self.open)
            self._depth -= 1
            if type(items) is not list:
                raise CorruptionError("a tuple's body is no array")
            return tuple(items)
        if code != PLACEHOLDER:
            return Opaque(code, body)
        if self._tables is None:
            raise CorruptionError(f"the tree holds Ext {PLACEHOLDER}")
        table = next(self._tables, None)
        if table is None:
            raise CorruptionError("more places than tables")
        return tuple(table) if body == _WAS_TUPLE else table


class _Closer:
    """The packer's `default` of one tree."""

    def __init__(self) -> None:
        self._depth = 0

    def close(self, value: object) -> Ext:
        if type(value) is Opaque:
            return Ext(value.code, value.body)
        if type(value) is Placeholder:
            return Ext(PLACEHOLDER, _WAS_TUPLE if value.was_tuple else b"")
        if type(value) is not tuple or self._depth >= _TUPLE_DEPTH:
            raise CorruptionError(f"tuples nested more than {_TUPLE_DEPTH} deep, or an unknown type")
        self._depth += 1
        body = packb(list(value), self.close, PACK_OPTIONS)
        self._depth -= 1
        return Ext(TUPLE, body)


def unpack_many(packed: Buffer, count: int, tables: Iterator[list[object]] | None = None) -> list[object]:
    """Return `count` values that stand side by side.

    Raises:
        ValueError: These are not so many values, or something else.
        CorruptionError: An Ext is not what it should be; the unpacker may hide it behind a ValueError.
    """
    items = unpackb(array_header(count) + packed, ext_hook=_Opener(tables).open)
    if type(items) is not list:
        raise CorruptionError("an array header gave no list")
    return items


def pack_many(values: list[object]) -> bytes:
    """Return the values side by side.

    Raises:
        TypeError: A value, or a key of a dict, is of a type that no tree holds.
    """
    packed = packb(values, _Closer().close, PACK_OPTIONS)
    return packed[len(array_header(len(values))) :]
