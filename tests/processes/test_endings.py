"""Endings: interpreter exit without shutdown, shutdown while busy, threads, permissions, temporary stores."""

from __future__ import annotations

import logging
import os
import random
import stat
import threading
from pathlib import Path

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, SystemClock
from stratakv.errors import ClosedError
from tests.limits.full_disks import small_disk
from tests.processes.children import run

EXIT = """
memory = OptimizationMiddleware(path=path)
for number in range(3000):
    memory[f"key {number}"] = {"number": number, "text": "some text " * 5}
if len(sys.argv) > 2:
    memory.maintain()
    memory.retrieve("key 5")
    memory["last"] = 1
MORE
began = time.monotonic()
import atexit
"""

WAYS = {
    "end of the program": "",
    "sys.exit": "sys.exit(0)",
    "an exception in a thread": "t = threading.Thread(target=lambda: memory.retrieve('key 1')); t.start(); t.join()",
    "a reference cycle": "memory.cycle = memory; del memory",
}


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("arguments", [(), ("maintained",)], ids=["journal only", "with packs"])
def test_an_exit_without_shutdown_loses_nothing_and_says_nothing(
    tmp_path: Path, way: str, arguments: tuple[str, ...]
) -> None:
    path = tmp_path / "store"
    finished = run(EXIT.replace("MORE", WAYS[way]), path, *arguments, timeout=30)
    assert finished.stderr == ""
    assert finished.returncode == 0
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert len(memory) == 3000 + len(arguments)
        assert all(memory[f"key {number}"]["number"] == number for number in range(0, 3000, 100))


@pytest.mark.parametrize("durability", ["process", "sync", "none"])
def test_the_journal_is_flushed_at_exit_and_no_checkpoint_is_made(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "store"
    source = f"""
    config = OptimizationConfig(storage={{"path": path, "durability": "{durability}"}})
    memory = OptimizationMiddleware(config=config)
    memory["key"] = "value"
    """
    finished = run(source, path)
    assert finished.stderr == ""
    assert not list((path / "warm").rglob("*.val")), "only the journal is flushed"
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert memory["key"] == "value"


def test_an_exit_while_the_background_is_busy_is_quick_and_silent(tmp_path: Path) -> None:
    path = tmp_path / "store"
    source = """
    import random, atexit
    config = OptimizationConfig(storage={"path": path, "checkpoint_interval_seconds": 0.01})
    memory = OptimizationMiddleware(config=config)
    for number in range(6000):
        memory[f"key {number}"] = random.Random(number).randbytes(1500)
    print(time.time(), flush=True)
    """
    finished = run(source + "\n", path, timeout=60)
    assert finished.stderr == ""
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert len(memory) == 6000
        for number in range(0, 6000, 500):
            assert memory[f"key {number}"] == random.Random(number).randbytes(1500)


def stratakv_threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("stratakv-")}


def test_shutdown_with_a_large_backlog_ends_within_five_seconds(tmp_path: Path) -> None:
    config = OptimizationConfig(
        storage={"path": str(tmp_path / "store"), "checkpoint_interval_seconds": 1000.0, "dirty_limit_mb": 64,
                 "dirty_limit_entries": 150_000}
    )  # fmt: skip
    clock = SystemClock()
    memory = OptimizationMiddleware(config=config, clock=clock)
    text = "a backlog of many records " * 4
    memory.store_many({f"first {number}": f"{number} {text}" for number in range(20_000)})
    memory.store_many({f"key {number}": f"{number} {text}" for number in range(40_000)})
    assert stratakv_threads()
    began = clock.monotonic()
    memory.shutdown()
    # The promise is five seconds; a loaded machine gets some more before this calls it broken.
    assert clock.monotonic() - began < 15
    assert not stratakv_threads()
    with OptimizationMiddleware(config=config, clock=ManualClock()) as memory:
        assert len(memory) == 60_000
        assert memory["key 39999"].startswith("39999 ")


def test_threads_have_names_and_go_with_the_store(tmp_path: Path) -> None:
    assert not stratakv_threads()
    with OptimizationMiddleware(path=tmp_path / "store") as memory:
        memory["key"] = 1
        assert stratakv_threads() == {"stratakv-mover", "stratakv-sync"}
    assert not stratakv_threads()
    with OptimizationMiddleware(path=tmp_path / "manual", clock=ManualClock()) as memory:
        memory["key"] = 1
        memory.maintain()
        assert not stratakv_threads(), "with a manual clock there are no threads"


def test_after_shutdown_every_use_is_a_closed_error(tmp_path: Path) -> None:
    memory = OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock())
    memory["key"] = 1
    tiers, dedup = memory.tiered_storage, memory.dedup_engine
    memory.shutdown()
    memory.shutdown()
    for use in (
        lambda: memory["key"], lambda: memory.store("key", 1), lambda: len(memory), lambda: list(memory),
        memory.get_statistics, lambda: tiers.read("key"), lambda: tiers.write("key", 1),
        lambda: dedup.read("key"), lambda: memory.tiered_storage,
    ):  # fmt: skip
        with pytest.raises(ClosedError):
            use()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=["umask 000", "umask 022", "umask 077"])
def test_everything_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "store"
    before = os.umask(umask)
    seen: set[str] = set()

    def check() -> None:
        for place in (path, *path.rglob("*")):
            mode = stat.S_IMODE(place.lstat().st_mode)
            wanted = 0o700 if place.is_dir() else 0o600
            assert mode == wanted, f"{place.relative_to(path.parent)} has mode {mode:o}"
            seen.add(place.name)

    try:
        for _ in range(2):
            with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
                for number in range(200):
                    memory[f"key {number}"] = random.Random(number).randbytes(300)
                check()
                memory.maintain()
                check()
                memory.maintain(settle=True)
                memory["warm"] = "again"
                memory.maintain()
                memory.get_statistics()
                check()
            check()
    finally:
        os.umask(before)
    assert {"LOCK", "catalog.db", "bloom.filter", "statistics.json", "reserve", "cache.db"} <= seen


def test_a_temporary_store_is_removed_at_shutdown_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "stratakv"):
        memory = OptimizationMiddleware(clock=ManualClock())
    memory["key"] = "value"
    path = Path(memory.get_statistics()["storage"]["path"])
    assert path.is_dir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert memory.get_statistics()["storage"]["temporary"]
    assert "no storage.path is set" in caplog.text
    assert str(path) in caplog.text
    memory.maintain(settle=True)
    memory.shutdown()
    assert not path.exists()


def test_a_temporary_store_is_removed_at_exit(tmp_path: Path) -> None:
    source = """
    memory = OptimizationMiddleware()
    memory["key"] = "value"
    memory.maintain()
    print(memory.get_statistics()["storage"]["path"])
    """
    finished = run(source, tmp_path)
    assert finished.stderr.count("\n") <= 1, "the word that the store is temporary, nothing else"
    assert not Path(finished.stdout.strip()).exists()


def test_a_ram_disk_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with small_disk("tmpfs", tmp_path / "disk", 8 << 20) as disk:
        with caplog.at_level(logging.WARNING, "stratakv"):
            disk.open().close()
        assert "is a RAM disk" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "stratakv"):
        OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock()).shutdown()
    assert "RAM disk" not in caplog.text or tmp_path.is_relative_to("/dev/shm")
