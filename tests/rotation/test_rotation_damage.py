"""Damaged payloads and models: an error or other bytes of the right length, never more memory than is due."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import numpy as np
import pytest

from stratakv.engine.codecs.rotated import decode_rotated, encode_rotated
from stratakv.engine.rotation import Rotation
from stratakv.engine.serialization import Serializer, segments
from stratakv.errors import CorruptionError
from tests.rotation.vectors import rotation, steep

_dumps = Serializer().dumps


def _payload(count: int) -> tuple[bytes, int]:
    vectors = rotation().changed(steep(count, 64, seed=2) * np.float32(3))
    plaintexts = [_dumps({"n": number, "v": each}) for number, each in enumerate(vectors)]
    made = encode_rotated(rotation(), plaintexts, [segments(each) for each in plaintexts])
    assert made is not None
    return made.payload, sum(map(len, plaintexts))


def _survives(payload: bytes, size: int) -> None:
    with suppress(CorruptionError):
        assert len(decode_rotated(rotation(), payload, size)) == size


@pytest.mark.parametrize("count", [1, 100])
def test_a_cut_payload_is_named_damaged(count: int) -> None:
    payload, size = _payload(count)
    for stop in range(0, len(payload), max(1, len(payload) // 200)):
        _survives(payload[:stop], size)
    with pytest.raises(CorruptionError):
        decode_rotated(rotation(), b"", size)


@pytest.mark.parametrize("count", [1, 100])
def test_a_wrong_size_is_named_damaged(count: int) -> None:
    payload, size = _payload(count)
    for wrong in (0, 1, size - 8, size + 8, 1 << 40):
        with pytest.raises(CorruptionError):
            decode_rotated(rotation(), payload, wrong)


@pytest.mark.parametrize("count", [1, 100])
def test_flipped_bytes_give_an_error_or_bytes_of_the_size(count: int) -> None:
    payload, size = _payload(count)
    source = np.random.default_rng(3)
    for _ in range(400):
        spoilt = bytearray(payload)
        for place in source.integers(0, min(len(payload), 80 if source.random() < 0.5 else len(payload)), 2):
            spoilt[place] = source.integers(0, 256)
        _survives(bytes(spoilt), size)


def test_random_bytes_are_survived() -> None:
    source = np.random.default_rng(4)
    for length in range(1, 200):
        _survives(bytes((source.integers(0, 16),)) + source.bytes(length), int(source.integers(0, 5000)))


def test_claims_of_many_vectors_take_no_memory() -> None:
    model = rotation()
    before, behind, itemsize = model.template
    each = len(before) + len(behind) + 64 * itemsize
    payloads = [bytes((form, *b"\x81\x80\x80")) for form in range(16)]
    tracemalloc.start()
    try:
        for payload in payloads:
            with pytest.raises(CorruptionError):
                decode_rotated(model, payload, each * (1 << 24))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_decoding_takes_about_twice_the_size(dtype: type) -> None:
    vectors = rotation().changed(steep(60_000, 64, seed=5).astype(dtype))
    plaintext = _dumps(vectors)
    made = encode_rotated(rotation(), [plaintext], [segments(plaintext)])
    assert made is not None
    tracemalloc.start()
    try:
        plain = decode_rotated(rotation(), made.payload, len(plaintext))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert plain == plaintext
    assert peak < 2.3 * len(plaintext) + (4 << 20)


def test_a_damaged_model_is_named_damaged() -> None:
    content = rotation(16, 0.99).content
    for stop in range(0, len(content), 3):
        with pytest.raises(CorruptionError):
            Rotation.from_bytes(content[:stop])
    source = np.random.default_rng(6)
    for _ in range(400):
        spoilt = bytearray(content)
        spoilt[source.integers(0, len(content))] = source.integers(0, 256)
        try:
            model = Rotation.from_bytes(bytes(spoilt))
        except CorruptionError:
            continue
        assert model.dimension == 16
        model.changed(steep(2, 16))


def test_a_model_that_cannot_be_undone_is_damaged() -> None:
    from stratakv.engine.rotation.form import from_content, to_content

    form = from_content(rotation(16, 0.99).content)
    with pytest.raises(CorruptionError):
        Rotation.from_bytes(to_content(form._replace(axes=np.ones((16, 16), np.int8))))


def test_a_claimed_dimension_is_refused_before_it_is_made() -> None:
    content = bytearray(rotation(16, 0.99).content)
    content[8:12] = (1 << 31).to_bytes(4, "little")
    with pytest.raises(CorruptionError):
        Rotation.from_bytes(bytes(content))
