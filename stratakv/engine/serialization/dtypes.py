"""Numpy types as plain trees, and back, strictly.

Owns the spelling of a dtype. Never builds a type that holds objects, whatever the bytes say. Invariant: what
is read equals what was written, with field offsets, titles, alignment, byte order and the C name where two
names share a size.

A dtype is one of

* text: byte order and kind, such as "<f8", "|b1", "<M8[25s]", "|S5", ">U3"; or byte order and C letter, such
  as "<q", where numpy has two types of that size (long and long long);
* `["s", itemsize, aligned, [[name, title or nil, offset, dtype], ...]]` for a structured type;
* `["a", dtype, shape]` for a sub-array field.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod

import numpy as np

from stratakv.engine.serialization.refusal import RefusedError, name_of
from stratakv.errors import CorruptionError, SerializationError

_LETTERS = "?bhilqBHILQefdgFDGSUVMm"
_TEXT = re.compile(
    r"[<>|](?:b1|[iu][1248]|f(?:2|4|8|12|16)|c(?:8|16|24|32)|[SUV][0-9]{1,9}|[qQlLgG]"
    r"|[Mm]8(?:\[[0-9]{0,9}(?:Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?)"
)
_NESTED = 16
_ALL = 0xFF


def describe(dtype: np.dtype, depth: int = 0) -> object:
    """Return the tree of a dtype.

    Raises:
        RefusedError: It holds objects, carries metadata or a class of its own, or nests deeper than 16.
    """
    letter = dtype.char
    if letter not in _LETTERS or dtype.hasobject:
        raise RefusedError(f"numpy type {dtype} does not hold plain numbers, text or bytes")
    if dtype.metadata is not None:
        raise RefusedError(f"numpy type {dtype} carries metadata, which would be lost; remove it with .astype()")
    if letter != "V":
        text = dtype.str
        # Types such as long and long long are equal in size and differ in class: the letter tells them apart.
        return text if letter == _plain(text).char else text[0] + letter
    if dtype.type is not np.void:
        raise RefusedError(f"numpy type {dtype} makes items of its own class {name_of(dtype.type)}")
    if depth > _NESTED:
        raise RefusedError(f"numpy type nests deeper than {_NESTED}")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return ["a", describe(base, depth + 1), list(shape)]
    if dtype.names is None:
        return dtype.str
    return ["s", dtype.itemsize, dtype.isalignedstruct, [_field(dtype, name, depth) for name in dtype.names]]


def _field(dtype: np.dtype, name: str, depth: int) -> list[object]:
    fields = dtype.fields
    assert fields is not None
    inner, offset, *rest = fields[name]
    title = rest[0] if rest else None
    if title is not None and type(title) is not str:
        raise RefusedError(f"numpy field {name!r} has a title that is not a str")
    return [name, title, offset, describe(inner, depth + 1)]


def rebuild(tree: object, depth: int = 0) -> np.dtype:
    """Return the dtype of `describe`.

    Raises:
        CorruptionError: The tree is not one that `describe` gives.
        SerializationError: This machine has no such type (long double differs between platforms).
    """
    if type(tree) is str:
        return _plain(tree)
    match tree:
        case ["a", base, [*shape]] if depth <= _NESTED and all(type(n) is int and n >= 0 for n in shape):
            return _sane(np.dtype((rebuild(base, depth + 1), tuple(shape))))
        case ["s", int(size), bool(aligned), [*fields]] if depth <= _NESTED:
            return _structured(size, aligned, fields, depth)
    raise CorruptionError("numpy type has no known form")


def _structured(size: int, aligned: bool, fields: list[object], depth: int) -> np.dtype:
    names, titles, offsets, formats = [], [], [], []
    for field in fields:
        match field:
            case [str(name), None | str() as title, int(offset), inner]:
                names.append(name)
                titles.append(title)
                offsets.append(offset)
                formats.append(rebuild(inner, depth + 1))
            case _:
                raise CorruptionError("numpy field has no known form")
    spec: dict[str, object] = {"names": names, "formats": formats, "offsets": offsets, "itemsize": size}
    if any(title is not None for title in titles):
        spec["titles"] = titles
    return _sane(np.dtype(spec, align=aligned))  # type: ignore[call-overload] # the stub wants a literal dict


def _sane(dtype: np.dtype) -> np.dtype:
    if dtype.hasobject:
        raise CorruptionError("numpy type holds objects")
    return dtype


@lru_cache(maxsize=1024)
def _plain(text: str) -> np.dtype:
    if not _TEXT.fullmatch(text):
        raise CorruptionError("numpy type has no known name")
    try:
        return _sane(np.dtype(text))
    except TypeError as error:
        if text[1] not in "fc":
            raise
        raise SerializationError(f"this machine has no numpy type {text!r} (long double differs)") from error


def width(dtype: np.dtype) -> int:
    """Return the element width for byte shuffling, 1 to 255: one number, half a complex, one character."""
    kind = dtype.kind
    size = dtype.itemsize // 2 if kind == "c" else 4 if kind == "U" else 1 if kind == "S" else dtype.itemsize
    return size if 1 <= size <= 255 else 1


def blank_holes(dtype: np.dtype, items: bytes) -> bytes:
    """Return the items with zeros where bytes carry no value, so that equal arrays have equal bytes."""
    mask = _mask(dtype)
    if mask.all():
        return items
    clean: bytes = (np.frombuffer(items, np.uint8).reshape(-1, dtype.itemsize) & mask).tobytes()
    return clean


def has_holes(dtype: np.dtype) -> bool:
    """Return whether some bytes of an item may carry no value."""
    return dtype.char in "gGV" and dtype.itemsize > 0 and not _mask(dtype).all()


def _mask(dtype: np.dtype) -> np.ndarray:
    """Return 0xFF for each byte of an item that carries its value, else 0."""
    if dtype.char in "gG":
        half = dtype.itemsize // (2 if dtype.char == "G" else 1)
        part = np.zeros(half, np.uint8)
        # The x87 format has 64 bits of mantissa and fills 10 bytes of 12 or 16.
        part[: 10 if np.finfo(np.longdouble).nmant == 63 else half] = _ALL
        if not dtype.isnative:
            part = part[::-1]
        return np.tile(part, dtype.itemsize // half)
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return np.tile(_mask(base), prod(shape))
    if dtype.fields is None:
        return np.full(dtype.itemsize, _ALL, np.uint8)
    mask = np.zeros(dtype.itemsize, np.uint8)
    for inner, offset, *_ in dtype.fields.values():
        mask[offset : offset + inner.itemsize] |= _mask(inner)
    return mask
