"""What is learned from samples: the step for a bound, axes where they pay, a model no larger than it may be."""

from __future__ import annotations

import numpy as np
import pytest

from stratakv.engine.rotation import Rotation, trained
from tests.rotation.vectors import Array, cosines, flat, rotation, steep


def test_axes_are_learned_where_they_pay() -> None:
    turned = rotation(64, 0.995)
    straight = trained(steep(600, 64), 0.995, 20_000)
    assert straight is not None
    assert turned.rotates
    assert not straight.rotates
    assert turned.bits < 0.9 * straight.bits


def test_axes_are_not_learned_where_all_directions_are_alike() -> None:
    found = trained(flat(600, 64), 0.995, 1 << 22)
    assert found is not None
    assert not found.rotates
    # Rounding to steps moves each of 64 coordinates by step**2 / 12 on average, and the worst vectors by more.
    assert 0.8 < found.step / np.sqrt(24 * 0.005 / 64) < 1.0
    entropy = np.log2(np.sqrt(2 * np.pi * np.e) / 8 / found.step)
    assert found.bits == pytest.approx(entropy, abs=0.06)


@pytest.mark.parametrize("served", [8_000, 40_000, 200_000, 2_000_000])
def test_a_model_is_at_most_a_twentieth_of_what_it_serves(served: int) -> None:
    found = trained(steep(400, 64), 0.995, served)
    assert found is None or len(found.content) <= 0.05 * served


def test_a_model_without_axes_is_small() -> None:
    found = trained(steep(400, 384), 0.995, 60_000)
    assert found is not None
    assert not found.rotates
    assert len(found.content) < 2048


def test_a_tighter_bound_takes_a_smaller_step_and_more_bits() -> None:
    loose, tight = rotation(64, 0.98), rotation(64, 0.999)
    assert tight.step < loose.step / 3
    assert tight.bits > loose.bits + 1.5


def test_bounds_near_one_keep_wide_multiples() -> None:
    found = trained(steep(600, 64), 0.99999, 1 << 30)
    assert found is not None
    fresh = steep(300, 64, seed=2)
    changed = found.changed(fresh)
    assert cosines(fresh, changed).min() > 0.99998
    assert found.taken_apart(changed) is not None


def test_training_twice_gives_the_same_bytes() -> None:
    first, second = trained(steep(300, 48), 0.99, 1 << 24), trained(steep(300, 48), 0.99, 1 << 24)
    assert first is not None
    assert second is not None
    assert first.content == second.content


@pytest.mark.parametrize(("count", "dimension"), [(64, 256), (40, 16), (100, 1024)])
def test_fewer_samples_than_coordinates_still_give_a_model_that_keeps_the_bound(count: int, dimension: int) -> None:
    found = trained(steep(count, dimension), 0.99, 1 << 30)
    assert found is not None
    fresh = steep(200, dimension, seed=3)
    changed = found.changed(fresh)
    assert found.taken_apart(changed) is not None
    assert cosines(fresh, changed).min() > 0.98


def test_long_vectors_are_learned_without_axes() -> None:
    found = trained(flat(64, 4096), 0.99, 1 << 30)
    assert found is not None
    assert not found.rotates
    assert found.dimension == 4096


def test_lengths_of_all_kinds_keep_the_bound() -> None:
    lengths = 10.0 ** np.random.default_rng(5).uniform(-3, 3, (600, 1))
    found = trained((steep(600, 64) * lengths).astype(np.float32), 0.99, 1 << 30)
    assert found is not None
    fresh = (steep(600, 64, seed=6) * lengths).astype(np.float32)
    assert (cosines(fresh, found.changed(fresh)) >= 0.99).mean() > 0.98


def test_samples_without_direction_are_passed_over() -> None:
    samples = steep(300, 48)
    spoilt = np.concatenate([samples, np.zeros((5, 48), np.float32), np.full((5, 48), np.nan, np.float32)])
    assert trained(spoilt, 0.99, 1 << 24) is not None


@pytest.mark.parametrize("samples", [steep(10, 64), steep(400, 8), np.zeros((400, 64), np.float32)])
def test_too_little_to_learn_from_gives_no_model(samples: Array) -> None:
    assert trained(samples, 0.99, 1 << 30) is None


def test_a_model_that_saves_nothing_over_eight_bits_is_none() -> None:
    assert trained(flat(400, 64), 0.9999999, 1 << 30) is None


def test_a_stored_model_gives_the_same_vectors_and_bytes() -> None:
    model = rotation()
    again = Rotation.from_bytes(model.content)
    fresh = steep(100, 64, seed=4)
    assert again.changed(fresh).tobytes() == model.changed(fresh).tobytes()
    assert again.content == model.content
    assert (again.step, again.min_cosine, again.rotates) == (model.step, model.min_cosine, model.rotates)
    assert again.bits == pytest.approx(model.bits)
