"""Owns the measurement of a value too large for RAM: makes its file, starts the process, reads what it tells."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.keeping import DifferenceError

_ROOT = Path(__file__).resolve().parents[2]
_MEGABYTE = 1 << 20


def streamed(megabytes: int) -> dict[str, Any]:
    """Send a value of so many MB through a process of its own.

    Raises:
        DifferenceError: It came back changed, or the process failed.
    """
    with tempfile.TemporaryDirectory(prefix="stratakv-large-") as directory:
        file = Path(directory) / "file"
        make(file, megabytes)
        told = passed_elsewhere(file, Path(directory))
    return {"megabytes": megabytes, "peak_mb": told.pop("peak_bytes") / _MEGABYTE, **told, "rates": _rates(told)}


def passed_elsewhere(file: Path, directory: Path) -> dict[str, Any]:
    """Return what `passage` tells of a file; errors as `streamed`."""
    command = [sys.executable, "-m", "benchmarks.large.passage", str(file.resolve()), str(directory.resolve())]
    ran = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        last = (ran.stderr.splitlines() or ["no message"])[-1]
        raise DifferenceError(f"the process that streams ended with {ran.returncode}: {last}")
    told: dict[str, Any] = json.loads(ran.stdout)
    if not told["same"]:
        raise DifferenceError("a stream came back changed")
    return told


def make(file: Path, megabytes: int) -> None:
    """Write hexadecimal digits: no stretch occurs twice, and a digit has half the bits of its byte."""
    chance = np.random.default_rng(1)
    with file.open("wb") as written:
        for _ in range(megabytes):
            written.write(chance.bytes(_MEGABYTE // 2).hex().encode())


def _rates(told: dict[str, Any]) -> dict[str, float]:
    """Return how often each way takes the time of a copy with digest; of two copies the mean."""
    seconds = told["seconds"]
    copy = (seconds["copy"] + seconds["copy again"]) / 2
    return {name: took / copy for name, took in seconds.items() if not name.startswith("copy")}
