"""Segments: how a plaintext is best compressed, told by what lies where in it.

Owns the way from a plaintext's buffer table and tree to the kind, width and row length of each buffer. Builds no
value, changes nothing, and needs no hint from whoever wrote the plaintext: the tree names each array's type and shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ormsgpack import unpackb

from stratakv.engine.codecs.base import UNTYPED, Elements
from stratakv.engine.serialization import layout
from stratakv.engine.serialization.dtypes import rebuild, width
from stratakv.engine.serialization.layout import ALIGN, ESCAPE, HOOK_FAILED, table
from stratakv.errors import CorruptionError, SerializationError

if TYPE_CHECKING:
    import numpy as np

# Containers in which arrays may stand, and so deep that no stack is in danger; what lies deeper stays untyped.
_CONTAINERS = frozenset({layout.TUPLE, layout.DICT, layout.SPARSE})
_DEPTH = 8
_KINDS = {"b": "b", "i": "i", "u": "u", "f": "f", "c": "f", "M": "i", "m": "i"}
_WIDEST = 8


class Segment(NamedTuple):
    """A stretch of plaintext that compresses as one: bytes `start` to `stop`.

    Padding belongs to the segment before it, so a typed segment's length need not be a multiple of the element width.
    """

    start: int
    stop: int
    elements: Elements


def segments(plaintext: bytes | bytearray | memoryview) -> tuple[Segment, ...]:
    """Return how to compress a plaintext: stretches that cover it without gaps, in order.

    The plain layout is one untyped segment. A value with arrays has one for its table and tree, then one a
    buffer. Costs one look at the first byte in the plain case.

    Raises:
        CorruptionError: The plaintext is empty or its table does not fit its length.
    """
    if not plaintext:
        raise CorruptionError("plaintext is empty")
    if plaintext[0] != ESCAPE:
        return (Segment(0, len(plaintext), UNTYPED),)
    view = memoryview(plaintext)
    start, tree, entries = table(view)
    known = _Arrays().of(view[start : start + tree])
    position = start + tree + -tree % ALIGN
    found = [Segment(0, position, UNTYPED)]
    for number, (length, itemsize, _) in enumerate(entries):
        stop = position + length + -length % ALIGN
        found.append(Segment(position, stop, known.get(number) or Elements("V", itemsize)))
        position = stop
    return tuple(found)


class _Arrays:
    """Looks through one tree for the arrays that name a buffer."""

    def __init__(self) -> None:
        self._found: dict[int, Elements] = {}
        self._depth = 0
        self._failure: BaseException | None = None

    def of(self, tree: memoryview, *, again: bool = False) -> dict[int, Elements]:
        """Return the elements of each buffer that an array of a known type names."""
        try:
            unpackb(tree, ext_hook=self._hook)
        except (ValueError, TypeError, CorruptionError, SerializationError) as damage:
            cause = self._failure or damage
            if not isinstance(cause, Exception):
                raise cause from None
            if str(cause) == HOOK_FAILED and not again:
                # It failed before it could say why. If it does not again, a signal's handler has raised as it began.
                _Arrays().of(tree, again=True)
                raise KeyboardInterrupt from None
            raise CorruptionError(f"plaintext has a damaged tree: {cause}") from cause
        return self._found

    def _hook(self, code: int, body: bytes) -> None:
        try:
            self._look(code, body)
        except BaseException as failure:
            # The unpacker hides it; the innermost comes first and is the one that tells.
            if self._failure is None:
                self._failure = failure
            raise

    def _look(self, code: int, body: bytes) -> None:
        if code == layout.ARRAY:
            spelled, order, shape, items = unpackb(body)
            if type(items) is int:
                self._found[items] = _elements(rebuild(spelled), shape if order == "C" else shape[::-1])
        elif code in _CONTAINERS and self._depth < _DEPTH:
            self._depth += 1
            unpackb(body, ext_hook=self._hook)
            self._depth -= 1


def _elements(dtype: np.dtype, shape: list[int]) -> Elements:
    """Return what the items of an array are; `shape` as they lie in memory."""
    kind = _KINDS.get(dtype.kind, "V")
    itemsize = width(dtype)
    if kind == "V" or not dtype.isnative or itemsize > _WIDEST:
        return Elements("V", itemsize)
    row = shape[-1] * (dtype.itemsize // itemsize) if len(shape) > 1 else 0
    return Elements(kind, itemsize, row)
