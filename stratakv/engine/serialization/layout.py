"""The plaintext format, version 1, byte by byte, and where its parts begin and end.

Owns the codes and the outer layout. Never looks into a value. Invariant: equal values (types, order and bits
included) have equal plaintexts, in every process and under every PYTHONHASHSEED.

**Layouts.** The first byte tells the layout.

* `0xC1` is the one byte that MessagePack never uses. It opens every layout but the plain one; the next byte
  is the layout's number. 3 and 4 mark the manifest and the chunks of a large value, which are no plaintexts.
* Any other first byte: the *plain* layout. The whole plaintext is one MessagePack value, the tree.
* `0xC1 0x02`: a tree beside *typed buffers*. Integers are little-endian, reserved and
  padding bytes zero::

      0   u8   0xC1
      1   u8   2
      2   u16  reserved
      4   u32  number of buffers, n, at least 1
      8   u64  length of the tree in bytes
      16  n entries of 16 bytes: u64 length in bytes, u32 element width (1 to 255), u32 reserved
      ..  the tree, then padding to a multiple of 8
      ..  each buffer, followed by padding to a multiple of 8

**Tree.** nil, bool, int from -2**63 to 2**64-1, float (always 64 bit), str without lone surrogates, bytes
(bin), list (array) and dict with exact, clean str keys (map, in the dict's own order) are plain MessagePack.
All else is an Ext. Bodies ("value" is again one MessagePack value; integers in bodies are big-endian):

====  ==============  ========================================================================================
code  type            body
====  ==============  ========================================================================================
1     tuple           value: array of the items
2     dict, odd keys  value: array k, v, k, v, ... in the dict's order (some key is no clean, exact str)
3     set             value: array of the elements, sorted by their encoded bytes
4     frozenset       the same
5     int             two's complement, shortest, outside the range of plain integers
6     str             UTF-8 with surrogates passed through (has a lone surrogate)
7     bytearray       its bytes
8     complex         two f64: real, imaginary
9     Decimal         its text, upper case, ASCII
10    Fraction        u32 length of the numerator, numerator, denominator, each as in code 5
11    UUID            16 bytes
12    datetime        u16 year, u8 month, day, hour, minute, second, u32 microsecond, u8 fold, zone
13    date            u16 year, u8 month, u8 day
14    time            u8 hour, minute, second, u32 microsecond, u8 fold, zone
15    timedelta       i32 days, u32 seconds, u32 microseconds
16    timezone        zone, not empty (datetime.timezone and zoneinfo.ZoneInfo as values)
17    Enum            array ["module:Qualname", name of the member or, for a Flag, its number as in 5]
18    numpy array     array [dtype, order "C" or "F", shape, bytes of the items or number of the buffer]
19    numpy scalar    array [dtype, bytes]
20    scipy sparse    value: array [class name, shape, numpy arrays ...] as `sparse` says
21    other objects   pickle, protocol 5 (only with `serialization.allow_pickle: true`)
22    long bytes      the number of the buffer that holds them (bytes of 4 GiB and more, which come as streams)
====  ==============  ========================================================================================

Codes 23 to 63 are kept for later versions, 64 to 127 for users' own types, negative codes belong to
MessagePack. *zone*: empty (naive), `U` (timezone.utc), `O` i64 offset in microseconds and perhaps `n` and a
UTF-8 name, `Z` and the key of an IANA zone. *dtype* is told in `dtypes`. Array items lie in the order given;
bytes that carry no value (holes in structured types, the padding of long double) are zero.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ormsgpack import (
    OPT_PASSTHROUGH_BIG_INT,
    OPT_PASSTHROUGH_DATACLASS,
    OPT_PASSTHROUGH_DATETIME,
    OPT_PASSTHROUGH_ENUM,
    OPT_PASSTHROUGH_SUBCLASS,
    OPT_PASSTHROUGH_TUPLE,
    OPT_PASSTHROUGH_UUID,
)

from stratakv.errors import CorruptionError

HOOK_FAILED = "ext_hook failed"
"""All that the unpacker says when its hook has raised; what was raised it forgets."""

# OPT_NON_STR_KEYS must never join these: with it Enum, UUID, date and str-subclass keys turn into plain keys
# silently.
PACK_OPTIONS = (
    OPT_PASSTHROUGH_BIG_INT
    | OPT_PASSTHROUGH_DATACLASS
    | OPT_PASSTHROUGH_DATETIME
    | OPT_PASSTHROUGH_ENUM
    | OPT_PASSTHROUGH_SUBCLASS
    | OPT_PASSTHROUGH_TUPLE
    | OPT_PASSTHROUGH_UUID
)

MAX_DEPTH = 100
"""Containers this deep are always accepted; deeper ones only where the C packer takes them unaided."""

TUPLE, DICT, SET, FROZENSET, INT, STR, BYTEARRAY, COMPLEX, DECIMAL, FRACTION, UUID_ = range(1, 12)
DATETIME, DATE, TIME, TIMEDELTA, TIMEZONE, ENUM, ARRAY, SCALAR, SPARSE, OBJECT, BYTES = range(12, 23)

ESCAPE = 0xC1
MANIFEST_MARK = bytes((ESCAPE, 3))
STRETCH_MARK = bytes((ESCAPE, 4))
"""What the manifest of a large value, and a stretch of its bytes kept as a chunk, begin with: no plaintext does."""

_BUFFERS = 2
ALIGN = 8
_HEAD = struct.Struct("<BBHIQ")
_ENTRY = struct.Struct("<QII")


def has_buffers(plaintext: bytes | memoryview) -> bool:
    """Tell whether a plaintext is of layout 2."""
    return plaintext[0] == ESCAPE and plaintext[1] == _BUFFERS


class TypedBuffer(NamedTuple):
    """The raw items of one array, C-contiguous bytes, and the element width told to compressors."""

    items: memoryview
    width: int


def join(tree: bytes, buffers: list[TypedBuffer]) -> bytes:
    """Return the plaintext of a tree beside typed buffers; each buffer is copied once."""
    parts: list[bytes | memoryview] = [_HEAD.pack(ESCAPE, _BUFFERS, 0, len(buffers), len(tree))]
    parts += [_ENTRY.pack(len(items), width, 0) for items, width in buffers]
    parts += (tree, bytes(-len(tree) % ALIGN))
    for items, _ in buffers:
        parts += (items, bytes(-len(items) % ALIGN))
    return b"".join(parts)


def split(plaintext: memoryview) -> tuple[memoryview, list[memoryview]]:
    """Return the tree and the typed buffers of a plaintext in layout 2, as views.

    Raises:
        CorruptionError: The bytes do not follow the layout.
    """
    start, tree, entries = table(plaintext)
    position = start + tree
    _blank(plaintext, position, position := position + -position % ALIGN)
    buffers = []
    for length, _, _ in entries:
        buffers.append(plaintext[position : position + length])
        position += length
        _blank(plaintext, position, position := position + -length % ALIGN)
    return plaintext[start : start + tree], buffers


def head_of_buffers(tree: bytes, buffers: list[tuple[int, int]]) -> bytes:
    """Return what stands before the first of some buffers, told by length and element width."""
    entries = b"".join(_ENTRY.pack(length, width, 0) for length, width in buffers)
    head = _HEAD.pack(ESCAPE, _BUFFERS, 0, len(buffers), len(tree)) + entries
    return head + tree + bytes(-len(tree) % ALIGN)


def table(plaintext: memoryview, size: int | None = None) -> tuple[int, int, list[tuple[int, int, int]]]:
    """Return where the tree starts, its length, and the entries, checked against the plaintext's length.

    With `size`, that length, the bytes given may be only the first ones.
    """
    size = len(plaintext) if size is None else size
    if size < _HEAD.size or plaintext[1] != _BUFFERS:
        number = plaintext[1] if size > 1 else "missing"
        raise CorruptionError(f"plaintext layout {number} is not known: damaged, or written by a newer version")
    _, _, reserved, count, tree = _HEAD.unpack_from(plaintext)
    start = _HEAD.size + count * _ENTRY.size
    if reserved or not count or start > len(plaintext):
        raise CorruptionError(f"plaintext of {size} bytes has a damaged buffer table of {count} entries")
    entries: list[tuple[int, int, int]] = list(_ENTRY.iter_unpack(plaintext[_HEAD.size : start]))
    total = start + tree + -tree % ALIGN
    for length, width, spare in entries:
        total += length + -length % ALIGN
        if spare or not 1 <= width <= 255:
            raise CorruptionError("plaintext has a damaged entry in its buffer table")
    if total != size:
        raise CorruptionError(f"plaintext has {size} bytes where its buffer table tells {total}")
    return start, tree, entries


def _blank(plaintext: memoryview, start: int, stop: int) -> None:
    if any(plaintext[start:stop]):
        raise CorruptionError(f"plaintext has data in its padding at byte {start}")
