"""Codec 17: plaintexts with rotated vectors, in a few bits a coordinate and back to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv.engine.codecs.rotated import Rotated, decode_rotated, encode_rotated
from stratakv.engine.serialization import Serializer, segments
from tests.rotation.vectors import flat, rotation, steep

if TYPE_CHECKING:
    from stratakv.engine.rotation import Rotation

Array = np.ndarray[Any, Any]

_dumps = Serializer().dumps


def _encoded(model: Rotation, values: list[Any]) -> tuple[Rotated, bytes]:
    plaintexts = [_dumps(value) for value in values]
    made = encode_rotated(model, plaintexts, [segments(each) for each in plaintexts])
    assert made is not None
    return made, b"".join(plaintexts)


def _comes_back(model: Rotation, values: list[Any], vectors: int) -> Rotated:
    made, plain = _encoded(model, values)
    assert decode_rotated(model, made.payload, len(plain)) == plain
    assert made.vectors == vectors
    assert len(made.payload) < len(plain)
    return made


def _changed(count: int, dtype: type = np.float32, seed: int = 2) -> Array:
    return rotation().changed(steep(count, 64, seed).astype(dtype))


@pytest.mark.parametrize("count", [1, 2, 63, 64, 200, 3000])
def test_single_vectors_come_back_to_the_bit(count: int) -> None:
    _comes_back(rotation(), list(_changed(count)), count)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("count", [3, 100])
def test_vectors_of_every_type_come_back(dtype: type, count: int) -> None:
    vectors = _changed(count, dtype)
    _comes_back(rotation(), [vectors], count)
    _comes_back(rotation(), list(vectors), count)


def test_values_of_many_shapes_come_back() -> None:
    vectors = _changed(40)
    values: list[Any] = [
        {"id": 7, "vector": vectors[0], "text": "seven"},
        vectors[1:5],
        ["no vector", 3],
        (vectors[5].astype(np.float64), flat(1, 64)[0]),
        {"many": [*vectors[6:12]], "ids": np.arange(64)},
        vectors[12:20].reshape(2, 4, 64),
        np.zeros(64, np.float32),
        vectors[20],
        rotation().changed(steep(3, 64, seed=9).astype(np.float16)),
    ]
    made, plain = _encoded(rotation(), values)
    assert decode_rotated(rotation(), made.payload, len(plain)) == plain
    # A float32 vector as float64 is not to the bit what the model gives in float64.
    assert made.vectors == 1 + 4 + 6 + 8 + 1 + 3


def test_fortran_arrays_are_left_to_the_rest() -> None:
    vectors = _changed(50)
    _comes_back(rotation(), [np.asfortranarray(vectors), vectors[0]], 1)


def test_vectors_with_lengths_come_back() -> None:
    lengths = 10.0 ** np.random.default_rng(1).uniform(-10, 10, (80, 1))
    vectors = rotation().changed((steep(80, 64) * lengths).astype(np.float32))
    _comes_back(rotation(), list(vectors), 80)
    _comes_back(rotation(), list(vectors[:3]), 3)


@pytest.mark.parametrize("count", [1, 5, 120])
def test_multiples_out_of_reach_come_back(count: int) -> None:
    far = rotation().put_together(rotation().nearest(np.eye(64, dtype=np.float32)[:1] * 1), np.float32)
    vectors = np.repeat(far, count, axis=0)
    names = rotation().taken_apart(vectors)
    assert names is not None
    assert len(rotation().statistics.symbols(names.numbers).escaped) >= count
    _comes_back(rotation(), list(vectors), count)


@pytest.mark.parametrize("count", [1, 120])
def test_multiples_with_low_bits_come_back(count: int) -> None:
    model = rotation(64, 0.99999)
    assert any(kind.shift for kind in model.statistics.classes)
    _comes_back(model, list(model.changed(steep(count, 64, seed=3))), count)


@pytest.mark.parametrize("count", [1, 100])
def test_a_model_without_axes_keeps_vectors_too(count: int) -> None:
    from stratakv.engine.rotation import trained

    model = trained(steep(300, 64), 0.99, 20_000)
    assert model is not None
    assert not model.rotates
    _comes_back(model, list(model.changed(steep(count, 64, seed=4))), count)


def test_sizes_are_near_the_entropy_alone_and_in_blocks() -> None:
    vectors = rotation(384, 0.996).changed(steep(170, 384, seed=5))
    expected = rotation(384, 0.996).bits * 384 / 8
    block = _comes_back(rotation(384, 0.996), list(vectors), 170)
    alone = [len(_comes_back(rotation(384, 0.996), [each], 1).payload) for each in vectors[:40]]
    assert len(block.payload) / 170 < 1.06 * expected
    assert np.mean(alone) < 1.06 * expected + 2
    assert block.bits == pytest.approx(len(block.payload) * 8 / vectors.size, rel=0.02)


def test_a_bare_vector_costs_one_byte_around_its_multiples() -> None:
    made = _comes_back(rotation(), [_changed(1)[0]], 1)
    assert len(made.payload) == 1 + round(made.bits * 64 / 8)


def test_plaintexts_without_vectors_of_the_model_are_refused() -> None:
    for value in ({"a": 1}, steep(3, 64), flat(1, 64)[0], np.zeros(64, np.float32), steep(4, 32), np.arange(64)):
        plaintext = _dumps(value)
        assert encode_rotated(rotation(), [plaintext], [segments(plaintext)]) is None


def test_the_model_of_a_shorter_dimension_takes_no_row_apart() -> None:
    vectors = rotation(64).changed(steep(4, 64)).reshape(2, 128)
    plaintext = _dumps(vectors)
    assert encode_rotated(rotation(64), [plaintext], [segments(plaintext)]) is None
