"""Statistics asked for in a forked child: the store is the parent's, and its locks may be held for ever there."""

from __future__ import annotations

import os
import select
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import ClosedError, ManualClock, OptimizationMiddleware

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")

PATIENCE_SECONDS = 20
"""Only a child that hangs needs them."""


def statistics_in_child(memory: OptimizationMiddleware) -> str:
    """Return what a forked child met when it asked: "ClosedError: ...", another outcome, or "hangs"."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            memory.get_statistics()
            outcome = "got an answer"
        except ClosedError as error:
            outcome = f"ClosedError: {error}"
        except BaseException as error:
            outcome = repr(error)
        os.write(writing, outcome.encode())
        os._exit(0)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], PATIENCE_SECONDS)
        if not ready:
            os.kill(pid, signal.SIGKILL)
        return os.read(reading, 10_000).decode() if ready else "hangs"
    finally:
        os.close(reading)
        os.waitpid(pid, 0)


def test_statistics_in_a_child_raise_a_clear_error(tmp_path: Path) -> None:
    with OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock()) as memory:
        memory["key"] = "value"
        outcome = statistics_in_child(memory)
        assert outcome.startswith("ClosedError")
        assert str(os.getpid()) in outcome
        assert "after the fork" in outcome
        assert memory.get_statistics()["tiered_storage"]


def test_statistics_in_a_child_never_hang_while_the_parent_writes(tmp_path: Path) -> None:
    with OptimizationMiddleware(path=tmp_path / "store") as memory:
        stop = threading.Event()
        failures: list[BaseException] = []

        def work(name: str) -> None:
            number = 0
            try:
                while not stop.is_set():
                    memory.store(f"{name} {number % 100}", number)
                    memory.retrieve("a 1")
                    memory.get_statistics()
                    number += 1
            except BaseException as failure:  # reported by the test's own thread
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
        for thread in threads:
            thread.start()
        try:
            outcomes = {statistics_in_child(memory) for _ in range(40)}
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failures == []
        assert {outcome.partition(":")[0] for outcome in outcomes} == {"ClosedError"}
        memory["after"] = 1
        assert memory["after"] == 1
