"""The codecs for numbers keep the promises of `Codec`, are exact to the bit, and bear damage."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.engine.codecs import Codec, Elements, ZstdCodec
from stratakv.engine.codecs import numeric as numeric_module
from stratakv.engine.codecs.delta import DELTA, DeltaCodec
from stratakv.engine.codecs.lzma_raw import LzmaCodec
from stratakv.engine.codecs.numeric import CHUNK, PCODEC, NumericCodec
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.testing.codec_suite import CodecSuite, noise

if TYPE_CHECKING:
    import random

NUMBER_TYPES = ("<i1", "<u1", "<i2", "<u2", "<f2", "<i4", "<u4", "<f4", "<i8", "<u8", "<f8")


class TestLzmaCodec(CodecSuite):
    levels = (1, 6, 12, 19)

    def make_codec(self) -> Codec:
        return LzmaCodec()


class TestNumericCodec(CodecSuite):
    levels = (1, 9, 12, 22)

    def make_codec(self) -> Codec:
        return NumericCodec()


class TestDeltaCodec(CodecSuite):
    levels = (1, 9, 12, 22)

    def make_codec(self) -> Codec:
        return DeltaCodec()


def elements_of(array: np.ndarray[Any, Any]) -> Elements:
    return Elements(array.dtype.kind, array.dtype.itemsize, array.shape[-1])


def assert_exact(codec: Codec, plaintext: bytes, elements: Elements, level: int = 6) -> bytes:
    payload = codec.encode(plaintext, level=level, elements=elements)
    assert len(payload) <= len(plaintext) + 2
    assert codec.decode(payload, len(plaintext)) == plaintext
    return payload


def special_floats(itemsize: int) -> bytes:
    """Return signed zeros, infinities, subnormals, and NaNs of both signs with payload bits, amid plain numbers."""
    bits = 8 * itemsize
    fraction = {16: 10, 32: 23, 64: 52}[bits]
    infinity = ((1 << (bits - 1 - fraction)) - 1) << fraction
    sign = 1 << (bits - 1)
    patterns = [0, sign, infinity, infinity | sign, 1, sign | 1, (1 << fraction) - 1]
    patterns += [infinity | payload | side for payload in (1, 2, 5, 1 << (fraction - 1)) for side in (0, sign)]
    numbers = (np.arange(600) / 4).astype(f"<f{itemsize}").view(f"<u{itemsize}").tolist()
    mixed = [pattern for pair in zip(patterns * 40, numbers, strict=True) for pattern in pair]
    return b"".join(pattern.to_bytes(itemsize, "little") for pattern in mixed)


@pytest.mark.parametrize("itemsize", [2, 4, 8])
@pytest.mark.parametrize("level", [3, 9, 12])
def test_special_floats_keep_every_bit(itemsize: int, level: int) -> None:
    plaintext = special_floats(itemsize)
    payload = assert_exact(NumericCodec(), plaintext, Elements("f", itemsize), level)
    assert payload[0] == PCODEC
    quiet = plaintext[: 30 * itemsize] + bytes(400 * itemsize)
    assert assert_exact(NumericCodec(), quiet, Elements("f", itemsize), level)[0] == PCODEC


@pytest.mark.parametrize("codec", [NumericCodec(), DeltaCodec(), LzmaCodec()])
@settings(max_examples=60, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=40), st.integers(1, 60)),
    ),
    kind=st.sampled_from("biufVc"),
    itemsize=st.sampled_from((1, 2, 3, 4, 8, 16)),
    row=st.integers(0, 50),
    level=st.sampled_from((1, 6, 12)),
)
def test_any_bytes_with_any_hint_come_back(
    codec: Codec, data: bytes, kind: str, itemsize: int, row: int, level: int
) -> None:
    assert_exact(codec, data, Elements(kind, itemsize, row), level)


@pytest.mark.parametrize("codec", [NumericCodec(), DeltaCodec(), LzmaCodec()])
@pytest.mark.parametrize("dtype", NUMBER_TYPES)
def test_no_one_and_broken_elements_come_back(codec: Codec, dtype: str) -> None:
    kind, itemsize = dtype[1], int(dtype[2])
    numbers = (np.arange(300) % 100).astype(dtype).tobytes()
    for length in (0, 1, itemsize, itemsize + 1, 2 * itemsize, len(numbers), len(numbers) - 1):
        assert_exact(codec, numbers[:length], Elements(kind, itemsize))


@pytest.mark.parametrize("dtype", NUMBER_TYPES)
def test_a_column_of_numbers_is_smaller_than_by_zstd(dtype: str) -> None:
    generator = np.random.default_rng(7)
    drawn = generator.normal(60, 6, 8_000)
    numbers = (np.round(drawn, 1) if dtype[1] == "f" else np.round(drawn)).astype(dtype)
    payload = assert_exact(NumericCodec(), numbers.tobytes(), elements_of(numbers))
    assert payload[0] == PCODEC
    assert len(payload) < len(ZstdCodec().encode(numbers.tobytes(), level=6))


@pytest.mark.parametrize("dtype", ["<i2", "<u4", "<i8", "<u8"])
@pytest.mark.parametrize("level", [3, 9])
def test_increasing_integers_are_smaller_than_by_zstd(dtype: str, level: int) -> None:
    steps = np.random.default_rng(11).choice([1, 1, 1, 2, 5], 6_000)
    numbers = np.cumsum(steps).astype(dtype)
    payload = assert_exact(DeltaCodec(), numbers.tobytes(), elements_of(numbers), level)
    assert payload[0] >= DELTA
    assert len(payload) < len(ZstdCodec().encode(numbers.tobytes(), level=level)) / 2


def test_differences_wrap_around() -> None:
    numbers = np.array([0, -(2**63), 2**63 - 1, -1, 1] * 50, "<i8")
    assert assert_exact(DeltaCodec(), numbers.tobytes(), elements_of(numbers))[0] >= DELTA


def test_wide_elements_are_smaller_by_lzma_than_by_zstd() -> None:
    numbers = np.random.default_rng(3).normal(0, 1, 8_000).round(2)
    assert len(assert_exact(LzmaCodec(), numbers.tobytes(), elements_of(numbers), 9)) < len(
        ZstdCodec().encode(numbers.tobytes(), level=9)
    )


def test_numbers_of_many_chunks_come_back_and_each_chunk_is_checked() -> None:
    numbers = np.arange(2 * CHUNK + 5, dtype="<u2")
    plaintext = numbers.tobytes() + b"x"
    codec = NumericCodec()
    payload = assert_exact(codec, plaintext, elements_of(numbers), 3)
    for wrong in (0, len(plaintext) - 2 * CHUNK, len(plaintext) - 2, len(plaintext) + 2, 1 << 40, 1 << 62):
        with pytest.raises(CorruptionError):
            codec.decode(payload, wrong)


@pytest.mark.parametrize("codec", [NumericCodec(), DeltaCodec(), LzmaCodec()])
def test_decoding_takes_about_twice_the_size(codec: Codec) -> None:
    numbers = np.arange(1 << 22, dtype="<i8") // 3
    payload = codec.encode(numbers.tobytes(), level=1, elements=elements_of(numbers))
    tracemalloc.start()
    try:
        codec.decode(payload, numbers.nbytes)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * numbers.nbytes
    finally:
        tracemalloc.stop()


def test_metadata_that_ask_for_memory_are_refused() -> None:
    codec = NumericCodec()
    plaintext = np.arange(1_000, dtype="<i8").tobytes()
    payload = codec.encode(plaintext, level=3, elements=Elements("i", 8))
    dictionary, window = 4, 2 << 4 | 31 << 8
    for word in (dictionary, window):
        damaged = bytearray(payload)
        damaged[5:7] = word.to_bytes(2, "little")
        with pytest.raises(CorruptionError, match=r"mode 4|window"):
            codec.decode(damaged, len(plaintext))


def test_a_format_of_later_libraries_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numeric_module, "_MAJOR_FORMAT", 99)
    assert assert_exact(NumericCodec(), np.arange(1_000, dtype="<i8").tobytes(), Elements("i", 8))[0] < PCODEC


def test_a_panic_is_corruption_and_other_interrupts_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    class Broken:
        error: BaseException = PanicException("index out of bounds")

        @property
        def wrapped(self) -> object:
            return self

        @property
        def FileDecompressor(self) -> object:
            raise self.error

    plaintext = np.arange(1_000, dtype="<i8").tobytes()
    payload = NumericCodec().encode(plaintext, level=3, elements=Elements("i", 8))
    broken = Broken()
    monkeypatch.setattr(numeric_module, "_find", lambda: broken)
    with pytest.raises(CorruptionError, match="out of bounds"):
        NumericCodec().decode(payload, len(plaintext))
    broken.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        NumericCodec().decode(payload, len(plaintext))


def test_without_pcodec_numbers_name_the_extra_and_other_bytes_work(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.arange(1_000, dtype="<i8").tobytes()
    payload = NumericCodec().encode(numbers, level=3, elements=Elements("i", 8))
    monkeypatch.setattr(numeric_module, "_find", lambda: None)
    assert not numeric_module.pcodec_installed()
    with pytest.raises(ConfigurationError, match="pip install pcodec"):
        NumericCodec().encode(numbers, level=3, elements=Elements("i", 8))
    with pytest.raises(ConfigurationError, match="pip install pcodec"):
        NumericCodec().decode(payload, len(numbers))
    assert_exact(NumericCodec(), noise(500), Elements())


_FUZZ = """
import random, resource, sys
from tests.engine.test_numeric_codecs import damaged_numbers, decode_damaged
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for payload, size in damaged_numbers(random.Random(5), 6_000):
    decode_damaged(payload, size)
