"""The codecs for bits and sparse arrays keep the promises of `Codec`, are exact to the bit, and bear damage."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.engine.codecs import Buffer, Codec, Elements, ZstdCodec
from stratakv.engine.codecs.bits import ONES, PACKED, BitsCodec
from stratakv.engine.codecs.positions import limit, read_positions, write_positions
from stratakv.engine.codecs.shortest import Shortest
from stratakv.engine.codecs.sparse_csr import SPARSE, SparseCsrCodec
from stratakv.errors import CorruptionError
from stratakv.testing.codec_suite import CodecSuite


class TestBitsCodec(CodecSuite):
    levels = (1, 9, 12, 22)

    def make_codec(self) -> Codec:
        return BitsCodec()


class TestSparseCsrCodec(CodecSuite):
    levels = (1, 9, 12, 22)

    def make_codec(self) -> Codec:
        return SparseCsrCodec()

    def plaintexts(self) -> dict[str, bytes]:
        return super().plaintexts() | {"sparse": (bytes(60) + b"abcd") * 200, "with a tail": bytes(500) + b"z" * 7}


class TestSparseCsrCodecWithoutPcodec(TestSparseCsrCodec):
    def make_codec(self) -> Codec:
        return SparseCsrCodec(numeric=False)


def assert_exact(codec: Codec, plaintext: Buffer, elements: Elements, level: int = 6) -> bytes:
    payload = codec.encode(plaintext, level=level, elements=elements)
    assert len(payload) <= len(plaintext) + 1
    assert codec.decode(payload, len(plaintext)) == plaintext
    return payload


def flags(share: float, rows: int = 60, row: int = 203) -> bytes:
    return bytes((np.random.default_rng(1).random((rows, row)) < share).astype(np.uint8).tobytes())


def sparse(dtype: str, rows: int = 90, row: int = 110, share: float = 0.05) -> np.ndarray[Any, Any]:
    generator = np.random.default_rng(2)
    values = generator.integers(1, 100, (rows, row)).astype(dtype)
    return np.where(generator.random((rows, row)) < share, values, np.zeros((), dtype))


@pytest.mark.parametrize("codec", [BitsCodec(), SparseCsrCodec()])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_bytes_with_any_hint_come_back(codec: Codec, data: st.DataObject) -> None:
    alphabet = data.draw(st.sampled_from((b"\x00\x01", b"\x00\x00\x00\x00\x00\x00\x00\x80", bytes(range(256)))))
    seed, length = data.draw(st.integers(0, 99)), data.draw(st.integers(0, 600))
    plaintext = bytes(random.Random(seed).choices(alphabet, k=length))
    if data.draw(st.booleans()):
        plaintext = bytes(200) + plaintext + bytes(4_000)
    kind, itemsize = data.draw(st.sampled_from("biufVc")), data.draw(st.sampled_from((1, 2, 3, 4, 8, 12, 16, 17)))
    row = data.draw(st.sampled_from((0, 1, 7, 16, 50, len(plaintext) // itemsize, 10**9)))
    assert_exact(codec, plaintext, Elements(kind, itemsize, row), data.draw(st.sampled_from((1, 6, 12))))


@pytest.mark.parametrize(("share", "mode"), [(0.0, ONES), (0.004, ONES), (0.5, PACKED), (1.0, PACKED)])
@pytest.mark.parametrize("row", [0, 1, 7, 8, 29, 203, 204, 60 * 203])
def test_flags_are_told_by_bits_or_by_the_ones(share: float, mode: int, row: int) -> None:
    plaintext = flags(share)
    for level in (3, 12):
        payload = assert_exact(BitsCodec(), plaintext, Elements("b", 1, row), level)
        assert payload[0] == mode
        assert len(payload) <= len(ZstdCodec().encode(plaintext, level=level)) + 16


def test_rows_of_flags_begin_with_whole_bytes() -> None:
    same = np.tile(np.random.default_rng(4).random(203) < 0.5, (100, 1))
    row = assert_exact(BitsCodec(), same.tobytes(), Elements("b", 1, 203))
    flat = assert_exact(BitsCodec(), same.tobytes(), Elements("b", 1, 0))
    assert len(row) < 60 < len(flat)


def test_bytes_that_are_not_flags_are_left_to_the_general_form() -> None:
    for plaintext in (flags(0.5) + b"\x02", flags(0.01)[:-1] + b"\xff", b"\x02"):
        assert assert_exact(BitsCodec(), plaintext, Elements("b", 1, 203))[0] < PACKED


@pytest.mark.parametrize("dtype", ["<i1", "<u2", "<f2", "<i4", "<f4", "<i8", "<f8", "<c8", "<c16"])
@pytest.mark.parametrize("row", [0, 9, 110])
def test_mostly_zero_arrays_are_smaller_than_by_zstd(dtype: str, row: int) -> None:
    array = sparse(dtype)
    plaintext = array.tobytes() + b"tail"[: array.itemsize - 1]
    for level in (3, 9):
        payload = assert_exact(SparseCsrCodec(), plaintext, Elements(array.dtype.kind, array.itemsize, row), level)
        assert payload[0] == SPARSE
        assert len(payload) < len(ZstdCodec().encode(plaintext, level=level))


def test_negative_zero_and_nan_are_elements() -> None:
    array = np.zeros(4_000, "<f8")
    array[::50] = -0.0
    array.view("<u8")[7::100] = 0xFFF0_0000_0000_0005
    assert assert_exact(SparseCsrCodec(), array.tobytes(), Elements("f", 8))[0] == SPARSE


def test_only_zeros_and_dense_arrays() -> None:
    assert len(assert_exact(SparseCsrCodec(), bytes(1 << 20), Elements("f", 8, 1 << 10))) < 32
    assert assert_exact(SparseCsrCodec(), sparse("<f8", share=0.5).tobytes(), Elements("f", 8))[0] < SPARSE


def test_an_array_that_only_looks_sparse_is_left_to_the_general_form() -> None:
    array = np.ones(40_000, "<u4")
    array[::10] = 0
    assert assert_exact(SparseCsrCodec(), array.tobytes(), Elements("u", 4))[0] < SPARSE


@pytest.mark.parametrize("codec", [BitsCodec(), SparseCsrCodec()])
def test_a_size_that_was_not_written_is_refused_without_allocating(codec: Codec) -> None:
    for plaintext in (bytes(1 << 16), flags(0.01), flags(0.5)):
        payload = codec.encode(plaintext, level=3, elements=Elements("u", 1, 203))
        for wrong in (0, len(plaintext) - 1, len(plaintext) + 1, 1 << 30, 1 << 40, 1 << 62):
            tracemalloc.start()
            try:
                with pytest.raises(CorruptionError):
                    codec.decode(payload, wrong)
                assert tracemalloc.get_traced_memory()[1] < 4 << 20
            finally:
                tracemalloc.stop()


@pytest.mark.parametrize("codec", [BitsCodec(), SparseCsrCodec()])
def test_decoding_takes_about_twice_the_size(codec: Codec) -> None:
    for plaintext in (bytes(1 << 22), flags(1 / 20, 1 << 12, 1 << 10), flags(0.5, 1 << 12, 1 << 10)):
        payload = codec.encode(plaintext, level=1, elements=Elements("u", 1, 1 << 10))
        tracemalloc.start()
        try:
            codec.decode(payload, len(plaintext))
            assert tracemalloc.get_traced_memory()[1] < 2.5 * len(plaintext)
        finally:
            tracemalloc.stop()


@settings(max_examples=80, deadline=None)
@given(
    chosen=st.sets(st.integers(0, 2_399), max_size=500),
    row=st.sampled_from((0, 1, 16, 48, 100, 2_400)),
    level=st.sampled_from((3, 12)),
)
def test_positions_come_back_from_both_forms(chosen: set[int], row: int, level: int) -> None:
    shortest = Shortest()
    positions = np.array(sorted(chosen), np.int64)
    written = write_positions(positions, 2_400, row, level, shortest)
    found, end = read_positions(memoryview(written), 0, 2_400, limit(2_400, 8), shortest)
    assert found.tolist() == positions.tolist()
    assert end == len(written)
    if len(chosen):
        with pytest.raises(CorruptionError):
            read_positions(memoryview(written), 0, 2_400, len(chosen) - 1, shortest)


def test_damage_is_found_or_keeps_the_size() -> None:
    generator = random.Random(3)
    array = sparse("<f8")
    by_columns = np.zeros((60, 64), np.uint8)
    by_columns[:, [3, 40]] = 1
    cases: list[tuple[Codec, bytes, Elements]] = [
        (BitsCodec(), flags(0.004), Elements("b", 1, 203)),
        (BitsCodec(), flags(0.3), Elements("b", 1, 203)),
        (BitsCodec(), by_columns.tobytes(), Elements("b", 1, 64)),
        (SparseCsrCodec(), array.tobytes(), Elements("f", 8, 110)),
        (SparseCsrCodec(), by_columns.tobytes(), Elements("u", 1, 64)),
        (SparseCsrCodec(), bytes(5_000), Elements("f", 4)),
    ]
    for codec, plaintext, elements in cases:
        payload = codec.encode(plaintext, level=3, elements=elements)
        for turn in range(1_500):
            damaged = bytearray(payload)
            place = generator.randrange(min(len(damaged), 24) if turn % 2 else len(damaged))
            damaged[place] = generator.randrange(256)
            try:
                decoded = codec.decode(bytes(damaged[: place + 1] if turn % 5 == 0 else damaged), len(plaintext))
            except CorruptionError:
                continue
            assert len(decoded) == len(plaintext)
