"""No key and no subclass is silently turned into something plain, however deep it lies."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any
from uuid import UUID

import numpy as np
import ormsgpack
import pytest
from hypothesis import given, settings

from stratakv.engine.serialization import Serializer
from stratakv.errors import SerializationError
from tests.engine.value_strategies import ENUMS, Colour, Holder, Level, Mode, Right, Word, keys, same

SERIALIZER = Serializer(enums=ENUMS)
Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - the untyped kind is the one under test


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


class Raw(bytes):
    pass


class Buffer(bytearray):
    pass


class Row(tuple[Any, ...]):
    __slots__ = ()


class Items(list[Any]):
    pass


class Table(dict[Any, Any]):
    pass


class Bag(set[Any]):
    pass


class Frozen(frozenset[Any]):
    pass


class Moment(datetime):
    pass


class Day(date):
    pass


class Price(Decimal):
    pass


class Half(Fraction):
    pass


class Id(UUID):
    pass


class Grid(np.ndarray[Any, Any]):
    pass


class Unlisted(Enum):
    X = "x"


class UnlistedText(str, Enum):  # noqa: UP042 - the older kind is the one under test
    X = "x"


@dataclass(frozen=True)
class Point:
    x: int = 1


KEYS: list[Any] = [
    *("a", "", "\ud800", "ä", 0, 1, -1, 2**63, 2**64, -(2**63), -(2**63) - 1, 1.0, 0.0, -0.0, float("nan")),
    *(
        True,
        False,
        None,
        b"",
        b"k",
        1j,
        (),
        (1, (2, "x")),
        frozenset({1, (2,)}),
        Decimal("1.0"),
        Fraction(1, 2),
    ),
    *(
        UUID(int=1),
        date(2024, 1, 1),
        datetime.fromisoformat("2024-01-01"),
        datetime(2024, 1, 1, tzinfo=UTC),
        time(1),
    ),
    *(Colour.RED, Level.LOW, Word.YES, Right.READ, Mode.A, Holder.Inner.ONE, UTC),
    *(np.str_("a"), np.int64(1), np.float64(1), np.bool_(True), np.datetime64("2024"), np.bytes_(b"k")),
]

REFUSED: list[Any] = [
    *(Text("odd"), Whole(7), Real(1.0), Raw(b"r"), Row((1,)), Frozen({1}), Pair(1, 2), Moment(2024, 1, 1)),
    *(
        Day(2024, 1, 1),
        Price("1"),
        Half(1, 2),
        Id(int=1),
        Unlisted.X,
        UnlistedText.X,
        Point(),
        object(),
        int,
        len,
    ),
    *(memoryview(b"m"), ormsgpack.Ext(5, b""), ormsgpack.Fragment(b"\xc0"), range(3), ..., NotImplemented),
]
UNHASHABLE: list[Any] = [
    *(Buffer(b"b"), Items([1]), Table(a=1), Bag({1}), OrderedDict(a=1), defaultdict(int), Counter("a")),
    *(
        np.array([[1]]).view(Grid),
        np.ma.masked_array([1, 2], [True, False]),
        np.rec.array([(1,)], dtype=[("a", "i4")]),
    ),
    *(np.array([None]), np.array([(1, None)], dtype=[("a", "i4"), ("b", "O")]), iter([]), np.array([1]).flat),
]


def places(value: Any, hashable: bool) -> list[tuple[Any, str]]:
    """Return values that hold `value` at many places, and the path of each."""
    deep: Any = [value]
    for _ in range(40):
        deep = [{"k": deep}]
    found = [
        (value, "the top"),
        ([1, value], "[1]"),
        ({"a": {"b": value}}, '["a"]["b"]'),
        ((1, (value,)), "[1][0]"),
        ({1: [value]}, "[1][0]"),
        ({"x": {(1, 2): {"y": value}}}, '["x"][(1, 2)]["y"]'),
        ({"x": b"\xc4\xc5", "y": [[], value]}, '["y"][1]'),
        (deep, '[0]["k"]'),
    ]
    if hashable:
        found += [
            ({value: 1}, " key "),
            ({"a": 1, value: 1}, " key "),
            ([{"a": [{value: 1}]}], '[0]["a"][0] key '),
            ({value}, "{"),
            ({"s": frozenset({("t", value)})}, '["s"]{'),
            ({(1, (value,)): 1}, " key (1, ("),
        ]
    return found


@pytest.mark.parametrize("key", KEYS, ids=[f"{type(key).__name__}-{at}" for at, key in enumerate(KEYS)])
def test_key_comes_back_exactly_wherever_it_lies(key: Any) -> None:
    deep: Any = {key: [{key: 1}]}
    for _ in range(20):
        deep = [{"k": deep}]
    for value in (
        *({key: 1}, {"a": 1, key: {key: 2}}, [{"a": {key: (key,)}}], {key}, frozenset({key}), ({key: None},)),
        *({(key, key): {key}}, deep, {"z": 1, "b": {1: {key: b"\xc4"}}}),
    ):
        assert same(SERIALIZER.loads(SERIALIZER.dumps(value)), value)


@settings(deadline=None, max_examples=200)
@given(keys())
def test_any_key_comes_back_exactly(key: object) -> None:
    value = [{"a": {key: [key]}}]
    assert same(SERIALIZER.loads(SERIALIZER.dumps(value)), value)


def test_different_keys_give_different_plaintexts() -> None:
    assert len({SERIALIZER.dumps({key: 1}) for key in KEYS}) == len(KEYS)


@pytest.mark.parametrize("value", REFUSED, ids=[f"{type(value).__name__}-{at}" for at, value in enumerate(REFUSED)])
def test_subclass_or_stranger_is_refused_wherever_it_lies(value: Any) -> None:
    for outer, path in places(value, hashable=True):
        with pytest.raises(SerializationError) as caught:
            SERIALIZER.dumps(outer)
        message = str(caught.value)
        assert path in message
        assert type(value).__qualname__ in message


@pytest.mark.parametrize(
    "value", UNHASHABLE, ids=[f"{type(value).__name__}-{at}" for at, value in enumerate(UNHASHABLE)]
)
def test_unhashable_subclass_is_refused_wherever_it_lies(value: Any) -> None:
    for outer, path in places(value, hashable=False):
        with pytest.raises(SerializationError) as caught:
            SERIALIZER.dumps(outer)
        assert path in str(caught.value)
        assert type(value).__qualname__ in str(caught.value)


@pytest.mark.parametrize("raw", [bytearray(), bytearray(b"x"), bytearray(300), bytearray(70_000)], ids=len)
def test_bytearray_stays_a_bytearray_wherever_it_lies(raw: bytearray) -> None:
    for outer, _ in places(raw, hashable=False):
        assert same(SERIALIZER.loads(SERIALIZER.dumps(outer)), outer)


def test_packer_objects_alive_elsewhere_do_not_matter() -> None:
    alive = [ormsgpack.Ext(1, b""), ormsgpack.Fragment(b"\xc0")]
    assert SERIALIZER.loads(SERIALIZER.dumps({"a": [1]})) == {"a": [1]}
    with pytest.raises(SerializationError, match=r"ormsgpack\.Fragment"):
        SERIALIZER.dumps({"a": alive[1]})


def test_message_tells_type_path_and_option() -> None:
    with pytest.raises(SerializationError) as caught:
        SERIALIZER.dumps({"a": [1, 2, 3, {"b": object()}]})
    assert str(caught.value) == (
        'cannot store a value of type object at ["a"][3]["b"]: its type is not accepted; '
        "store its contents as plain values, or set serialization.allow_pickle: true"
    )


def test_packer_objects_are_found_by_the_references_they_hold() -> None:
    # In a process of its own: names imported elsewhere make the serializer look closely every time.
    code = """
import ormsgpack
from sys import getrefcount
from stratakv.engine.serialization import Serializer, serializer as module
s = Serializer(allow_pickle=True)
def quiet(): return getrefcount(ormsgpack.Ext) == module._EXT_REFERENCES and \\
    getrefcount(ormsgpack.Fragment) == module._FRAGMENT_REFERENCES
def refused(value):
    try: s.dumps(value)
    except TypeError as error: return "ormsgpack." in str(error)
s.loads(s.dumps([(1, {2}), bytearray(b"x"), object, {1: 2}]))
print(quiet(), refused({"a": [ormsgpack.Fragment(b"\\xc0")]}), refused([(ormsgpack.Ext(1, b""),)]), quiet())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True"] * 4
