"""`ColumnsCodec` keeps the promises of `Codec`, gives back any table, and makes tables smaller than zstd does."""

from __future__ import annotations

import math
import random
import struct
from typing import Any

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.engine.codecs import Codec, ZstdCodec
from stratakv.engine.codecs.columns import ColumnsCodec, numbers, pieces
from stratakv.engine.codecs.columns.trees import PLACEHOLDER
from stratakv.engine.serialization import Serializer
from stratakv.errors import CorruptionError
from stratakv.testing.codec_suite import CodecSuite, noise, words

RAW, ZSTD, COLUMNS = range(3)
CODEC = ColumnsCodec()


def packed(value: object) -> bytes:
    return bytes(Serializer().dumps(value))


def triples(count: int, seed: int = 1) -> list[list[Any]]:
    source = random.Random(seed)
    entities = sorted(source.sample(range(10_000_000), count))
    rows = []
    for _ in range(count):
        at = source.randrange(count)
        other = min(count - 1, max(0, at + source.randrange(-20, 20)))
        relation = source.choice(["is_a", "part_of", "near", "near", "near"])
        rows.append([f"{entities[at]:08d}", relation, f"{entities[other]:08d}", source.randrange(150, 999) / 1000])
    return rows


def round_trip(plaintext: bytes, count: int = 1, level: int = 9) -> bytes:
    payload = CODEC.encode_many(plaintext, count, level)
    assert CODEC.decode(payload, len(plaintext)) == plaintext
    return payload


class TestColumnsCodec(CodecSuite):
    levels = (1, 9, 12)

    def make_codec(self) -> Codec:
        return ColumnsCodec()

    def plaintexts(self) -> dict[str, bytes]:
        return {
            **super().plaintexts(),
            "triples": packed(triples(300)),
            "a graph": packed({"name": "g", "edges": triples(60), "nodes": [{"id": i, "t": None} for i in range(40)]}),
        }

    def test_every_bit_flip_of_columns_is_found_or_keeps_the_size(self) -> None:
        kinds = [[(i, str(i), i / 10, i * math.pi, None, i % 3 == 0, b"x" * (i % 4)) for i in range(60)], triples(150)]
        kinds.append([{"k": "abcde"[i % 5], "v": [i] * (i % 4), "m": {"x" * (i % 3): i}} for i in range(80)])
        for value in kinds:
            plaintext = packed(value)
            payload = CODEC.encode(plaintext, level=9)
            assert payload[0] == COLUMNS
            for bit in range(8 * len(payload)):
                flipped = bytearray(payload)
                flipped[bit >> 3] ^= 1 << (bit & 7)
                assert_bounded(bytes(flipped), len(plaintext))

    def test_truncated_columns_are_corruption(self) -> None:
        plaintext = packed(triples(150))
        payload = CODEC.encode(plaintext, level=9)
        for stop in range(len(payload)):
            with pytest.raises(CorruptionError):
                CODEC.decode(payload[:stop], len(plaintext))

    def test_huge_sizes_of_columns_are_refused(self) -> None:
        payload = CODEC.encode(packed(triples(150)), level=9)
        assert payload[0] == COLUMNS
        for size in (1 << 30, 1 << 40, 1 << 62, -1):
            with pytest.raises(CorruptionError):
                CODEC.decode(payload, size)


def assert_bounded(payload: bytes, size: int) -> None:
    try:
        assert len(CODEC.decode(payload, size)) == size
    except CorruptionError:
        return


# Few different keys and words, so that columns with something in common come up.
CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(0, 3)
    | st.floats()
    | st.sampled_from([0.0, -0.0, 0.5, math.nan])
    | st.text(max_size=6)
    | st.sampled_from(["a", "b", "007", "7", "0", "n12"])
    | st.binary(max_size=4)
    | st.decimals(allow_nan=False, places=2)
)
KEYS = st.sampled_from(["", "id", "name", "x"]) | st.text(max_size=3)
NESTED = st.recursive(
    CELLS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(st.integers(0, 9), max_size=3)
    ),
    max_leaves=12,
)


