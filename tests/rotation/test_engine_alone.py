"""ROTATED in a compression engine of its own: learned on request, and said truly in the result."""

from __future__ import annotations

import numpy as np
import pytest

from stratakv import CompressionEngine, CompressionStrategy, OptimizationConfig, OptimizationMiddleware
from stratakv.engine.rotation import DEFAULT_MIN_COSINE
from stratakv.errors import ConfigurationError
from tests.rotation.rotated_stores import cosine
from tests.rotation.vectors import flat, steep

ROTATED = CompressionStrategy.ROTATED


def test_without_a_rotation_it_is_steps_of_8_bits_and_says_so() -> None:
    engine = CompressionEngine()
    row = steep(1, 64)[0]
    made = engine.compress(row, ROTATED)
    assert made.strategy is CompressionStrategy.QUANTIZE_INT8
    assert made.loss is not None
    assert made.loss.without_rotation == {"no rotation yet": 1}
    assert made.loss.cosine >= DEFAULT_MIN_COSINE
    found = engine.decompress(made).data
    assert isinstance(found, np.ndarray)
    assert cosine(row, found) == pytest.approx(made.loss.cosine)


def test_a_learned_rotation_is_used_from_then_on() -> None:
    engine = CompressionEngine()
    assert engine.learn_rotation(steep(2000, 64))
    row = steep(1, 64, seed=5)[0]
    made = engine.compress(row, ROTATED)
    assert made.strategy is ROTATED
    assert made.compressed_size < row.nbytes / 4
    found = engine.decompress(made).data
    assert isinstance(found, np.ndarray)
    assert made.loss is not None
    assert cosine(row, found) == pytest.approx(made.loss.cosine)
    assert engine.compress(found, ROTATED).data == made.data, "once lost is lost once"
    assert engine.compress(row).strategy is not ROTATED, "nothing is lost that was not asked for"
    (report,) = engine.get_statistics()["rotations"]
    assert (report["dimension"], report["current"]) == (64, True)


def test_the_bound_chooses_the_size() -> None:
    sizes = []
    for bound in (0.999, 0.99, 0.95):
        engine = CompressionEngine(OptimizationConfig(compression={"min_cosine": bound}))
        assert engine.learn_rotation(steep(2000, 64))
        made = [engine.compress(row, ROTATED) for row in steep(50, 64, seed=5)]
        assert all(each.loss is not None and each.loss.cosine >= bound for each in made)
        sizes.append(sum(each.compressed_size for each in made))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < 0.7 * sizes[0]


def test_too_few_vectors_give_no_rotation() -> None:
    engine = CompressionEngine()
    assert not engine.learn_rotation(steep(20, 64))
    assert not engine.learn_rotation(flat(100, 8))
    assert not engine.learn_rotation(np.full((200, 64), np.nan, "f4"))


def test_what_has_no_arrays_is_compressed_as_ever() -> None:
    engine = CompressionEngine()
    engine.learn_rotation(steep(2000, 64))
    text = {"text": "words upon words " * 50}
    made = engine.compress(text, ROTATED)
    assert engine.decompress(made).data == text
    assert made.ratio > 5


def test_an_engine_of_a_store_learns_from_the_store_alone() -> None:
    with OptimizationMiddleware() as memory, pytest.raises(ConfigurationError, match="store"):
        memory.compression_engine.learn_rotation(steep(500, 64))
