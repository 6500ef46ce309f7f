"""One owner at a time: a second opener, two at once, readers beside the owner and without one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.errors import ClosedError, ConfigurationError, StoreLockedError
from tests.processes.children import start

if TYPE_CHECKING:
    from pathlib import Path

OWNER = """
memory = OptimizationMiddleware(path=path)
memory["key"] = "value"
memory.maintain()
print("ready", flush=True)
sys.stdin.readline()
memory.shutdown()
"""


def test_a_second_process_is_refused_with_the_owners_pid(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with start(OWNER, path) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        with pytest.raises(StoreLockedError, match=str(owner.pid)) as caught:
            OptimizationMiddleware(path=path)
        assert caught.value.pid == owner.pid
        owner.communicate("\n", timeout=30)
        assert owner.returncode == 0
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert memory["key"] == "value"


def test_a_second_store_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock()) as memory:
        with pytest.raises(StoreLockedError, match="this process") as caught:
            OptimizationMiddleware(path=tmp_path / "store")
        assert caught.value.pid == os.getpid()
        memory["still"] = "works"
        assert memory["still"] == "works"


def test_a_killed_owner_leaves_the_directory_free(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with start(OWNER, path) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        owner.send_signal(signal.SIGKILL)
        owner.wait(30)
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert memory["key"] == "value"


RACER = """
print("ready", flush=True)
sys.stdin.readline()
try:
    memory = OptimizationMiddleware(path=path)
except StoreLockedError as error:
    print("refused", flush=True)
    sys.stdin.readline()
else:
    memory[f"owner {os.getpid()}"] = True
    print("won", flush=True)
    sys.stdin.readline()
    memory.shutdown()
