"""Every codec of ours keeps the promises of `Codec`, and the registry finds it."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.engine.codecs import (
    UNTYPED,
    BloscCodec,
    Buffer,
    Codec,
    Elements,
    Lz4Codec,
    PartsCodec,
    RawCodec,
    ZlibCodec,
    ZstdCodec,
    ZstdFrames,
    codec_by_id,
    register_codec,
)
from stratakv.engine.codecs.binarize import BinarizeCodec
from stratakv.engine.codecs.bits import BitsCodec
from stratakv.engine.codecs.columns import ColumnsCodec
from stratakv.engine.codecs.delta import DeltaCodec
from stratakv.engine.codecs.lzma_raw import LzmaCodec
from stratakv.engine.codecs.numeric import NumericCodec
from stratakv.engine.codecs.quantize_int4 import QuantizeInt4Codec
from stratakv.engine.codecs.quantize_int8 import QuantizeInt8Codec
from stratakv.engine.codecs.sparse_csr import SparseCsrCodec
from stratakv.engine.codecs.stack import StackCodec
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.testing.codec_suite import CodecSuite, noise, words
from stratakv.types import CompressionStrategy


class Segment(NamedTuple):
    start: int
    stop: int
    elements: Elements


class TestRawCodec(CodecSuite):
    def make_codec(self) -> Codec:
        return RawCodec()


class TestZlibCodec(CodecSuite):
    def make_codec(self) -> Codec:
        return ZlibCodec()


class TestLz4Codec(CodecSuite):
    def make_codec(self) -> Codec:
        return Lz4Codec()


class TestZstdCodec(CodecSuite):
    levels = (1, 3, 9, 15, 19, 22)

    def make_codec(self) -> Codec:
        return ZstdCodec()


class TestBloscCodec(CodecSuite):
    def make_codec(self) -> Codec:
        return BloscCodec()


class TestBloscCodecOfManyChunks(CodecSuite):
    levels = (3,)

    def make_codec(self) -> Codec:
        return BloscCodec(chunk_bytes=100_000)


class TestPartsCodec(CodecSuite):
    def make_codec(self) -> Codec:
        return PartsCodec()


class TestPartsCodecWithoutBlosc(CodecSuite):
    def make_codec(self) -> Codec:
        return PartsCodec(blosc=False)


class TestStackCodec(CodecSuite):
    levels = (1, 9)

    def make_codec(self) -> Codec:
        return StackCodec()


class ReversedCodec(Codec):
    id = 200
    strategy = CompressionStrategy.NONE

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        return bytes(plaintext)[::-1]

    def decode(self, payload: Buffer, size: int) -> bytes:
        if len(payload) != size:
            raise CorruptionError("wrong size")
        return bytes(payload)[::-1]


class TestCodecOfOthers(CodecSuite):
    def make_codec(self) -> Codec:
        return ReversedCodec()


@pytest.mark.parametrize(
    ("codec_id", "kind"),
    [
        (1, RawCodec),
        (2, ZlibCodec),
        (3, Lz4Codec),
        (4, ZstdCodec),
        (5, BloscCodec),
        (6, PartsCodec),
        (7, LzmaCodec),
        (8, NumericCodec),
        (9, BitsCodec),
        (10, SparseCsrCodec),
        (11, QuantizeInt8Codec),
        (12, QuantizeInt4Codec),
        (13, BinarizeCodec),
        (14, ColumnsCodec),
        (15, DeltaCodec),
        (16, StackCodec),
    ],
)
def test_ids_on_disk_never_change(codec_id: int, kind: type[Codec]) -> None:
    assert type(codec_by_id(codec_id)) is kind


@pytest.mark.parametrize("codec_id", [0, 17, 127, 128, 255])
def test_unknown_id_is_corruption(codec_id: int) -> None:
    with pytest.raises(CorruptionError, match=str(codec_id)):
        codec_by_id(codec_id)


def test_registered_codec_of_others_is_found() -> None:
    register_codec(ReversedCodec())
    register_codec(ReversedCodec())
    assert codec_by_id(200).decode(b"cba", 3) == b"abc"


@pytest.mark.parametrize("codec_id", [0, 4, 127, 256])
def test_codec_of_others_with_an_id_of_ours_is_refused(codec_id: int) -> None:
    codec = ReversedCodec()
    codec.id = codec_id
    with pytest.raises(ConfigurationError, match=str(codec_id)):
        register_codec(codec)


def test_taken_id_is_refused() -> None:
    class Other(ReversedCodec):
        id = 201

    class Second(ReversedCodec):
        id = 201

    register_codec(Other())
    with pytest.raises(ConfigurationError, match="Other"):
        register_codec(Second())


@pytest.mark.parametrize("size", [1, 255, 256, 2047, 2048, 65_791, 65_792, 1 << 20])
@pytest.mark.parametrize("level", [1, 19])
def test_zstd_payload_is_a_frame_without_its_header(size: int, level: int) -> None:
    plaintext = words(size)
    payload = ZstdFrames().encode(plaintext, level)
    whole = zstandard.ZstdCompressor(level=level, write_content_size=False).compress(plaintext)
    header = zstandard.frame_header_size(whole)
    assert len(payload) <= len(whole) - header
    magic = zstandard.MAGIC_NUMBER.to_bytes(4, "little")
    rebuilt = magic + b"\xa0" + size.to_bytes(4, "little") + payload
    assert zstandard.ZstdDecompressor().decompress(rebuilt) == plaintext


def test_zlib_payload_is_a_bare_deflate_stream() -> None:
    plaintext = words(3_000)
    assert zlib.decompress(ZlibCodec().encode(plaintext, level=6), wbits=-15) == plaintext


@pytest.mark.parametrize("dictionary", [b"", b"not a dictionary", b"\x37\xa4\x30\xec" + bytes(100)])
def test_damaged_dictionary_is_corruption(dictionary: bytes) -> None:
    with pytest.raises(CorruptionError, match="dictionary"):
        ZstdFrames(dictionary).encode(b"x" * 100, 3)
    with pytest.raises(CorruptionError, match="dictionary"):
        ZstdFrames(dictionary).decode(b"\x01\x00\x00", 100)


def test_blosc_chunk_of_uninitialised_memory_is_corruption() -> None:
    payload = bytearray(BloscCodec().encode(bytes(80_000), level=3, elements=Elements(itemsize=8)))
    payload[31] = 0x40
    with pytest.raises(CorruptionError, match="header"):
        BloscCodec().decode(payload, 80_000)


def test_shuffled_numbers_are_smaller_than_plain_ones() -> None:
    numbers = b"".join(int(1e9 + number * 977).to_bytes(8, "little") for number in range(20_000))
    plain = len(ZstdCodec().encode(numbers, level=3))
    assert len(BloscCodec().encode(numbers, level=3, elements=Elements(itemsize=8))) < plain / 2
    assert len(PartsCodec(blosc=False).encode(numbers, level=3, elements=Elements(itemsize=8))) < plain / 2
    assert len(PartsCodec().encode(numbers, level=3, elements=Elements(itemsize=8))) < plain / 2


def test_part_that_does_not_compress_is_raw() -> None:
    plaintext = words(1_000) + noise(4_000)
    parts = [Segment(0, 1_000, UNTYPED), Segment(1_000, 5_000, Elements("V", 4))]
    payload = PartsCodec().encode_segments(plaintext, parts, 3).payload
    assert plaintext[1_000:] in payload
    assert len(payload) < 4_500
    assert PartsCodec().decode(payload, 5_000) == plaintext


def test_many_small_arrays_do_not_make_many_parts() -> None:
    plaintext = bytes(range(1, 9)) * 5_000
    segments = [Segment(at, at + 8, Elements("V", 8)) for at in range(0, len(plaintext), 8)]
    payload = PartsCodec().encode_segments(plaintext, segments, 3).payload
    assert payload[0] == 1
    assert len(payload) < 200


@pytest.mark.parametrize(
    "segments",
    [
        [Segment(0, 20, UNTYPED)],
        [Segment(0, 6, UNTYPED), Segment(5, 10, UNTYPED)],
        [Segment(5, 3, UNTYPED)],
        [Segment(0, 5, Elements("V", 0))],
    ],
)
def test_segments_that_do_not_fit_are_refused(segments: list[Segment]) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        PartsCodec().encode_segments(b"0123456789", segments, 3)


def test_container_of_more_parts_than_bytes_is_corruption() -> None:
    with pytest.raises(CorruptionError):
        PartsCodec().decode(b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\x00" * 50, 100)


@settings(max_examples=150, deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(0, 600), st.integers(1, 16), st.integers(0, 3)), max_size=8),
    blosc=st.booleans(),
    level=st.sampled_from([1, 3, 9]),
)
def test_any_segmentation_comes_back(lengths: list[tuple[int, int, int]], blosc: bool, level: int) -> None:
    segments, content, at = [], bytearray(), 0
    for length, itemsize, gap in lengths:
        content += noise(gap) + words(length)
        segments.append(Segment(at + gap, at + gap + length, Elements("V", itemsize)))
        at += gap + length
    codec = PartsCodec(blosc=blosc)
    payload = codec.encode_segments(bytes(content), segments, level).payload
    assert PartsCodec().decode(payload, at) == content


@settings(max_examples=300, deadline=None)
@given(codec_id=st.sampled_from(range(2, 17)), payload=st.binary(max_size=200), size=st.integers(0, 1 << 20))
def test_garbage_is_corruption_or_of_the_asked_size(codec_id: int, payload: bytes, size: int) -> None:
    try:
        decoded = codec_by_id(codec_id).decode(payload, size)
    except CorruptionError:
        return
    assert len(decoded) == size


@pytest.mark.parametrize("blosc", [True, False, None])
@pytest.mark.parametrize("width", [2, 16, 127, 128, 200, 255])
@pytest.mark.parametrize("level", [1, 9])
def test_elements_of_every_width_come_back_in_a_container(width: int, blosc: bool | None, level: int) -> None:
    codec = PartsCodec(blosc=blosc)
    plaintext = b"".join(bytes([n % 251]) + bytes(width - 1) for n in range(400))
    payload = codec.encode(plaintext, level=level, elements=Elements("V", width))
    assert len(payload) < len(plaintext)
    assert PartsCodec().decode(payload, len(plaintext)) == plaintext
