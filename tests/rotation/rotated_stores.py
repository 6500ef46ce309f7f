"""Stores that learn rotations, for tests: how they are opened, fed and looked into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.rotation.book import RotationBook

Array = np.ndarray[Any, Any]

BOUND = 0.995
ROTATED = {"vectors": {"match": "v:*", "lossy": True, "strategy": "rotated", "min_cosine": BOUND}}


def open_store(path: Path, **settings: Any) -> OptimizationMiddleware:
    settings = {"namespaces": ROTATED, **settings}
    config = OptimizationConfig(enabled=True, storage={"path": str(path)}, **settings)
    return OptimizationMiddleware(config=config, clock=ManualClock())


def feed(memory: OptimizationMiddleware, rows: Array, start: int = 0) -> dict[str, bytes]:
    """Store vectors one by one; return what was acknowledged, by key."""
    keys = [f"v:{start + number:05d}" for number in range(len(rows))]
    for key, row in zip(keys, rows, strict=True):
        memory[key] = row
    return {key: memory[key].tobytes() for key in keys}


def rotations(memory: OptimizationMiddleware) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = memory.get_statistics()["compression"]["rotations"]
    return listed


def loss(memory: OptimizationMiddleware) -> dict[str, Any]:
    counted: dict[str, Any] = memory.get_statistics()["compression"]["loss"]
    return counted


def book(memory: OptimizationMiddleware) -> RotationBook:
    return memory.tiered_storage._store.parts.compression.rotations


def in_ram(memory: OptimizationMiddleware, key: str) -> Encoded:
    return memory.tiered_storage._store.parts.hot.entries[key].blob.encoded


def cosine(before: Array, after: Array) -> float:
    """Return the least cosine between rows."""
    old, new = before.reshape(-1, before.shape[-1]).astype("f8"), after.reshape(-1, after.shape[-1]).astype("f8")
    return float(((old * new).sum(1) / np.linalg.norm(old, axis=1) / np.linalg.norm(new, axis=1)).min())