@st.composite
def tables(draw: st.DrawFn) -> object:
    """Return rows of one form, each column with cells of one kind or of any."""
    columns = draw(st.lists(st.sampled_from([CELLS, NESTED, st.integers(), st.text(), st.floats()]), max_size=4))
    few = [draw(st.lists(column, min_size=1, max_size=6)) for column in columns]
    count = draw(st.integers(0, 200))
    source = random.Random(draw(st.integers()))
    rows: list[Any] = [[source.choice(cells) for cells in few] for _ in range(count)]
    form = draw(st.sampled_from(["list", "tuple", "dict", "cells", "ragged"]))
    if form == "tuple":
        rows = [tuple(row) for row in rows]
    elif form == "dict":
        keys = [f"key{number}" for number in range(len(columns))]
        rows = [dict(zip(keys, row, strict=True)) for row in rows]
    elif form == "cells":
        rows = [cell for row in rows for cell in row]
    elif form == "ragged":
        rows = [row[: source.randrange(len(row) + 1)] for row in rows]
    return draw(st.sampled_from([rows, {"name": "g", "rows": rows}, (1, [tuple(rows)])]))


@settings(max_examples=250, deadline=None)
@given(value=tables(), level=st.sampled_from([3, 9]))
def test_any_table_comes_back(value: object, level: int) -> None:
    round_trip(packed(value), 1, level)


@settings(max_examples=150, deadline=None)
@given(values=st.lists(NESTED, min_size=1, max_size=8), copies=st.integers(1, 20))
def test_any_values_side_by_side_come_back(values: list[object], copies: int) -> None:
    many = [packed(value) for value in values] * copies
    round_trip(b"".join(many), len(many))


@settings(max_examples=150, deadline=None)
@given(plaintext=st.binary(max_size=300), count=st.integers(0, 1 << 34))
def test_any_bytes_come_back(plaintext: bytes, count: int) -> None:
    round_trip(plaintext, count)
    round_trip(packed(triples(40)) + plaintext, count)


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=300), size=st.integers(0, 1 << 20))
def test_garbage_is_corruption_or_of_the_asked_size(payload: bytes, size: int) -> None:
    assert_bounded(payload, size)
    assert_bounded(b"\x02" + payload, size)


def some(choices: Any, count: int = 300) -> list[Any]:
    """Return picks without any order that zstd could find."""
    return random.Random(1).choices(choices, k=count)


@pytest.mark.parametrize(
    "value",
    [
        [[i, i * i, -i] for i in range(100)],
        [(f"n{i}", f"n{j}") for i, j in zip(some(range(50)), some(range(70)), strict=True)],
        [{"head": f"{i:05d}", "tail": f"{i * 7:05d}", "meta": {"w": i / 8, "at": [i, None]}} for i in range(100)],
        {"graph": {"edges": [[str(i), "r", str(i + 1)] for i in range(100)]}, "name": "x"},
        ([[i, i / 10] for i in range(100)], (tuple([3, i * 1000] for i in range(50)),)),
        [[None, flag, number] for number, flag in enumerate(some([True, False]))],
        some([True, False, None], 2_000),
        list(range(1000)),
        [f"word {number} of a text" for number in some(range(300), 1_000)],
        [f"https://example.org/entity/Q{number}" for number in some(range(1_000))],
        [({"a": i}, {"b": [i]}, None, "x")[i % 4] for i in some(range(1_000))],
        [{f"id{i}": i * i, f"id{i + 1}": [i]} for i in some(range(1_000))],
        [list(range(i, i + i % 5)) for i in some(range(1_000))],
        [{"deep": {"deeper": [{"n": j * i} for j in range(i % 4)]}} for i in some(range(1_000))],
        [b"%d" % (i * i) for i in some(range(1_000), 1_000)],
    ],
)
@pytest.mark.parametrize("level", [3, 12])
def test_tables_are_stored_as_columns(value: object, level: int) -> None:
    assert round_trip(packed(value), 1, level)[0] == COLUMNS


@pytest.mark.parametrize(
    "texts",
    [
        ["0", "1", "10", "0"],
        ["00", "0", "01"],
        ["007", "123"],
        ["٣", "1"],
        ["", "1"],
        ["9" * 18, "1" * 18],
        ["9" * 19, "1" * 19],
        ["100%1", "100%2"],
        ["-1", "1"],
        ["v1", "v01"],
        ["12\n0", "1"],
        ["é1", "é2"],
    ],
)
def test_strings_of_digits_keep_their_zeros(texts: list[str]) -> None:
    round_trip(packed([[text, number] for number in range(50) for text in texts]))


