"""Exactness: what goes in comes out, type and all; equal values have equal bytes."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratakv.engine.codecs import Elements
from stratakv.engine.serialization import Segment, Serializer, segments
from stratakv.engine.serialization.exact import ExactWriter
from stratakv.engine.serialization.layout import join
from stratakv.engine.serialization.writing import Options
from stratakv.errors import CorruptionError
from tests.engine.value_strategies import ENUMS, leaves, same, values

SERIALIZER = Serializer(enums=ENUMS)
PLAIN = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
MORE = settings(PLAIN, max_examples=400)


def again(value: Any) -> Any:
    return SERIALIZER.loads(SERIALIZER.dumps(value))


def exactly(value: object) -> bytes:
    writer = ExactWriter(Options(allow_pickle=False, enums=SERIALIZER._enums))
    tree = writer.write(value)
    return join(tree, writer.buffers) if writer.buffers else tree


@MORE
@given(leaves())
def test_every_leaf_comes_back_exactly(value: object) -> None:
    assert same(again(value), value)


@MORE
@given(values())
def test_every_nested_value_comes_back_exactly(value: object) -> None:
    assert same(again(value), value)


@PLAIN
@given(values())
def test_what_came_back_has_the_same_bytes(value: object) -> None:
    plaintext = SERIALIZER.dumps(value)
    assert SERIALIZER.dumps(SERIALIZER.loads(plaintext)) == plaintext


@PLAIN
@given(values())
def test_fast_and_exact_way_give_the_same_bytes(value: object) -> None:
    assert SERIALIZER.dumps(value) == exactly(value)


@PLAIN
@given(values(), st.sampled_from([bytes, bytearray, memoryview]))
def test_segments_cover_the_plaintext_without_gaps(value: object, kind: Any) -> None:
    plaintext = kind(SERIALIZER.dumps(value))
    parts = segments(plaintext)
    assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == len(plaintext)
    assert same(SERIALIZER.loads(plaintext), SERIALIZER.loads(bytes(plaintext)))


def test_tree_is_one_segment_and_each_array_another() -> None:
    plain = SERIALIZER.dumps({"a": [1, 2, 3]})
    assert segments(plain) == (Segment(0, len(plain), Elements()),)
    mixed = SERIALIZER.dumps(
        {"a": np.zeros(20, "f4"), "b": np.zeros(9, "c16"), "c": np.zeros(3), "d": np.zeros(70, "S3")}
    )
    assert [(part.stop - part.start, part.elements) for part in segments(mixed)[1:]] == [
        (80, Elements("f", 4)),
        (144, Elements("f", 8)),
        (216, Elements("V", 1)),
    ]
    assert all(part.start % 8 == 0 for part in segments(mixed))


def test_empty_plaintext_has_no_segments_and_no_value() -> None:
    with pytest.raises(CorruptionError, match="empty"):
        segments(b"")
    with pytest.raises(CorruptionError):
        SERIALIZER.loads(b"")


@pytest.mark.parametrize("bits", [0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000001, 0x7FFFFFFFFFFFFFFF])
def test_nan_keeps_its_bits(bits: int) -> None:
    (nan,) = struct.unpack("<d", struct.pack("<Q", bits))
    for value in (nan, [nan], (nan,), {"a": nan}, {nan: nan}):
        assert same(again(value), value)


def test_numbers_that_compare_equal_stay_apart() -> None:
    plaintexts = {SERIALIZER.dumps(value) for value in (1, 1.0, True, 1 + 0j, Decimal(1), np.int64(1), np.int32(1))}
    assert len(plaintexts) == 7
    assert len({SERIALIZER.dumps({key: None}) for key in (1, 1.0, True, Decimal(1))}) == 4
    assert SERIALIZER.dumps(0.0) != SERIALIZER.dumps(-0.0)


def test_order_of_dicts_is_part_of_the_value_and_order_of_sets_is_not() -> None:
    assert list(again({"b": 1, "a": 2})) == ["b", "a"]
    assert list(again({2: 1, "a": 2, 1: 3})) == [2, "a", 1]
    assert SERIALIZER.dumps({8, 0, 16, 24}) == SERIALIZER.dumps({24, 16, 0, 8})


def test_decimal_does_not_depend_on_the_context() -> None:
    value = Decimal("1.5E+40")
    plaintext = SERIALIZER.dumps(value)
    with localcontext() as context:
        context.prec, context.capitals = 3, 0
        assert SERIALIZER.dumps(value) == plaintext
        assert same(SERIALIZER.loads(SERIALIZER.dumps(Decimal("1.23456789"))), Decimal("1.23456789"))


def test_named_fixed_offset_keeps_its_name() -> None:
    zone = timezone(timedelta(hours=1), "CET")
    assert again(datetime(2024, 1, 1, tzinfo=zone)).tzname() == "CET"
    assert again(timezone(timedelta(0), "Z")).tzname(None) == "Z"


@pytest.mark.parametrize("size", [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536, 70_000])
def test_every_size_of_container_comes_back(size: int) -> None:
    for value in (
        set(range(size)),
        tuple(range(size)),
        dict.fromkeys(range(size)),
        "\ud800" * size,
        bytearray(size),
    ):
        assert same_or_equal(again(value), value)


def same_or_equal(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def test_deep_frozensets_take_time_in_proportion() -> None:
    value: object = frozenset()
    for _ in range(60):
        value = frozenset({value, 1})
    assert same_or_equal(again(value), value)


def test_nothing_shares_memory_with_the_caller() -> None:
    array, raw = np.arange(100.0), bytearray(b"raw")
    value = {"array": array, "raw": raw, "list": [1], "small": np.arange(3), "set": {1}}
    plaintext = bytearray(SERIALIZER.dumps(value))
    before = bytes(plaintext)
    array[:], raw[:] = -1, b"war"
    found: Any = SERIALIZER.loads(plaintext)
    assert found["array"][5] == 5
    assert found["raw"] == b"raw"
    found["array"][:], found["small"][:], found["raw"][:] = 9, 9, b"new"
    found["list"].append(2)
    assert plaintext == before
    plaintext[:] = bytes(len(plaintext))
    assert found["array"].flags.owndata
    assert found["array"][0] == 9


def test_plaintext_is_the_same_in_every_process() -> None:
    code = """
import datetime, decimal, hashlib, uuid, numpy as np
from stratakv.engine.serialization import Serializer
words = [f"word {n}" for n in range(50)]
value = [set(words), frozenset([*words, (1, "a"), None, 1.5]),
         {"k": {frozenset(words): set(map(str.encode, words))}},
         {(1, "x"): uuid.UUID(int=7), datetime.date(2024, 1, 1): decimal.Decimal("1.0")}, np.arange(50.0)]
print(hashlib.sha256(Serializer().dumps(value)).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(digests) == 1
