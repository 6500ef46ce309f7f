"""The exact way: a walk in Python over values that the C packer alone would refuse or get wrong.

Owns the treatment of odd dict keys, lone surrogates, bytearray, depth and cycles, and the messages that name
the place inside a value. Invariant: for a value that the fast way takes too, the bytes are the same.
"""

from __future__ import annotations

import json
import reprlib
from itertools import chain
from typing import TYPE_CHECKING, Any

from ormsgpack import Ext, packb

from stratakv.engine.serialization import layout
from stratakv.engine.serialization.layout import MAX_DEPTH, PACK_OPTIONS
from stratakv.engine.serialization.numbers import LARGEST, SMALLEST
from stratakv.engine.serialization.oversights import taken_wrongly
from stratakv.engine.serialization.refusal import RefusedError, name_of
from stratakv.engine.serialization.writing import Writer
from stratakv.errors import SerializationError

if TYPE_CHECKING:
    from stratakv.engine.serialization.writing import Options

_AS_IS: frozenset[type] = frozenset({type(None), bool, float, bytes})
_EXACT_STR = frozenset({str})
_SHOWN_STEPS = 12
_SHOWN_LETTERS = 40


class ExactWriter(Writer):
    """Encodes one value step by step, knowing where it is."""

    __slots__ = ("_open", "_path", "_subject")

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        # Each step is a form and what stands in it; the last entry changes in place while a list is walked.
        self._path: list[list[Any]] = []
        self._open: set[int] = set()
        self._subject: object = None

    def write(self, value: object) -> bytes:
        """Return the tree of a value.

        Raises:
            SerializationError: Something in it is not accepted; the message names type, path and option.
        """
        try:
            return self.pack(value)
        except RefusedError as error:
            kind = name_of(type(self._subject))
            raise SerializationError(f"cannot store a value of type {kind} at {self._where()}: {error}") from error
        except RecursionError as error:
            raise SerializationError(
                f"cannot store a value nested deeper than the stack allows, at {self._where()}; flatten it"
            ) from error

    def pack(self, value: object) -> bytes:
        # No default: what is left after the walk is exact, and anything else must fail.
        return packb(self._safe(value), None, PACK_OPTIONS)

    def enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RefusedError(f"it is nested deeper than {MAX_DEPTH} levels; flatten it")

    def _safe(self, value: object) -> object:
        """Return what the C packer encodes exactly: plain values, clean lists and dicts of them, and Ext."""
        kind = type(value)
        if kind in _AS_IS:
            return value
        if kind is str:
            return value if _clean(value) else self.encode(value)  # type: ignore[arg-type] # is a str
        if kind is int:
            return value if SMALLEST <= value <= LARGEST else self.encode(value)  # type: ignore[operator] # is an int
        if kind is list or kind is dict:
            return self._container(value, kind)
        self._subject = value
        return self.encode(value)

    def _container(self, value: Any, kind: type) -> object:
        mark = id(value)
        self._subject = value
        if mark in self._open:
            raise RefusedError("it contains itself; break the cycle")
        self.enter()
        self._open.add(mark)
        safe = self._items(value) if kind is list else self._mapping(value)
        self._open.discard(mark)
        self.leave()
        return safe

    def _items(self, items: list[object]) -> list[object]:
        step = ["[{}]", 0]
        self._path.append(step)
        safe = []
        for step[1], item in enumerate(items):
            safe.append(self._safe(item))
        self._path.pop()
        return safe

    def _mapping(self, mapping: dict[object, object]) -> object:
        plain = _EXACT_STR.issuperset(map(type, mapping)) and all(map(_clean, mapping))  # type: ignore[arg-type] # str
        if not plain and (body := _packed_at_once(mapping)) is not None:
            return Ext(layout.DICT, body)
        step: list[Any] = ["[{}]", None]
        self._path.append(step)
        pairs: list[object] = []
        for key, value in mapping.items():
            step[1] = key
            if not plain:
                step[0] = " key {}"
                pairs.append(self._safe(key))
                step[0] = "[{}]"
            pairs.append(self._safe(value))
        self._path.pop()
        if plain:
            return dict(zip(mapping, pairs, strict=True))
        return Ext(layout.DICT, packb(pairs, None, PACK_OPTIONS))

    def _nested(self, code: int, items: list[object]) -> Ext:
        self.enter()
        body = packb(self._items(items), None, PACK_OPTIONS)
        self.leave()
        return Ext(code, body)

    def _sorted(self, code: int, elements: Any) -> Ext:
        step = ["{{{}}}", None]
        self._path.append(step)
        ext = super()._sorted(code, _told(elements, step))
        self._path.pop()
        return ext

    def _where(self) -> str:
        if not self._path:
            return "the top"
        shown = [form.format(_shown(what)) for form, what in self._path[:_SHOWN_STEPS]]
        return "".join(shown) + ("..." if len(self._path) > _SHOWN_STEPS else "")


def _shown(what: object) -> str:
    return json.dumps(what) if type(what) is str and len(what) <= _SHOWN_LETTERS else reprlib.repr(what)


def _packed_at_once(mapping: dict[object, object]) -> bytes | None:
    """Return the body of a dict whose keys and values are all plain, such as one with int keys, else None."""
    pairs = [*chain.from_iterable(mapping.items())]
    try:
        body = packb(pairs, None, PACK_OPTIONS)
    except TypeError:
        return None
    return None if taken_wrongly(pairs) else body


def _told(elements: Any, step: list[Any]) -> Any:
    for step[1] in elements:
        yield step[1]


def _clean(text: str) -> bool:
    """Return whether a str has no lone surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