def test_every_bit_of_floats_survives() -> None:
    nans = [struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_0000_0000 | bits))[0] for bits in (0, 1, 12345)]
    odd = [0.0, -0.0, math.inf, -math.inf, 5e-324, 1e308, 0.1, 0.30000000000000004, -1.5, 2.0**60, *nans]
    for floats in (odd, [number / 1000 for number in range(150, 999)], [0.0, -0.0], [1.0, 2.0, -3.0]):
        round_trip(packed([[number, "x"] for _ in range(30) for number in floats]))


def test_integers_of_every_size_survive() -> None:
    edge = [0, 127, 128, 255, 256, -1, -32, -33, -128, -129, 2**31, 2**32, -(2**31) - 1, 2**63 - 1, -(2**63)]
    for whole in (edge, [*edge, 2**63], [*edge, 2**64 - 1], [*edge, True]):
        round_trip(packed([[number, other] for number in whole for other in whole]))


def test_values_side_by_side_are_one_table() -> None:
    rows = triples(3_000)
    plaintext = b"".join(map(packed, rows))
    payload = round_trip(plaintext, len(rows), 12)
    assert payload[0] == COLUMNS
    assert len(payload) < 0.75 * len(ZstdCodec().encode(plaintext, level=12))
    # A wrong count costs space only.
    for count in (0, 1, len(rows) - 1, len(rows) + 1):
        round_trip(plaintext, count, 3)


def test_tables_of_values_side_by_side() -> None:
    graphs = [packed({"name": f"g{seed}", "edges": triples(100, seed)}) for seed in range(3)]
    assert round_trip(b"".join(graphs), 3)[0] == COLUMNS


@pytest.mark.parametrize("form", [list, tuple, lambda row: dict(zip("hrtw", row, strict=True))])
@pytest.mark.parametrize("level", [3, 12])
def test_edge_lists_are_much_smaller_than_zstd_makes_them(form: Any, level: int) -> None:
    plaintext = packed([form(row) for row in triples(5_000)])
    assert len(round_trip(plaintext, 1, level)) < 0.75 * len(ZstdCodec().encode(plaintext, level=level))


def test_long_tables_come_back() -> None:
    rows = triples(40_000)
    assert round_trip(packed([[*row, f"{number % 700} things"] for number, row in enumerate(rows)]), 1, 12)[0] == 2


@pytest.mark.parametrize(
    "odd",
    [
        b"\xca\x3f\x80\x00\x00",  # a float of 32 bits
        b"\xcd\x00\x01",  # an int longer than needed
        b"\xd4\x3f\x00",  # the placeholder's own code
        bytes((0xD5, PLACEHOLDER)) + b"tt",
        b"\xd4\x01\x05",  # a tuple whose body is no array
        b"\x81\x01\x02",  # a key that is no string
        b"\x82\xa1a\x01\xa1a\x02",  # a key twice
        b"\xa1\xff",  # not UTF-8
        b"\xc1",
        b"\x91" * 3_000,
        b"\xdd\xff\xff\xff\xff",
    ],
)
def test_what_is_not_plain_messagepack_comes_back(odd: bytes) -> None:
    table = ormsgpack.packb([[i, i] for i in range(100)])
    payload = round_trip(b"\x92" + table + odd)
    assert payload[0] == ZSTD


def test_tuples_nested_deeper_than_is_safe_come_back() -> None:
    nest: object = [[i, i] for i in range(100)]
    for _ in range(60):
        nest = (nest,)
    assert round_trip(packed(nest))[0] == ZSTD


def test_what_does_not_shrink_is_raw_and_one_byte_longer() -> None:
    assert CODEC.encode(noise(500), level=12) == b"\x00" + noise(500)
    assert CODEC.encode(words(5_000), level=3)[0] == ZSTD


@pytest.mark.parametrize("level", [3, 9])
def test_without_pcodec_tables_come_back_too(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "pcodec_installed", lambda: False)
    monkeypatch.setattr(numbers, "_NUMERIC", -1)
    plaintext = packed([[*row, number * math.pi] for number, row in enumerate(triples(3_000))])
    codec = ColumnsCodec()
    payload = codec.encode(plaintext, level=level)
    assert payload[0] == COLUMNS
    assert codec.decode(payload, len(plaintext)) == plaintext