"""


@pytest.mark.parametrize("state", ["new", "old"])
def test_of_many_who_open_at_once_exactly_one_wins(tmp_path: Path, state: str) -> None:
    path = tmp_path / "store"
    if state == "old":
        with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
            memory["key"] = "value"
    racers = [start(RACER, path) for _ in range(4)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    results = [racer.stdout.readline().strip() for racer in racers if racer.stdout is not None]
    problems = [racer.communicate("\n", timeout=30)[1] for racer in racers]
    assert sorted(results) == ["refused", "refused", "refused", "won"]
    assert problems == [""] * 4
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert len(memory) == (2 if state == "old" else 1)


def files_of(directory: Path) -> dict[str, bytes]:
    """Return all files but `LOCK`, which names whoever holds it, a reader too."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != "LOCK")
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_a_reader_beside_the_owner_sees_statistics_only(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with start(OWNER, path) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        before = files_of(path)
        with OptimizationMiddleware(path=path, read_only=True) as reader:
            statistics = reader.get_statistics()
            assert statistics["middleware"]["total_writes"] == 1
            for use in (
                lambda: reader["key"], lambda: reader.retrieve("key"), lambda: len(reader), lambda: list(reader),
                lambda: reader.store("key", 1), lambda: reader.tiered_storage, lambda: "key" in reader,
                reader.maintain, reader.flush,
            ):  # fmt: skip
                with pytest.raises(StoreLockedError, match="get_statistics"):
                    use()
        with pytest.raises(ClosedError):
            reader.get_statistics()
        assert files_of(path) == before
        owner.communicate("\n", timeout=30)


def fill(path: Path) -> dict[str, object]:
    expected: dict[str, object] = {}
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        for layer in ("cold", "warm"):
            for number in range(50):
                memory[f"{layer}:{number}"] = expected[f"{layer}:{number}"] = {"number": number, "text": layer * 40}
            memory.maintain(settle=layer == "cold")
        memory.store("pinned", [1, 2], tier=StorageTier.WARM, pin=True)
        expected["pinned"] = [1, 2]
    return expected


@pytest.mark.parametrize("left_by", ["shutdown", "kill"])
def test_a_reader_without_an_owner_reads_all_and_changes_nothing(tmp_path: Path, left_by: str) -> None:
    path = tmp_path / "store"
    expected = fill(path)
    if left_by == "kill":
        with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
            for number in range(20):
                memory[f"journal:{number}"] = expected[f"journal:{number}"] = [number] * 30
            memory.delete("warm:3")
            del expected["warm:3"]
            memory.flush()
            shutil.copytree(path, tmp_path / "killed")
        path = tmp_path / "killed"
    before = files_of(path)
    for _ in range(2):
        with OptimizationMiddleware(path=path, read_only=True) as reader:
            for _ in range(3):
                assert dict(reader) == expected
            assert len(reader) == len(expected)
            assert reader.retrieve("absent") is None
            assert reader.get_statistics()["storage"]["disk_bytes"] > 0
            for use in (
                lambda: reader.store("new", 1), lambda: reader.delete("warm:1"), lambda: reader.add("new", 1),
                lambda: reader.store_many({"new": 1}), lambda: reader.replace("warm:1", 1, 2), reader.flush,
                lambda: reader.delete_many(["warm:1"]), reader.maintain,
                lambda: reader.tiered_storage.migrate_tier("warm:1", StorageTier.COLD),
            ):  # fmt: skip
                with pytest.raises(ClosedError, match="read_only"):
                    use()
        assert set(files_of(path)) == set(before), "no file was made or removed"
        assert {n: c for n, c in files_of(path).items() if not n.endswith("-shm")} == {
            name: content for name, content in before.items() if not name.endswith("-shm")
        }
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert dict(memory) == expected


READER = """
with OptimizationMiddleware(path=path, read_only=True) as memory:
    print(len(memory), flush=True)
    sys.stdin.readline()
    print(sorted(memory.keys())[0], flush=True)
"""


def test_readers_without_an_owner_read_side_by_side_and_keep_owners_out(tmp_path: Path) -> None:
    path = tmp_path / "store"
    expected = fill(path)
    before = files_of(path)
    with start(READER, path) as other, OptimizationMiddleware(path=path, read_only=True) as first:
        assert other.stdout is not None
        assert other.stdout.readline() == f"{len(expected)}\n"
        with OptimizationMiddleware(path=path, read_only=True) as second:
            assert dict(second) == dict(first) == expected
        with pytest.raises(StoreLockedError):
            OptimizationMiddleware(path=path)
        first.shutdown()
        with pytest.raises(StoreLockedError, match=r"in use by"):
            OptimizationMiddleware(path=path)
        assert other.communicate("\n", timeout=30)[0] == f"{min(expected)}\n"
    assert files_of(path) == before
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert dict(memory) == expected


def test_a_reader_of_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no store"):
        OptimizationMiddleware(path=tmp_path / "absent", read_only=True)
    with pytest.raises(ConfigurationError):
        OptimizationMiddleware(read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_the_snapshot_is_renewed_by_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "store"
    config = OptimizationConfig(storage={"path": str(path)}, tiered_storage={"migration_interval_seconds": 0.1})
    with OptimizationMiddleware(config=config) as memory:
        memory["key"] = 1
        memory.maintain()
        seen = json.loads((path / "statistics.json").read_text())
        assert seen["middleware"]["total_writes"] == 1
        with OptimizationMiddleware(path=path, read_only=True) as reader:
            assert reader.get_statistics()["middleware"]["total_writes"] == 1


def test_a_new_owner_publishes_after_its_first_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "store"
    config = OptimizationConfig(storage={"path": str(path), "checkpoint_interval_seconds": 0.1})
    with OptimizationMiddleware(config=config) as memory:
        memory["key"] = 1
        waiting = threading.Event()
        for _ in range(200):
            if (path / "statistics.json").exists():
                break
            waiting.wait(0.05)
        with OptimizationMiddleware(path=path, read_only=True) as reader:
            assert reader.get_statistics()["middleware"]["total_writes"] == 1
