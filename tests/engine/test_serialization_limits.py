"""Depth, cycles, Enum lists, time zones and pickle: what is refused, and what the message says."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, Flag
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from stratakv.engine.serialization import MAX_DEPTH, Serializer
from stratakv.errors import ConfigurationError, CorruptionError, SerializationError
from tests.engine.value_strategies import Colour, Right, same

SERIALIZER = Serializer()
HERE = "tests.engine.value_strategies"


class Odd(tzinfo):
    def utcoffset(self, when: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def dst(self, when: datetime | None) -> None:
        return None

    def tzname(self, when: datetime | None) -> str:
        return "odd"


class Local:
    def __init__(self, n: int) -> None:
        self.n = n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Local) and other.n == self.n


def nested(depth: int, *wraps: Any) -> Any:
    value: Any = 1
    for level in range(depth):
        value = wraps[level % len(wraps)](value)
    return value


LIST, TUPLE, DICT, ODD, FROZEN = (
    lambda inner: [inner],
    lambda inner: (inner,),
    lambda inner: {"k": inner},
    lambda inner: {1: inner},
    lambda inner: frozenset({inner}),
)
WRAPS = [
    *((LIST,), (TUPLE,), (DICT,), (ODD,), (FROZEN,)),
    *((LIST, TUPLE), (DICT, ODD), (TUPLE, FROZEN), (LIST, DICT, TUPLE, ODD)),
]


@pytest.mark.parametrize("wraps", WRAPS)
def test_values_as_deep_as_promised_come_back(wraps: Any) -> None:
    for depth in (7, 8, 9, 30, MAX_DEPTH):
        value = nested(depth, *wraps)
        # Comparing is recursive as well; the plaintext says the same.
        found = SERIALIZER.loads(SERIALIZER.dumps(value))
        assert SERIALIZER.dumps(found) == SERIALIZER.dumps(value)
        assert type(found) is type(value)


@pytest.mark.parametrize("wraps", WRAPS)
@pytest.mark.parametrize("depth", [600, 20_000])
def test_deeper_values_are_refused(wraps: Any, depth: int) -> None:
    with pytest.raises(SerializationError, match="deeper than 100"):
        SERIALIZER.dumps(nested(depth if FROZEN not in wraps else 600, *wraps))


def test_lists_between_the_limits_are_read_whenever_they_are_written() -> None:
    written = 0
    for depth in range(90, 300, 7):
        for wraps in WRAPS:
            value = nested(3, TUPLE, LIST) if depth == 90 else nested(depth, *wraps)
            try:
                plaintext = SERIALIZER.dumps(value)
            except SerializationError:
                continue
            written += 1
            assert SERIALIZER.dumps(SERIALIZER.loads(plaintext)) == plaintext
    assert written > 20


def test_many_tuples_around_deep_lists_are_read_back() -> None:
    value: Any = 1
    for _ in range(8):
        value = (nested(240, LIST), [value])
    assert SERIALIZER.dumps(SERIALIZER.loads(SERIALIZER.dumps(value))) == SERIALIZER.dumps(value)


def test_cycles_are_named() -> None:
    loop: list[Any] = [1]
    loop.append({"again": loop})
    table: dict[Any, Any] = {}
    table[1] = (table,)
    for value, path in ((loop, '[1]["again"]'), (table, "[1][0]"), ({"a": loop}, '["a"][1]["again"]')):
        with pytest.raises(SerializationError, match="contains itself") as caught:
            SERIALIZER.dumps(value)
        assert path in str(caught.value)


def test_the_same_object_twice_is_no_cycle() -> None:
    shared = [1, bytearray(b"x")]
    value = {"a": shared, "b": [shared, (shared, {1: shared})]}
    assert same(SERIALIZER.loads(SERIALIZER.dumps(value)), value)


def test_little_stack_left_is_an_error_not_a_crash() -> None:
    value = nested(MAX_DEPTH, TUPLE, ODD)
    plaintext = SERIALIZER.dumps(value)

    def sink(levels: int) -> tuple[bool, bool]:
        if levels:
            return sink(levels - 1)
        with pytest.raises(SerializationError, match="stack") as writing:
            SERIALIZER.dumps(value)
        with pytest.raises(SerializationError, match="stack") as reading:
            SERIALIZER.loads(plaintext)
        return "cannot store" in str(writing.value), "the value nests" in str(reading.value)

    # A thread has a stack of its own, so the count of frames does not depend on the test runner.
    found: list[object] = []

    def run() -> None:
        try:
            found.append(sink(sys.getrecursionlimit() - 120))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [(True, True)]


def test_enum_must_be_listed_to_be_written_and_to_be_read() -> None:
    with pytest.raises(SerializationError, match=f'add "{HERE}:Colour" to serialization.enums') as caught:
        SERIALIZER.dumps({"a": [Colour.RED]})
    assert '["a"][0]' in str(caught.value)
    plaintext = Serializer(enums=[f"{HERE}:Colour"]).dumps([Colour.RED])
    assert Serializer(enums=[Colour]).loads(plaintext) == [Colour.RED]
    with pytest.raises(SerializationError, match=f'add "{HERE}:Colour" to serialization.enums'):
        SERIALIZER.loads(plaintext)


def test_enum_modules_are_not_imported() -> None:
    lister = Serializer(enums=["http:HTTPStatus", "no.such.module:Thing"])
    from http import HTTPStatus

    plaintext = lister.dumps(HTTPStatus.OK)
    code = (
        "import sys; from stratakv.engine.serialization import Serializer\n"
        f"assert 'http' not in sys.modules\ntry: Serializer(enums=['http:HTTPStatus']).loads({plaintext!r})\n"
        "except Exception as error: print(type(error).__name__, error, 'http' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "SerializationError" in told
    assert "import http before" in told
    assert "False" in told


def test_member_that_is_gone_is_named() -> None:
    def make(**members: int) -> Any:
        return Enum("Colour", members, module=HERE, qualname="Kind")

    plaintext = Serializer(enums=[old := make(A=1, B=2)]).dumps(old.B)
    with pytest.raises(SerializationError, match="no member 'B'"):
        Serializer(enums=[make(A=1)]).loads(plaintext)


def test_another_class_of_the_same_name_is_refused() -> None:
    other: Any = Enum("Colour", {"RED": 1}, module=HERE, qualname="Colour")  # type: ignore[misc] # name is the point
    with pytest.raises(SerializationError, match="another class called"):
        Serializer(enums=[Colour]).dumps(other["RED"])


def test_flags_of_any_combination_come_back() -> None:
    big: Any = Flag("Big", [f"F{n}" for n in range(80)], module=HERE)  # type: ignore[misc] # made at run time
    serializer = Serializer(enums=[big, Right])
    for value in (*big, ~big(0), big(0), big(1 << 70 | 5), Right.READ | Right.RUN):
        assert serializer.loads(serializer.dumps(value)) is value


@pytest.mark.parametrize("entry", ["Colour", "a.b", "a:b:c", "a b:C", "", 7, int, b"a:B"])
def test_bad_enum_entries_are_configuration_errors(entry: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"serialization\.enums"):
        Serializer(enums=[entry])


def test_odd_time_zones_are_refused_with_advice() -> None:
    with pytest.raises(SerializationError, match=r"use datetime\.timezone or zoneinfo"):
        SERIALIZER.dumps([datetime(2024, 1, 1, tzinfo=Odd())])


def test_missing_time_zone_is_named() -> None:
    body = SERIALIZER.dumps(ZoneInfo("Europe/Berlin")).replace(b"Berlin", b"Nowher")
    with pytest.raises(SerializationError, match="Europe/Nowher"):
        SERIALIZER.loads(body)


def test_huge_fractions_are_refused_and_huge_numbers_are_not() -> None:
    with pytest.raises(SerializationError, match="128 KiB"):
        SERIALIZER.dumps(Fraction(1, 1 << 2_000_000))
    for value in (1 << 2_000_000, -(1 << 2_000_000), Decimal("7" * 100_000)):
        assert same(SERIALIZER.loads(SERIALIZER.dumps(value)), value)


def test_pickle_is_used_only_where_nothing_else_serves() -> None:
    serializer = Serializer(allow_pickle=True)
    value = {
        "plain": [1, (2,)],
        "odd": [Local(3), {Odd: 1}],
        "more": OrderedDict(a=1),
        "object": np.array([None, 1]),
    }
    found: Any = serializer.loads(serializer.dumps(value))
    assert found["odd"] == value["odd"]
    assert found["more"] == value["more"]
    assert type(found["more"]) is OrderedDict
    assert found["object"].tolist() == [None, 1]
    assert serializer.dumps(value["plain"]) == SERIALIZER.dumps(value["plain"])
    assert serializer.loads(serializer.dumps(datetime(2024, 1, 1, tzinfo=UTC))) is not None


def test_pickle_that_is_not_trusted_is_refused() -> None:
    plaintext = Serializer(allow_pickle=True).dumps(["fine", (Local(3),)])
    with pytest.raises(SerializationError, match="trust_pickle=True"):
        SERIALIZER.loads(plaintext, trust_pickle=False)
    assert SERIALIZER.loads(plaintext) == ["fine", (Local(3),)]
    assert SERIALIZER.loads(SERIALIZER.dumps([1]), trust_pickle=False) == [1]


def test_what_pickle_refuses_too_is_named() -> None:
    with pytest.raises(SerializationError, match="pickle cannot take it either") as caught:
        Serializer(allow_pickle=True).dumps({"f": lambda: 1})
    assert '["f"]' in str(caught.value)
    broken = Serializer(allow_pickle=True).dumps(Local(1)).replace(b"Local", b"Lacol")
    with pytest.raises(SerializationError, match="cannot be rebuilt"):
        SERIALIZER.loads(broken)


def test_interrupt_goes_through() -> None:
    class Stop:
        def __reduce__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Serializer(allow_pickle=True).dumps([1, Stop()])


def test_unknown_codes_are_damage() -> None:
    with pytest.raises(CorruptionError, match="Ext code 99"):
        SERIALIZER.loads(b"\xd4\x63a")
