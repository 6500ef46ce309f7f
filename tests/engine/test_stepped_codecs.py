"""Rows of whole steps: quantised floats are found again to the bit, and everything else comes back too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.engine.codecs import Codec, Elements
from stratakv.engine.codecs.binarize import BinarizeCodec
from stratakv.engine.codecs.quantize_int4 import QuantizeInt4Codec
from stratakv.engine.codecs.quantize_int8 import QuantizeInt8Codec
from stratakv.engine.loss.arrays import binarised, quantised
from stratakv.testing.codec_suite import CodecSuite

if TYPE_CHECKING:
    from stratakv.engine.codecs.stepped import SteppedCodec

WIDTHS = {"<f2": 2, "<f4": 4, "<f8": 8}


class TestQuantizeInt8Codec(CodecSuite):
    def make_codec(self) -> Codec:
        return QuantizeInt8Codec()


class TestQuantizeInt4Codec(CodecSuite):
    def make_codec(self) -> Codec:
        return QuantizeInt4Codec()


class TestBinarizeCodec(CodecSuite):
    def make_codec(self) -> Codec:
        return BinarizeCodec()


def lossy(codec: SteppedCodec, rows: np.ndarray) -> np.ndarray:
    return binarised(rows) if codec.bits == 1 else quantised(rows, codec.bits)


CODECS = [QuantizeInt8Codec(), QuantizeInt4Codec(), BinarizeCodec()]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.strategy.value)
@pytest.mark.parametrize("dtype", WIDTHS)
@pytest.mark.parametrize("scale", [1.0, 1e-4, 300.0])
def test_quantised_rows_are_found_again_and_take_their_bits(codec: SteppedCodec, dtype: str, scale: float) -> None:
    rows = (np.random.default_rng(1).standard_normal((50, 64)) * scale).astype(dtype)
    changed = lossy(codec, rows)
    elements = Elements("f", WIDTHS[dtype], 64)
    plaintext = changed.tobytes()
    assert codec.suits(plaintext, elements)
    payload = codec.encode(plaintext, level=3, elements=elements)
    assert codec.decode(payload, len(plaintext)) == plaintext
    assert len(payload) <= 50 * 64 * codec.bits / 8 + 50 * 4 + 16


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.strategy.value)
def test_quantising_again_changes_nothing(codec: SteppedCodec) -> None:
    rows = np.random.default_rng(2).standard_normal((30, 48)).astype("<f4")
    once = lossy(codec, rows)
    assert lossy(codec, once).tobytes() == once.tobytes()


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.strategy.value)
def test_rows_that_are_not_of_steps_are_kept_as_they_are(codec: SteppedCodec) -> None:
    rows = np.random.default_rng(3).standard_normal((20, 32)).astype("<f4")
    changed = lossy(codec, rows)
    odd = {"one bit off": changed.copy(), "negative zero": changed.copy(), "not a number": changed.copy()}
    odd["one bit off"].view(np.uint32)[7, 3] ^= 1
    odd["negative zero"][5] = 0
    odd["negative zero"][5, 2] = -0.0
    odd["not a number"][9, 1] = np.nan
    odd["infinite"] = np.full((3, 32), np.inf, "<f4")
    odd["subnormal"] = np.full((3, 32), 1e-45, "<f4")
    for what, value in odd.items():
        plaintext = value.tobytes()
        payload = codec.encode(plaintext, level=3, elements=Elements("f", 4, 32))
        assert codec.decode(payload, len(plaintext)) == plaintext, what


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.strategy.value)
def test_zero_rows_among_others_stay_zero(codec: SteppedCodec) -> None:
    rows = np.random.default_rng(4).standard_normal((6, 32)).astype("<f4")
    rows[2] = 0
    plaintext = lossy(codec, rows).tobytes()
    payload = codec.encode(plaintext, level=3, elements=Elements("f", 4, 32))
    assert codec.decode(payload, len(plaintext)) == plaintext
    assert len(payload) < 6 * 32 * codec.bits // 8 + 60


@settings(max_examples=100, deadline=None)
@given(
    row=st.integers(1, 40),
    count=st.integers(1, 6),
    tail=st.binary(max_size=3),
    told=st.integers(0, 50),
    seed=st.integers(0, 99),
    dtype=st.sampled_from(list(WIDTHS)),
    bits=st.sampled_from([0, 1, 2]),
)
def test_any_hint_and_any_tail_come_back(
    row: int, count: int, tail: bytes, told: int, seed: int, dtype: str, bits: int
) -> None:
    codec = CODECS[bits]
    rows = np.random.default_rng(seed).standard_normal((count, row)).astype(dtype)
    plaintext = lossy(codec, rows).tobytes() + tail
    for elements in (Elements("f", WIDTHS[dtype], told), Elements("f", WIDTHS[dtype], row), Elements("i", 4, row)):
        assert codec.decode(codec.encode(plaintext, level=3, elements=elements), len(plaintext)) == plaintext


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.strategy.value)
@pytest.mark.parametrize("dtype", WIDTHS)
def test_rows_of_few_different_numbers_come_back_whatever_they_are(codec: SteppedCodec, dtype: str) -> None:
    steps = np.random.default_rng(6).integers(-2, 3, (40, 30))
    for rows in (steps, np.sign(steps), np.abs(np.sign(steps)), steps % 2 * 2 - 1, np.where(steps > 1, 5, -5)):
        for scale in (1.0, 0.3, 7e-4):
            plaintext = (rows * scale).astype(dtype).tobytes()
            for row in (0, 30, 7):
                payload = codec.encode(plaintext, level=3, elements=Elements("f", WIDTHS[dtype], row))
                assert codec.decode(payload, len(plaintext)) == plaintext
