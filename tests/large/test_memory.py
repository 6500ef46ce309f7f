"""Values larger than RAM: a process that may have little of it passes them through."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def passed(directory: Path, megabytes: int, limit: int) -> dict[str, float]:
    """Pass a value through a store in a process of its own; return what it says of its RAM, in MB."""
    command = [sys.executable, "-m", "tests.large.passing", str(directory), str(megabytes), str(limit)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, float] = json.loads(done.stdout)
    return said


def test_a_value_passes_through_with_a_few_chunks_in_ram(tmp_path: Path) -> None:
    said = passed(tmp_path / "store", 96, 0)
    assert said["peak"] - said["imported"] < 80


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_four_gigabytes_pass_through_a_process_limited_to_300_mb(tmp_path: Path) -> None:
    assert passed(tmp_path / "store", 4096, 300)["peak"] < 300
