"""Hypothesis strategies for every accepted type, and an exact comparison.

`values()` gives nested values of all accepted types; store them with `ENUMS` on the allow-list. `same(a, b)`
is true where two values are equal with the same types everywhere, NaN and -0.0 told apart by their bits.
"""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]


class Colour(Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Word(StrEnum):
    YES = "yes"
    NO = "no"


class Right(Flag):
    READ = auto()
    WRITE = auto()
    RUN = auto()


class Mode(IntFlag):
    A = 1
    B = 2


class Holder:
    class Inner(Enum):
        ONE = 1


ENUMS: tuple[type[Enum], ...] = (Colour, Level, Word, Right, Mode, Holder.Inner)

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")

DTYPES: tuple[Any, ...] = (
    *("?", "b", "B", "h", "H", "i", "I", "l", "L", "q", "Q", "e", "f", "d", "g", "F", "D", "G"),
    *(">i2", ">u8", ">f4", ">f8", ">c16", ">U3", "S5", "S1", "U1", "U7", "V3"),
    *("M8[ns]", "M8[25s]", "M8[D]", "M8", "m8[us]", "m8", ">M8[s]"),
    [("a", "i1"), ("b", ">f8")],
    [("x", "f4", (2, 3)), ("y", [("z", "U2"), ("t", "M8[s]")])],
    [(("title", "name"), "i4")],
    np.dtype([("a", "i1"), ("b", "f8"), ("c", "g")], align=True),
    np.dtype({"names": ["p", "q"], "formats": ["u2", "u1"], "offsets": [4, 1], "itemsize": 11}),
    np.dtype([]),
)


def integers() -> Strategy:
    edges = [n + d for n in (0, 2**31, 2**63, -(2**63), 2**64, -(2**64), 2**127) for d in (-1, 0, 1)]
    return st.integers() | st.sampled_from(edges) | st.integers(-(2**600), 2**600)


def floats() -> Strategy:
    bits = st.integers(0, 2**64 - 1).map(lambda n: struct.unpack("<d", struct.pack("<Q", n))[0])
    return st.floats() | bits | st.sampled_from([0.0, -0.0, float("inf"), float("-inf"), float("nan")])


def texts() -> Strategy:
    return st.text(max_size=40) | st.text(st.characters(categories=["Cs", "L"]), max_size=8)


def zones() -> Strategy:
    offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
    fixed = st.builds(timezone, offsets) | st.builds(timezone, offsets, st.text(max_size=5))
    return st.sampled_from([UTC, *map(ZoneInfo, ZONES)]) | fixed


def times() -> Strategy:
    fold = st.sampled_from([0, 1])
    zone = st.none() | zones()
    return st.one_of(
        st.builds(lambda t, f, z: t.replace(fold=f, tzinfo=z), st.datetimes(), fold, zone),
        st.builds(lambda t, f, z: t.replace(fold=f, tzinfo=z), st.times(), fold, zone),
        st.dates(),
        st.timedeltas(),
        zones(),
    )


def decimals() -> Strategy:
    odd = [
        "NaN",
        "-NaN",
        "sNaN",
        "-sNaN42",
        "NaN7",
        "Infinity",
        "-Infinity",
        "-0",
        "0E+9",
        "-0E-99",
        "1E+9999",
        "1.10",
    ]
    return st.sampled_from([Decimal(text) for text in odd]) | st.decimals()


def members() -> Strategy:
    return st.sampled_from(
        [
            *Colour,
            *Level,
            *Word,
            *Right,
            Right(0),
            Right.READ | Right.RUN,
            Mode(0),
            Mode.A | Mode.B,
            *Holder.Inner,
        ]
    )


@st.composite
def arrays(draw: st.DrawFn) -> Any:
    """Arrays of every dtype and layout, of random bits (text excepted, whose bits are not free)."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.lists(st.integers(0, 5), max_size=3).map(tuple))
    array = random_array(dtype, shape, draw(st.integers(0, 2**32 - 1)))
    match draw(st.integers(0, 3)):
        case 0:
            return np.asfortranarray(array) if array.ndim else array
        case 1:
            return array.T
        case 2 if array.ndim:
            return array[::-2]
    return array


def random_array(dtype: np.dtype, shape: tuple[int, ...], seed: int) -> Any:
    """Return an array with random bytes wherever all bytes are valid."""
    random = np.random.default_rng(seed)
    array = np.zeros(shape, dtype)
    if not array.nbytes:
        return array
    if dtype.kind in "biufcmM" and dtype.char not in "?gG":
        array.reshape(-1).view(np.uint8)[:] = random.integers(0, 256, array.nbytes, np.uint8)
    elif dtype.char in "?gG":
        array[...] = random.integers(0, 2, shape)
    elif dtype.kind in "US":
        array[...] = random.integers(0, 100, shape).astype(dtype.kind)
    elif dtype.names:
        for name in dtype.names:
            field = array[name]
            field[...] = random_array(field.dtype, field.shape, seed + 1)
    else:
        array.reshape(-1).view(np.uint8)[:] = random.integers(0, 256, array.nbytes, np.uint8)
    return array


def scalars() -> Strategy:
    """Numpy scalars of every type."""
    plain = [np.dtype(each) for each in DTYPES if np.dtype(each).char not in "SU"]
    from_arrays = st.builds(
        lambda dtype, seed: random_array(dtype, (1,), seed)[0], st.sampled_from(plain), st.integers(0, 999)
    )
    return from_arrays | texts().map(np.str_) | st.binary(max_size=9).map(np.bytes_)


def keys() -> Strategy:
    """Hashable values, nested."""
    leaves = st.one_of(
        *(
            st.none(),
            st.booleans(),
            integers(),
            floats(),
            texts(),
            st.binary(max_size=9),
            decimals(),
            members(),
        ),
        *(st.complex_numbers(), st.fractions(), st.uuids(), times()),
        st.sampled_from([np.float64(2.5), np.int8(3), np.str_("x"), np.bool_(True), np.longlong(1)]),
    ).filter(lambda leaf: not (isinstance(leaf, Decimal) and leaf.is_snan()))
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
        max_leaves=4,
    )


def leaves() -> Strategy:
    """Every accepted type that holds no others."""
    return st.one_of(
        *(
            st.none(),
            st.booleans(),
            integers(),
            floats(),
            texts(),
            st.binary(max_size=99),
            decimals(),
            members(),
        ),
        *(st.complex_numbers(), st.fractions(), st.uuids(), times(), arrays(), scalars()),
        st.binary(max_size=20).map(bytearray),
    )


def values(max_leaves: int = 12) -> Strategy:
    """Nested values of every accepted type but scipy's, which is optional."""
    return st.recursive(
        leaves(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(st.text(max_size=5), inner, max_size=5),
            st.dictionaries(keys(), inner, max_size=4),
            st.sets(keys(), max_size=4),
            st.frozensets(keys(), max_size=4),
        ),
        max_leaves=max_leaves,
    )


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal with the same types everywhere, bits and order included."""
    if type(left) is not type(right):
        return False
    match left:
        case np.ndarray():
            return _same_arrays(left, right)
        case np.str_() | np.bytes_():
            return same(left[:], right[:])
        case np.generic():
            return _same_dtypes(left.dtype, right.dtype) and _bits(np.asarray(left)) == _bits(np.asarray(right))
        case float():
            return struct.pack("<d", left) == struct.pack("<d", right)
        case complex():
            return same(left.real, right.real) and same(left.imag, right.imag)
        case Decimal():
            return bool(left.as_tuple() == right.as_tuple())
        case datetime() | time():
            fields = left.replace(tzinfo=None) == right.replace(tzinfo=None) and left.fold == right.fold
            return bool(fields) and same(left.tzinfo, right.tzinfo)
        case timezone():
            return bool(left == right and left.tzname(None) == right.tzname(None))
        case list() | tuple():
            return len(left) == len(right) and all(map(same, left, right))
        case dict():
            return same(list(left), list(right)) and same(list(left.values()), list(right.values()))
        case set() | frozenset():
            return len(left) == len(right) and all(any(same(one, other) for other in right) for one in left)
        case ZoneInfo():
            return bool(left.key == right.key)
        case Fraction() | UUID() | date() | timedelta() | Enum() | int() | str() | bytes() | bytearray() | None:
            return bool(left == right)
    raise TypeError(f"no exact comparison for {type(left)}")


def _same_dtypes(left: np.dtype, right: np.dtype) -> bool:
    flags = left.char == right.char and left.isalignedstruct == right.isalignedstruct
    return left == right and flags and left.fields == right.fields


def _same_arrays(left: Any, right: Any) -> bool:
    if left.shape != right.shape or not _same_dtypes(left.dtype, right.dtype):
        return False
    order = left.flags.f_contiguous and not left.flags.c_contiguous
    if order != (right.flags.f_contiguous and not right.flags.c_contiguous):
        return False
    return _bits(left) == _bits(right)


def _bits(array: Any) -> bytes:
    """Return the items' bytes, fields one after the other, so that holes do not count."""
    if array.dtype.names:
        return b"".join(_bits(array[name]) for name in array.dtype.names)
    if array.dtype.char in "gG":
        # Six of the sixteen bytes of a long double are padding.
        return repr(array.tolist()).encode()
    return bytes(array.tobytes())
