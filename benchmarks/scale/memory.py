"""Owns asking the system how much RAM this process has."""

from __future__ import annotations

from pathlib import Path

from benchmarks.large.passage import peak_bytes

__all__ = ["peak_bytes", "resident_bytes"]


def resident_bytes() -> int:
    """Return the RAM that this process has now; where the system does not tell, the most that it ever had."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return peak_bytes()