sys.exit(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > 32 << 10)
"""


def damaged_numbers(generator: random.Random, rounds: int) -> list[tuple[bytes, int]]:
    """Return payloads of numbers with flipped bits, foreign bytes and changed first bytes, and their sizes."""
    good: list[tuple[bytes, int]] = []
    for dtype in NUMBER_TYPES:
        for numbers in (np.arange(700) * 7 % 90, np.tile(np.arange(50) ** 2 % 83, 30), np.arange(900) / 10):
            plaintext = numbers.astype(dtype).tobytes()
            payload = NumericCodec().encode(plaintext, level=6, elements=Elements(dtype[1], int(dtype[2])))
            good.append((payload, len(plaintext)))
    damaged: list[tuple[bytes, int]] = []
    for turn in range(rounds):
        payload, size = generator.choice(good)
        changed = bytearray(payload)
        place = generator.randrange(min(len(changed), 40) if turn % 2 else len(changed))
        if turn % 3:
            changed[place] ^= 1 << generator.randrange(8)
        else:
            changed[place:] = generator.randbytes(len(changed) - place)
        damaged.append((bytes(changed), size))
    return damaged


def decode_damaged(payload: bytes, size: int) -> None:
    try:
        decoded = NumericCodec().decode(payload, size)
    except CorruptionError:
        return
    assert len(decoded) == size


def test_damaged_numbers_neither_crash_nor_take_memory() -> None:
    done = subprocess.run([sys.executable, "-c", _FUZZ], timeout=60, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
