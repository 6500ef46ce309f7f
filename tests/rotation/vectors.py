"""Vectors for tests: clustered directions with a steep spectrum, as embeddings have, and such without any."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from stratakv.engine.rotation import Rotation, trained

Array = np.ndarray[Any, Any]


def steep(count: int, dimension: int, seed: int = 1) -> Array:
    """Return unit vectors that mostly lie in few directions, none of them an axis."""
    source = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(dimension, dimension)))[0]
    spread = 1.0 / (1.0 + np.arange(dimension)) ** 0.7
    rows = (source.normal(size=(count, dimension)) * spread + 0.3 * spread[::-1]) @ turn
    return _unit(rows)


def flat(count: int, dimension: int, seed: int = 1) -> Array:
    """Return unit vectors of all directions alike."""
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return _unit(rows)


def _unit(rows: Array) -> Array:
    unit: Array = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@cache
def rotation(dimension: int = 64, min_cosine: float = 0.995) -> Rotation:
    """Return a model of steep vectors."""
    found = trained(steep(600, dimension), min_cosine, 1 << 30)
    assert found is not None
    return found


def cosines(before: Array, after: Array) -> Array:
    old, new = before.astype(np.float64), after.astype(np.float64)
    result: Array = (old * new).sum(axis=1) / np.linalg.norm(old, axis=1) / np.linalg.norm(new, axis=1)
    return result
