"""What decoding takes, at the most: payloads made by hand that once took thousands of times their declared size.

The stress tests damage payloads at random; what is here needs intent, or plaintexts larger than a quick test has.
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from stratakv.engine.codecs.base import Codec, Elements
from stratakv.engine.codecs.binarize import BinarizeCodec
from stratakv.engine.codecs.columns import ColumnsCodec
from stratakv.engine.codecs.columns.forms import Form
from stratakv.engine.codecs.columns.numbers import more_bytes
from stratakv.engine.codecs.columns.trees import Placeholder, pack_many
from stratakv.engine.codecs.deflate import ZlibCodec
from stratakv.engine.codecs.delta import DeltaCodec
from stratakv.engine.codecs.lzma_raw import LzmaCodec
from stratakv.engine.codecs.numeric import NumericCodec
from stratakv.engine.codecs.parts import PartsCodec
from stratakv.engine.codecs.quantize_int4 import QuantizeInt4Codec
from stratakv.engine.codecs.quantize_int8 import QuantizeInt8Codec
from stratakv.engine.codecs.stack import StackCodec
from stratakv.engine.codecs.varint import write_varint as w
from stratakv.engine.codecs.zstd import ZstdCodec
from stratakv.engine.loss.arrays import binarised, quantised
from stratakv.engine.serialization import Serializer
from stratakv.errors import CorruptionError

SLACK = 1 << 20
SECONDS = 5.0
NONE = w(0) * 3
"""A lane that is one number, 0: not planned, method constant, the number."""


def peak(codec: Codec, payload: bytes, size: int) -> tuple[bytes | None, int]:
    """Return the plaintext, None where the payload is refused, and the bytes that it took."""
    tracemalloc.start()
    begun = time.process_time()
    try:
        plaintext = codec.decode(payload, size)
    except CorruptionError:
        plaintext = None
    finally:
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - begun < SECONDS
    return plaintext, taken


@pytest.mark.parametrize("arrays", [1, 300])
@pytest.mark.parametrize("before", [0, 3])
def test_a_stack_of_very_many_tiny_values_takes_twice_the_size(arrays: int, before: int) -> None:
    count = 1 << 18
    size = count * (before + 1)
    stacked = PartsCodec().encode(bytes(size), level=1)
    payload = w(count) + w(arrays) + w(0) * (arrays - 1) + w(1) + b"\0" + w(before) + stacked
    plaintext, taken = peak(StackCodec(), payload, size)
    assert plaintext == bytes(size)
    assert taken <= 2 * size + SLACK


def test_a_stack_of_uneven_values_comes_back() -> None:
    before, stacked = b"\1" + b"".join(map(w, (2, 0, 1))), b"ab" + b"c" + b"123" + b"xxyyzz"
    payload = w(3) + w(3) + w(1) + w(0) + w(2) + before + PartsCodec().encode(stacked, level=1)
    assert StackCodec().decode(payload, len(stacked)) == b"ab1xx" + b"2yy" + b"c3zz"


def test_a_container_of_parts_of_nothing_is_refused_before_they_are_collected() -> None:
    rows = 1 << 18
    plaintext, taken = peak(PartsCodec(), w(rows + 1) + w(0) + b"\0" + (w(0) + b"\0") * (rows - 1) + b"\1\0x", 1)
    assert plaintext is None
    assert taken < SLACK


def test_a_container_of_parts_of_one_byte_takes_no_object_for_each() -> None:
    size = 1 << 15
    plaintext, taken = peak(PartsCodec(), w(size) + (w(1) + b"\0") * size + bytes(size), size)
    assert plaintext == bytes(size)
    assert taken < 2 * size + SLACK


@pytest.mark.parametrize("codec", [ZstdCodec(), ZlibCodec(), LzmaCodec(), NumericCodec()], ids=lambda codec: codec.id)
def test_a_payload_much_longer_than_its_plaintext_is_not_copied(codec: Codec) -> None:
    numbers = np.random.default_rng(1).integers(0, 1 << 60, 1 << 18)
    payload = codec.encode(numbers.tobytes(), level=1, elements=Elements("i", 8))
    plaintext, taken = peak(codec, payload, 1000)
    assert plaintext is None
    assert taken < SLACK


@pytest.mark.parametrize("codec", [DeltaCodec(), PartsCodec(blosc=False, numeric=False), StackCodec()])
def test_bytes_behind_the_last_element_cost_no_third_copy(codec: Codec) -> None:
    plain = np.cumsum(np.random.default_rng(1).integers(0, 4, 1 << 20)).tobytes() + b"end"
    payload = codec.encode(plain, level=3, elements=Elements("i", 8))
    plaintext, taken = peak(codec, payload, len(plain))
    assert plaintext == plain
    assert taken <= 2.2 * len(plain) + SLACK


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
@pytest.mark.parametrize("codec", [QuantizeInt8Codec(), QuantizeInt4Codec(), BinarizeCodec()])
@pytest.mark.parametrize("row", [24, 300_001])
def test_rows_of_steps_are_made_a_piece_at_a_time(
    codec: QuantizeInt8Codec | QuantizeInt4Codec | BinarizeCodec, dtype: str, row: int
) -> None:
    rows = np.random.default_rng(2).standard_normal((2_000_000 // row, row)).astype(dtype)
    changed = binarised(rows) if codec.bits == 1 else quantised(rows, codec.bits)
    plain = changed.tobytes()
    payload = codec.encode(plain, level=1, elements=Elements("f", rows.itemsize, row))
    assert payload[0] == 16
    plaintext, taken = peak(codec, payload, len(plain))
    assert plaintext == plain
    assert taken <= 2 * len(plain) + 4 * SLACK


def test_steps_that_are_not_finite_give_no_warning() -> None:
    steps, multiples = np.array([np.inf, np.nan], "<f4").tobytes(), bytes(2 * 16)
    payload = bytes((16, 4, 0, 16, 2, 9, 0)) + steps + b"\0" + multiples
    rows = np.frombuffer(QuantizeInt8Codec().decode(payload, 4 * 32), "<f4")
    assert np.isnan(rows).all()


def table(rows: int, frame: bytes, pieces: bytes = b"", room: int = 400) -> bytes:
    """Return a payload of columns: one value that is a table of so many rows, its numbers not compressed."""
    tree = pack_many([Placeholder(was_tuple=False)])
    numbers = w(1) + w(1) + w(0) + w(len(tree)) * 2 + w(1) + w(rows) + frame
    return b"\2" + w(len(numbers)) + w(0) + numbers + tree + pieces + bytes(room)


def pools(columns: int, rows: int) -> bytes:
    return w(Form.LISTS) + w(columns) + w(Form.INTS) * columns + w(1) + w(200) + (w(columns * rows) + w(0) * 2) * 200


def dictionaries(columns: int, rows: int) -> bytes:
    one = w(columns * rows) + w(0) * 7
    return w(Form.LISTS) + w(columns) + w(Form.TEXTS) * columns + w(200) + one * 200


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (table(64, pools(500, 64)), 1 << 16),
        (table(64, dictionaries(500, 64)), 1 << 16),
        (table(1 << 18, (w(Form.MIXED) + w(1) + NONE) * 36 + w(Form.NONES) + w(0)), 1 << 18),
        (table(1 << 18, (w(Form.MIXED) + w(2) + NONE) * 36 + w(Form.NONES) + w(0)), 1 << 18),
        (table(1 << 18, w(Form.INTS) + w(0) * 2 + w(1 << 62)), 1 << 18),
    ],
    ids=["pools of all lanes", "dictionaries of all cells", "one class of one", "classes of classes", "wide integers"],
)
def test_columns_take_a_bounded_multiple_of_the_size(payload: bytes, size: int) -> None:
    _, taken = peak(ColumnsCodec(), payload, size)
    assert taken <= 40 * size + SLACK


def test_a_column_of_empty_dicts_comes_back_from_both_its_forms() -> None:
    rows: list[object] = [{}] * 50
    plain = Serializer().dumps(rows)
    earlier = (w(Form.MIXED) + w(1) + NONE) * 5 + w(Form.OPAQUE) + w(0) * 2 + w(50) * 2
    assert ColumnsCodec().decode(table(50, earlier, bytes([0x80]) * 50, room=0), len(plain)) == plain
    records = Serializer().dumps([{"at": n, "none": {}} for n in range(300)])
    payload = ColumnsCodec().encode(records, level=9)
    assert payload[0] == 2
    assert ColumnsCodec().decode(payload, len(records)) == records


def test_the_bytes_of_integers_are_those_of_messagepack() -> None:
    bits = [sign * (1 << n) + more for n in range(63) for sign in (1, -1) for more in (-1, 0, 1)]
    values = np.array([*bits, 0, -32, -33, 255, 256], np.int64)
    assert more_bytes(values) == len(pack_many(values.tolist())) - len(values)
    assert more_bytes(values[:0]) == 0
