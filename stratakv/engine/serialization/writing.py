"""The fast way: one call of the C packer, which asks here for every object that it does not know exactly.

Owns the encoding of such objects. Keeps no path and makes no messages: whatever it cannot do quickly and
exactly it gives up, and the exact walk starts anew. A writer serves one value and is thrown away.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from ormsgpack import Ext, packb

from stratakv.engine.serialization import layout, numbers, times
from stratakv.engine.serialization.arrays import SCALAR_TYPES, write_array, write_scalar
from stratakv.engine.serialization.layout import PACK_OPTIONS, TypedBuffer
from stratakv.engine.serialization.objects import freeze
from stratakv.engine.serialization.refusal import RefusedError, name_of
from stratakv.engine.serialization.sparse import is_sparse, take_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from stratakv.engine.serialization.enums import EnumList

# Each level of these is a call from C to Python to C; this few cannot exhaust any thread's stack.
_FAST_DEPTH = 8

# The encoders take exactly the type that they stand under, which a table cannot say.
LEAVES: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    int: (layout.INT, numbers.write_int),
    str: (layout.STR, numbers.write_str),
    bytearray: (layout.BYTEARRAY, bytes),
    complex: (layout.COMPLEX, numbers.write_complex),
    Decimal: (layout.DECIMAL, numbers.write_decimal),
    Fraction: (layout.FRACTION, numbers.write_fraction),
    UUID: (layout.UUID_, numbers.write_uuid),
    datetime: (layout.DATETIME, times.write_datetime),
    date: (layout.DATE, times.write_date),
    time: (layout.TIME, times.write_time),
    timedelta: (layout.TIMEDELTA, times.write_timedelta),
    timezone: (layout.TIMEZONE, times.write_timezone),
    ZoneInfo: (layout.TIMEZONE, times.write_timezone),
    **dict.fromkeys(SCALAR_TYPES, (layout.SCALAR, write_scalar)),
}


class Options(NamedTuple):
    """What a serializer was told to accept."""

    allow_pickle: bool
    enums: EnumList


class Writer:
    """Encodes the odd objects of one value.

    Attributes:
        buffers: The typed buffers met so far, in order.
        failure: The exception behind the packer's own, which hides it.
    """

    __slots__ = ("_depth", "_options", "buffers", "failure")

    def __init__(self, options: Options) -> None:
        self._options = options
        self._depth = 0
        self.buffers: list[TypedBuffer] | None = None
        self.failure: BaseException | None = None

    def default(self, value: object) -> Ext:
        """Return the Ext of an object that the packer does not know."""
        try:
            return self.encode(value)
        except BaseException as error:
            self.failure = error
            raise

    def encode(self, value: object) -> Ext:
        """Return the Ext of an object.

        Raises:
            RefusedError: It is not of an accepted type.
        """
        kind = type(value)
        leaf = LEAVES.get(kind)
        try:
            if leaf is not None:
                code, write = leaf
                return Ext(code, write(value))
            if kind is tuple:
                return self._nested(layout.TUPLE, list(value))  # type: ignore[call-overload] # is a tuple
            if kind is set:
                return self._sorted(layout.SET, value)  # type: ignore[arg-type] # is a set
            if kind is frozenset:
                return self._sorted(layout.FROZENSET, value)  # type: ignore[arg-type] # is a frozenset
            return self._rare(kind, value)
        except RefusedError:
            if not self._options.allow_pickle:
                raise
            return Ext(layout.OBJECT, freeze(value))

    def pack(self, value: object) -> bytes:
        """Return the MessagePack of a part of the value."""
        return packb(value, self.default, PACK_OPTIONS)

    def enter(self) -> None:
        """Go one level deeper, if that is safe."""
        self._depth += 1
        if self._depth > _FAST_DEPTH:
            raise RefusedError("too deep for the fast way")

    def leave(self) -> None:
        """Come back from a level."""
        self._depth -= 1

    def _nested(self, code: int, items: list[object]) -> Ext:
        self.enter()
        body = self.pack(items)
        self.leave()
        return Ext(code, body)

    def _sorted(self, code: int, elements: Iterable[object]) -> Ext:
        # A set's own order changes from process to process.
        self.enter()
        packed = sorted([self.pack(element) for element in elements])
        self.leave()
        count = len(packed)
        # The header of a MessagePack array, by its size.
        if count < 16:
            head = bytes((0x90 | count,))
        elif count < 1 << 16:
            head = b"\xdc" + count.to_bytes(2, "big")
        else:
            head = b"\xdd" + count.to_bytes(4, "big")
        return Ext(code, head + b"".join(packed))

    def _rare(self, kind: type, value: object) -> Ext:
        if kind is np.ndarray:
            if self.buffers is None:
                self.buffers = []
            return Ext(layout.ARRAY, write_array(value, self.buffers))  # type: ignore[arg-type] # is an array
        if isinstance(value, Enum):
            return Ext(layout.ENUM, self._options.enums.write(value))
        if is_sparse(kind):
            return self._nested(layout.SPARSE, take_apart(value))
        raise RefusedError(_advice(kind, value))


def _advice(kind: type, value: object) -> str:
    """Return what to do about an object of a type that is not accepted."""
    if kind is memoryview:
        return "it is a window onto memory that others may change; copy it with bytes()"
    asked = "or set serialization.allow_pickle: true"
    if isinstance(value, np.ndarray):
        return f"subclasses of numpy.ndarray are not accepted; convert it with numpy.array(), {asked}"
    for base in (
        bool,
        int,
        float,
        str,
        bytes,
        bytearray,
        tuple,
        list,
        dict,
        set,
        frozenset,
        datetime,
        date,
        Decimal,
    ):
        if isinstance(value, base):
            return f"subclasses lose their type; convert it to {name_of(base)}, {asked}"
    return f"its type is not accepted; store its contents as plain values, {asked}"
