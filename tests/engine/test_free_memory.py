"""Memory that is free goes back to the system: what a process is seen to have is what it uses."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scale.memory import resident_bytes
from stratakv.engine.free_memory import REST, FreeMemory

ROOT = Path(__file__).resolve().parents[2]
MB = 1 << 20
PIECE = 64 * 1024

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library cannot give memory back when asked"
)


def left_free() -> bytes:
    """Let 100 MB be free below what is returned."""
    pieces = [bytes([1]) * PIECE for _ in range(100 * MB // PIECE)]
    return pieces[-1]


def test_freed_memory_is_given_back() -> None:
    last = left_free()
    before = resident_bytes()
    FreeMemory(lambda: 0.0).give_back()
    assert before - resident_bytes() > 80 * MB
    assert len(last) == PIECE


def test_giving_back_rests_for_many_times_as_long_as_it_took() -> None:
    moments = iter([0.0, 0.0, 1.0, REST, REST + 2.0, REST + 3.0])
    memory = FreeMemory(lambda: next(moments))
    memory.give_back()
    last = left_free()
    before = resident_bytes()
    memory.give_back()
    assert before - resident_bytes() < 20 * MB
    memory.give_back()
    assert before - resident_bytes() > 80 * MB
    assert len(last) == PIECE


PROGRAM = """
import ctypes, random, sys
from benchmarks.scale.memory import resident_bytes
from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.clock import ManualClock

chance = random.Random(1)
config = OptimizationConfig(tiered_storage={"hot_capacity_mb": 4})
with OptimizationMiddleware(config=config, path=sys.argv[1], clock=ManualClock()) as memory:
    for load in range(2):
        memory.store_many({f"{load}:{number}": {"text": chance.randbytes(300).hex()} for number in range(4_000)})
        memory.maintain()
    before = resident_bytes()
    ctypes.CDLL(None).malloc_trim(0)
    print(before - resident_bytes())
"""


def test_a_store_at_rest_keeps_no_free_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "store")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 3 * MB
