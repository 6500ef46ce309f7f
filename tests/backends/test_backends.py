"""Every own backend, and every fault backend that is asked for no fault, keeps the promises of `Backend`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.backends import Backend, DirectoryBackend, DiskBackend, MemoryBackend
from stratakv.clock import ManualClock
from stratakv.testing import BackendSuite, CrashBackend, FlakyBackend, RecordingBackend, SlowBackend

if TYPE_CHECKING:
    from pathlib import Path


class TestMemoryBackend(BackendSuite):
    persistent = False

    def make_backend(self, tmp_path: Path) -> Backend:
        return MemoryBackend()


class TestDirectoryBackend(BackendSuite):
    def make_backend(self, tmp_path: Path) -> Backend:
        return DirectoryBackend(tmp_path / "objects")


class TestDirectoryBackendWithoutSync(BackendSuite):
    def make_backend(self, tmp_path: Path) -> Backend:
        return DirectoryBackend(tmp_path / "objects", fsync=False, open_files=2)


class TestDiskBackend(BackendSuite):
    atomic_create = False

    def make_backend(self, tmp_path: Path) -> Backend:
        return DiskBackend(tmp_path / "objects")


class TestDiskBackendWithTwoOpenFiles(BackendSuite):
    atomic_create = False

    def make_backend(self, tmp_path: Path) -> Backend:
        return DiskBackend(tmp_path / "objects", open_files=2)


class TestCrashBackend(BackendSuite):
    def make_backend(self, tmp_path: Path) -> Backend:
        return CrashBackend(DirectoryBackend(tmp_path / "objects"))


class TestFlakyBackend(BackendSuite):
    persistent = False

    def make_backend(self, tmp_path: Path) -> Backend:
        return FlakyBackend(MemoryBackend())


class TestSlowBackend(BackendSuite):
    persistent = False

    def make_backend(self, tmp_path: Path) -> Backend:
        return SlowBackend(MemoryBackend(), ManualClock(), 0.0)


class TestRecordingBackend(BackendSuite):
    persistent = False

    def make_backend(self, tmp_path: Path) -> Backend:
        return RecordingBackend(MemoryBackend())
