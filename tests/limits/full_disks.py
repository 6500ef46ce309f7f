"""Disks that get full: a small RAM disk where mounting is allowed, and a file layer with a quota everywhere.

Both are a `Disk`: a directory, a store opened on it, and the means to give it more room.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig
from stratakv.engine.store import Store
from stratakv.errors import CapacityError
from stratakv.files import Files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stratakv.clock import Clock

MIB = 1 << 20
RESERVE = 256 * 1024
VALUE_BYTES = 16_000


def used_bytes(directory: Path) -> int:
    """Return the length of all files under a directory."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue  # removed meanwhile
    return total


class QuotaFiles(Files):
    """A file layer that writes only as long as the directory stays below a limit."""

    def __init__(self, directory: Path, limit: int) -> None:
        self.directory = directory
        self.limit = limit

    def write(self, descriptor: int, parts: list[bytes]) -> int:
        room = self.limit - used_bytes(self.directory)
        wanted = sum(map(len, parts))
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if wanted > room:
            return super().write(descriptor, [b"".join(parts)[:room]])
        return super().write(descriptor, parts)


class Disk:
    """A directory with little room."""

    def __init__(self, path: Path, files: Files | None) -> None:
        self.path = path
        self.files = files

    def open(self, clock: Clock | None = None, **storage: object) -> Store:
        """Open the store; without a clock given, one that stands still, so that no threads run."""
        config = OptimizationConfig(storage={"path": str(self.path / "store"), "reserve_kb": RESERVE >> 10, **storage})
        config.validate()
        return Store(config, clock=clock or ManualClock(), files=self.files)

    def enlarge(self, size: int) -> None:
        """Give it more room."""
        if isinstance(self.files, QuotaFiles):
            self.files.limit = size
        else:
            subprocess.run(["mount", "-o", f"remount,size={size}", str(self.path)], check=True)

    @property
    def reserve_is_there(self) -> bool:
        """Whether the reserve is filled."""
        file = self.path / "store" / "reserve"
        return file.exists() and file.stat().st_size == RESERVE


@contextlib.contextmanager
def small_disk(kind: str, path: Path, size: int) -> Iterator[Disk]:
    """Make a disk of a kind: "tmpfs" or "quota"."""
    path.mkdir()
    if kind == "quota":
        yield Disk(path, QuotaFiles(path, size))
        return
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "stratakv-test", str(path)],
        capture_output=True, text=True, check=False,
    ) if os.geteuid() == 0 else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip(f"a RAM disk cannot be mounted here: {mounted.stderr if mounted else 'needs root'}")
    try:
        yield Disk(path, None)
    finally:
        # Lazily: a failed test may have left its store open.
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(store: Store, *, seed: int = 1, checkpoint_every: int = 20) -> dict[str, bytes]:
    """Store values that do not shrink until there is no room; return what was acknowledged."""
    chance = random.Random(seed)
    stored: dict[str, bytes] = {}
    while True:
        key, value = f"{seed}:{len(stored):04d}", chance.randbytes(VALUE_BYTES)
        try:
            store.put(key, value)
        except CapacityError:
            return stored
        stored[key] = value
        if len(stored) % checkpoint_every == 0:
            with contextlib.suppress(CapacityError):
                # The journal may go on where there is no room for a pack any more.
                store.maintain()
        assert len(stored) < 10_000, "the disk never got full"


def assert_all_there(store: Store, expected: dict[str, bytes]) -> None:
    """Read every value and compare."""
    for key, value in expected.items():
        assert store.retrieve(key) == value, key
    assert len(store) == len(expected)
