"""Plaintext to value: one call of the C unpacker, which asks here for every Ext.

Owns the decoding of Ext bodies and the limits on nesting. Never trusts a body: each is checked before memory
is taken for it, and the nesting is bounded so that no bytes can exhaust the stack. A reader serves one
plaintext.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ormsgpack import unpackb

from stratakv.engine.serialization import layout, numbers, times
from stratakv.engine.serialization.arrays import read_array, read_scalar
from stratakv.engine.serialization.layout import ESCAPE, split
from stratakv.engine.serialization.nesting import SEEN_LEVELS, UNSEEN_LEVELS, levels_at_most, levels_of
from stratakv.engine.serialization.objects import thaw
from stratakv.engine.serialization.sparse import put_together
from stratakv.errors import CorruptionError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.serialization.enums import EnumList

LEAVES: dict[int, Callable[[bytes], object]] = {
    layout.INT: numbers.read_big_int,
    layout.STR: numbers.read_str,
    layout.BYTEARRAY: bytearray,
    layout.COMPLEX: numbers.read_complex,
    layout.DECIMAL: numbers.read_decimal,
    layout.FRACTION: numbers.read_fraction,
    layout.UUID_: numbers.read_uuid,
    layout.DATETIME: times.read_datetime,
    layout.DATE: times.read_date,
    layout.TIME: times.read_time,
    layout.TIMEDELTA: times.read_timedelta,
    layout.TIMEZONE: times.read_timezone,
    layout.SCALAR: read_scalar,
}

# So low that what nests inside, already counted, cannot reach the bound.
_SEEN_THROUGH = -(1 << 62)


class Reader:
    """Decodes one plaintext.

    Args:
        enums: The Enum classes that may be read.
        trust_pickle: Whether the caller vouches for the plaintext.
    """

    __slots__ = ("_buffers", "_enums", "_levels", "_trust_pickle", "failure")

    def __init__(self, enums: EnumList, trust_pickle: bool) -> None:
        self._enums = enums
        self._trust_pickle = trust_pickle
        self._buffers: list[memoryview | None] | None = None
        self._levels = 0
        self.failure: BaseException | None = None

    def read(self, plaintext: bytes | bytearray | memoryview) -> object:
        """Return the value of a plaintext. Errors of the hook arrive as ValueError: see `failure`."""
        if plaintext[0] != ESCAPE:
            return unpackb(plaintext, ext_hook=self.hook)
        tree, buffers = split(memoryview(plaintext))
        self._buffers = [*buffers]
        value = unpackb(tree, ext_hook=self.hook)
        if any(buffer is not None for buffer in self._buffers):
            raise CorruptionError("plaintext has a buffer that belongs to no array")
        return value

    def hook(self, code: int, body: bytes) -> object:
        """Return the object of an Ext."""
        try:
            leaf = LEAVES.get(code)
            return self._nested(code, body) if leaf is None else leaf(body)
        except BaseException as error:
            # The unpacker hides it; the innermost comes first and is the one that tells.
            if self.failure is None:
                self.failure = error
            raise

    def _nested(self, code: int, body: bytes) -> object:
        if code == layout.TUPLE:
            return tuple(self._array(body))
        if code == layout.DICT:
            return self._mapping(body)
        if code in {layout.SET, layout.FROZENSET}:
            items = self._array(body)
            elements = set(items) if code == layout.SET else frozenset(items)
            if len(elements) != len(items):
                raise CorruptionError("set holds the same element twice")
            return elements
        if code == layout.ARRAY:
            return read_array(body, self._take)
        if code == layout.BYTES:
            return bytes(self._take(unpackb(body)))
        if code == layout.ENUM:
            return self._enums.read(body)
        if code == layout.SPARSE:
            return put_together(self._array(body))
        if code == layout.OBJECT:
            return self._object(body)
        raise CorruptionError(f"plaintext holds Ext code {code}, which this version does not know")

    def _array(self, body: bytes) -> list[object]:
        """Return the list in a body, having made sure that the stack has room for its nesting."""
        before = self._levels
        self._levels += levels_at_most(body)
        if self._levels > UNSEEN_LEVELS:
            # The length of the bodies says too little: look closely, once for all that lies within.
            if levels_of(body) > SEEN_LEVELS:
                raise CorruptionError("plaintext is nested deeper than any value that is written")
            self._levels = _SEEN_THROUGH
        items = unpackb(body, ext_hook=self.hook)
        self._levels = before
        if type(items) is not list:
            raise CorruptionError("container holds no array")
        return items

    def _mapping(self, body: bytes) -> dict[object, object]:
        pairs = iter(items := self._array(body))
        mapping = dict(zip(pairs, pairs, strict=True))
        if 2 * len(mapping) != len(items):
            raise CorruptionError("dict holds the same key twice")
        return mapping

    def _take(self, number: int) -> memoryview:
        buffers = self._buffers
        if buffers is None or not 0 <= number < len(buffers) or (buffer := buffers[number]) is None:
            raise CorruptionError(f"array names buffer {number}, which is missing or taken")
        # Once only: else a small plaintext could ask for any amount of memory.
        buffers[number] = None
        return buffer

    def _object(self, body: bytes) -> object:
        if not self._trust_pickle:
            raise SerializationError(
                "the value holds a pickled object, and unpickling runs code that the bytes choose; "
                "if you trust where they come from, restore the store with --trust-pickle (in code: "
                "loads(..., trust_pickle=True))"
            )
        return thaw(body)
