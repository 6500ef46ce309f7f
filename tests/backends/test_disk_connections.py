"""`DiskBackend`'s connections to SQLite: locks of others, threads that come and go, forks."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
import warnings
from typing import TYPE_CHECKING

import pytest

from stratakv.backends import DiskBackend
from stratakv.errors import ClosedError, TierUnavailableError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "objects"


def test_a_database_locked_by_another_process_is_unavailable_then_available(place: Path) -> None:
    backend = DiskBackend(place, timeout=0.05)
    other = sqlite3.connect(place / "cache.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TierUnavailableError, match="store packs/1"):
        backend.put("packs/1", b"x")
    assert list(place.rglob("*.val")) == []
    other.execute("ROLLBACK")
    other.close()
    backend.put("packs/1", b"x")
    backend.close()


def test_openings_at_the_same_time_wait_for_each_other(place: Path) -> None:
    program = "import sys; from stratakv.backends import DiskBackend; DiskBackend(sys.argv[1]).close()"
    command = [sys.executable, "-W", "error", "-c", program, str(place)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        assert (process.communicate()[1], process.returncode) == (b"", 0)


def test_threads_leave_no_connection_behind(place: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    backend = DiskBackend(place)
    backend.put("packs/1", b"x")
    alive = threading.Event()
    used = threading.Barrier(4)

    def work() -> None:
        assert backend.size("packs/1") == 1
        used.wait(60)
        alive.wait(60)

    lasting = [threading.Thread(target=work) for _ in range(3)]
    for thread in lasting:
        thread.start()
    used.wait(60)
    passing = [threading.Thread(target=backend.size, args=("packs/1",)) for _ in range(20)]
    for thread in passing:
        thread.start()
        thread.join()
    assert len(backend._rows._leases) == 4
    backend.close()
    assert len(os.listdir("/dev/fd")) == before
    alive.set()
    for thread in lasting:
        thread.join()
    assert not (place / "cache.db-wal").exists()


def test_a_backend_that_is_forgotten_leaves_no_connection(place: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    backend = DiskBackend(place)
    backend.put("packs/1", b"x")
    del backend
    gc.collect()
    assert len(os.listdir("/dev/fd")) == before


def test_a_forked_child_is_told_and_leaves_the_parents_database_alone(place: Path) -> None:
    backend = DiskBackend(place)
    backend.put("packs/1", b"x")
    with warnings.catch_warnings():
        # From 3.12 on, fork warns where the test runner has threads; the child does little.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        answer = 1
        try:
            with pytest.raises(ClosedError, match="belongs to process"):
                backend.put("packs/2", b"x")
            backend.close()
            del backend
            gc.collect()
            answer = 0
        finally:
            os._exit(answer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (place / "cache.db-wal").exists()
    backend.put("packs/2", b"x")
    assert {info.name for info in backend.list()} == {"packs/1", "packs/2"}
    backend.close()
