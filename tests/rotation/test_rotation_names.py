"""Vectors that a rotation names: the same bits everywhere, found again from the numbers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stratakv.engine.rotation import Multiples, Rotation
from stratakv.engine.rotation.form import Form
from stratakv.engine.rotation.gains import gains_of, nearest_gains
from stratakv.engine.rotation.model import EXACT_32
from stratakv.engine.rotation.statistics import Class, Statistics
from tests.rotation.vectors import cosines, flat, rotation, steep

Array = np.ndarray[Any, Any]


def _of_axes(axes: Array, step: float = 0.01) -> Rotation:
    dimension = len(axes)
    wide = Class(0, 126, (1,) * 254)
    nothing = Statistics((wide,), np.zeros(dimension, np.uint8), np.zeros(dimension, np.int32))
    return Rotation(Form(step, 0.99, 8.0, 128, axes, nothing))


def _products_of_integers(axes: Array, numbers: Array) -> list[list[int]]:
    return (numbers.astype(object) @ axes.astype(int).astype(object)).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_changed_vectors_are_found_again_to_the_bit(dtype: type) -> None:
    changed = rotation().changed(steep(300, 64, seed=2).astype(dtype))
    names = rotation().taken_apart(changed)
    assert names is not None
    assert changed.dtype == dtype
    assert rotation().put_together(names, dtype).tobytes() == changed.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("length", [1.0, 0.37, 21.7])
def test_changing_a_second_time_changes_nothing(dtype: type, length: float) -> None:
    vectors: Array = (steep(300, 64, seed=3) * length).astype(dtype)
    once = rotation().changed(vectors)
    assert rotation().changed(once).tobytes() == once.tobytes()


@pytest.mark.parametrize("min_cosine", [0.7, 0.9, 0.97])
def test_changing_twice_changes_nothing_where_much_may_be_lost(min_cosine: float) -> None:
    once = rotation(64, min_cosine).changed(steep(2000, 64, seed=3))
    assert rotation(64, min_cosine).changed(once).tobytes() == once.tobytes()
    assert rotation(64, min_cosine).taken_apart(once) is not None


def test_nearly_all_fresh_vectors_keep_the_cosine() -> None:
    fresh = steep(2000, 64, seed=4)
    kept = cosines(fresh, rotation().changed(fresh)) >= rotation().min_cosine
    assert kept.mean() >= 0.98


def test_vectors_unlike_the_samples_keep_the_cosine_too() -> None:
    fresh = flat(500, 64)
    assert cosines(fresh, rotation().changed(fresh)).min() >= rotation().min_cosine - 0.003


def test_one_by_one_gives_the_bits_of_a_batch() -> None:
    vectors = steep(200, 64, seed=5)
    model = rotation()
    together = model.changed(vectors)
    assert b"".join(model.changed(each[None]).tobytes() for each in vectors) == together.tobytes()
    names = model.taken_apart(together)
    assert names is not None
    alone = [model.put_together(Multiples(n[None], g[None]), np.float32) for n, g in zip(*names, strict=True)]
    assert np.concatenate(alone).tobytes() == together.tobytes()


def test_lengths_over_sixty_orders_of_magnitude_are_named() -> None:
    vectors = steep(121, 64, seed=6).astype(np.float64) * 10.0 ** np.arange(-30, 30.5, 0.5)[:, None]
    changed = rotation().changed(vectors)
    assert cosines(vectors, changed).min() >= rotation().min_cosine - 0.002
    assert rotation().taken_apart(changed) is not None
    assert np.abs(np.linalg.norm(changed, axis=1) / np.linalg.norm(vectors, axis=1) - 1).max() < 0.05


_OUT_OF_REACH = [
    (np.float32, 1e-43),
    (np.float64, 1e-320),
    (np.float32, 3e38),
    (np.float64, 1.7e308),
    (np.float16, 1e-6),
    (np.float16, 6e4),
]


@pytest.mark.parametrize(("dtype", "length"), _OUT_OF_REACH)
def test_vectors_that_a_type_holds_no_name_of_stay_as_they_are(dtype: type, length: float) -> None:
    direction = steep(1, 64, seed=7).astype(np.float64)
    vector = (direction / np.abs(direction).max() * length).astype(dtype)
    assert np.isfinite(vector).all()
    assert vector.any()
    assert rotation().changed(vector).tobytes() == vector.tobytes()


def test_zero_vectors_stay_and_have_no_name() -> None:
    zero = np.zeros((1, 64), np.float32)
    assert rotation().changed(zero).tobytes() == zero.tobytes()
    assert rotation().taken_apart(zero) is None


def test_a_vector_off_by_its_last_bit_has_no_name() -> None:
    vectors = rotation().changed(steep(50, 64, seed=8))
    vectors[17, 5] = np.nextafter(vectors[17, 5], np.float32(1))
    assert rotation().taken_apart(vectors) is None
    assert rotation().taken_apart(np.delete(vectors, 17, axis=0)) is not None


def test_vectors_not_finite_have_no_name() -> None:
    vectors = rotation().changed(steep(3, 64, seed=9))
    vectors[1, 0] = np.nan
    assert rotation().taken_apart(vectors) is None


def test_float32_and_float64_give_the_integers_on_both_sides_of_the_bound() -> None:
    source = np.random.default_rng(11)
    axes = source.integers(-127, 128, (96, 96)).astype(np.int8)
    model = _of_axes(axes)
    longest = float(np.sqrt((axes.astype(float) ** 2).sum(axis=0).max()))
    for share in (0.3, 0.98, 1.02, 40.0):
        numbers = source.normal(size=(1, 96))
        numbers = np.rint(numbers / np.linalg.norm(numbers) * share * EXACT_32 / longest).astype(np.int32)
        products = model._products(numbers)
        assert products.dtype == (np.float32 if share < 1 else np.float64)
        assert products.astype(int).tolist() == _products_of_integers(axes, numbers)


def test_the_largest_partial_sums_below_the_bound_are_exact_in_float32() -> None:
    axes = np.full((256, 256), 127, np.int8)
    axes[np.diag_indices(256)] = 126
    model = _of_axes(axes)
    most = int(EXACT_32 / 1.002 / (127 * 256))
    numbers = np.full((3, 256), most // 2, np.int32)
    numbers[1] = most // 2 - np.arange(256) % 2
    products = model._products(numbers)
    assert products.dtype == np.float32
    assert products.astype(int).tolist() == _products_of_integers(axes, numbers)


def test_no_vector_has_a_negative_zero() -> None:
    axes = np.eye(32, dtype=np.int8) * -128
    names = Multiples(np.zeros((2, 32), np.int32), np.zeros(2, np.int32))
    for numbers in (names.numbers, names.numbers + np.eye(2, 32, dtype=np.int32) * (1 << 26)):
        made = _of_axes(axes).put_together(Multiples(numbers, names.gains), np.float32)
        assert not np.signbit(made[made == 0]).any()


def test_gains_are_the_powers_of_the_sixteenth_root_of_two() -> None:
    numbers = np.arange(-320, 321)
    assert np.allclose(gains_of(numbers), 2.0 ** (numbers / 16), rtol=1e-6)
    assert gains_of(np.array([0])) == 1.0
    assert nearest_gains(gains_of(numbers)).tolist() == numbers.tolist()
