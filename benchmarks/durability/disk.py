"""Owns what syncing costs on the medium itself: the ratios of this benchmark depend on it."""

from __future__ import annotations

import os
from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = 20
BLOCK = bytes(4096)


def sync_times(file: Path, samples: int = SAMPLES) -> list[float]:
    """Return microseconds that fdatasync took, each after 4 KB were appended to a file."""
    times = []
    with file.open("ab", buffering=0) as opened:
        for _ in range(samples):
            opened.write(BLOCK)
            begun = perf_counter_ns()
            os.fdatasync(opened.fileno())
            times.append((perf_counter_ns() - begun) / 1000)
    return times
