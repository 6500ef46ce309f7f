"""Small generated traces in a directory, laid out as recorded ones are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

REQUESTS = 3_000


def popular(requests: int = REQUESTS, keys: int = 300, seed: int = 3) -> NDArray[np.uint32]:
    """Return keys of reads, few of them often."""
    weights = np.arange(1, keys + 1) ** -0.8
    return np.random.default_rng(seed).choice(keys, requests, p=weights / weights.sum()).astype(np.uint32)


def looped(requests: int = REQUESTS, keys: int = 60) -> NDArray[np.uint32]:
    """Return keys of reads that go round."""
    return (np.arange(requests) % keys).astype(np.uint32)


def write_traces(directory: Path, reference: dict[str, Any] | None = None, **traces: dict[str, Any]) -> Path:
    """Write traces, and perhaps reference figures, into a directory; return it."""
    (directory / "traces").mkdir(parents=True)
    for name, columns in traces.items():
        np.savez(directory / "traces" / f"{name}.npz", **columns)
    if reference is not None:
        (directory / "reference_hit_ratios.json").write_text(json.dumps(reference))
    return directory
