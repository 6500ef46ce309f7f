"""Owns sending a file through a store as a stream and back; run as a process of its own, whose RAM is then told.

`python -m benchmarks.large.passage FILE DIR` prints JSON. What a plain copy of the file with its digest takes is
measured in the same process, before and after.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, BinaryIO

from benchmarks.reduction.sizes import files_of
from stratakv import OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable

STRIDE = 1 << 20
KEY = "stream"


def passed(file: Path, directory: Path) -> dict[str, Any]:
    """Store a file as a stream, read it back, settle, and read it again.

    Args:
        file: What to store.
        directory: Gets a store and, for a moment, a copy of the file.
    """
    imported = peak_bytes()
    times: dict[str, float] = {}
    times["copy"], digest = _timed(lambda: _copied(file, directory / "copy"))
    path = directory / "store"
    with OptimizationMiddleware(config=OptimizationConfig(enabled=True), path=path) as memory:
        with file.open("rb") as stream:
            times["store_stream"], _ = _timed(lambda: memory.store_stream(KEY, stream))
        times["open, warm"], warm = _timed(lambda: _read(memory))
        memory.maintain(settle=True)
        times["open, cold"], cold = _timed(lambda: _read(memory))
        memory.maintain(settle=True)
    times["copy again"], _ = _timed(lambda: _copied(file, directory / "copy"))
    return {
        "same": warm == digest == cold,
        "peak_bytes": peak_bytes(),
        "imported_bytes": imported,
        "seconds": times,
        "rest_bytes": files_of(path).total,
    }


def peak_bytes() -> int:
    """Return the most RAM that this process had in use so far, as the system counts it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        # What getrusage tells includes the parent's until this program was loaded.
        return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = perf_counter()
    made = work()
    return perf_counter() - started, made


def _copied(file: Path, to: Path) -> str:
    with file.open("rb") as source, to.open("wb") as copy:
        digest = _digest(source, copy.write)
        copy.flush()
        os.fsync(copy.fileno())
    to.unlink()
    return digest


def _read(memory: OptimizationMiddleware) -> str:
    with memory.open(KEY) as stream:
        return _digest(stream, len)


def _digest(stream: BinaryIO | Any, each: Callable[[bytes], object]) -> str:
    digest = hashlib.sha256()
    while piece := stream.read(STRIDE):
        digest.update(piece)
        each(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    print(json.dumps(passed(Path(sys.argv[1]), Path(sys.argv[2]))))
