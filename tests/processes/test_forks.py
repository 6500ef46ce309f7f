"""A fork: the child is told to open its own store, harms nothing of the parent's, and keeps nothing locked."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationMiddleware
from tests.processes.children import in_fork, run, start

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")

USES: dict[str, Callable[[OptimizationMiddleware], object]] = {
    "retrieve": lambda memory: memory.retrieve("key"),
    "getitem": lambda memory: memory["key"],
    "get": lambda memory: memory.get("key"),
    "many": lambda memory: memory.retrieve_many(["key"]),
    "contains": lambda memory: "key" in memory,
    "len": len,
    "iterate": list,
    "store": lambda memory: memory.store("key", 1),
    "delete": lambda memory: memory.delete("key"),
    "maintain": lambda memory: memory.maintain(),
    "flush": lambda memory: memory.flush(),
    "tiers": lambda memory: memory.tiered_storage.read("key"),
    "dedup": lambda memory: memory.dedup_engine.read("key"),
}


@pytest.mark.parametrize("use", list(USES))
def test_the_childs_first_use_raises_a_clear_error(tmp_path: Path, use: str) -> None:
    with OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock()) as memory:
        memory["key"] = "value"
        result, status = in_fork(lambda: USES[use](memory))
        assert status == 0
        assert isinstance(result, tuple)
        assert result[0] == "ClosedError"
        assert str(os.getpid()) in result[1]
        assert "after the fork" in result[1]
        assert memory["key"] == "value"


@pytest.mark.parametrize("clock", [ManualClock(), None], ids=["without threads", "with threads"])
@pytest.mark.parametrize("leave", ["_exit", "exit"])
def test_the_child_leaves_the_parents_files_alone(tmp_path: Path, leave: str, clock: ManualClock | None) -> None:
    path = tmp_path / "store"
    expected: dict[str, object] = {}
    with OptimizationMiddleware(path=path, clock=clock) as memory:
        for number in range(200):
            memory[f"key {number}"] = expected[f"key {number}"] = {"number": number}
        memory.maintain()

        def child() -> str:
            import gc

            gc.collect()
            try:
                memory.shutdown()
            except BaseException as failure:
                return f"{type(failure).__name__}: {failure}"
            return "shut down"

        for number in range(3):
            memory[f"before {number}"] = expected[f"before {number}"] = number
            result, status = in_fork(child, leave=leave)
            assert (result, status) == ("shut down", 0)
            memory[f"after {number}"] = expected[f"after {number}"] = number
            assert dict(memory) == expected
        memory.maintain(settle=True)
        assert dict(memory) == expected
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert dict(memory) == expected


def test_the_child_may_open_a_store_of_its_own(tmp_path: Path) -> None:
    with OptimizationMiddleware(path=tmp_path / "parent", clock=ManualClock()) as memory:
        memory["key"] = "parent"

        def child() -> object:
            with OptimizationMiddleware(path=tmp_path / "child", clock=ManualClock()) as own:
                own["key"] = "child"
                own.maintain(settle=True)
                return own["key"]

        assert in_fork(child) == ("child", 0)
        result, _ = in_fork(lambda: OptimizationMiddleware(path=tmp_path / "parent"))
        assert isinstance(result, tuple)
        assert result[0] == "StoreLockedError"
        assert memory["key"] == "parent"
    with OptimizationMiddleware(path=tmp_path / "child", clock=ManualClock()) as own:
        assert own["key"] == "child"


ORPHAN = """
memory = OptimizationMiddleware(path=path)
memory["key"] = "value"
pid = os.fork()
if pid == 0:
    os.close(1); os.close(2)
    time.sleep(60)
    os._exit(0)
print(pid, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""


def test_a_living_child_of_a_dead_owner_keeps_nothing_locked(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with start(ORPHAN, path) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        try:
            owner.communicate("\n", timeout=30)
            with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
                assert memory["key"] == "value"
        finally:
            os.kill(child, signal.SIGKILL)


FORK_AND_EXIT = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
memory = OptimizationMiddleware(path=path)
for number in range(500):
    memory[f"key {number}"] = {"number": number}
memory.maintain()
memory["last"] = "journaled"
pid = os.fork()
if pid == 0:
    LEAVE
_, status = os.waitpid(pid, 0)
assert status == 0, status
assert memory["key 7"] == {"number": 7}
memory["after"] = "fork"
memory.maintain()
memory.shutdown()
with OptimizationMiddleware(path=path) as memory:
    assert len(memory) == 502 and memory["last"] == "journaled" and memory["after"] == "fork"
print("good")
"""


@pytest.mark.parametrize("leave", ["sys.exit(0)", "os._exit(0)", "del memory; import gc; gc.collect(); sys.exit(0)"])
def test_a_child_that_ends_in_any_way_is_silent_and_harmless(tmp_path: Path, leave: str) -> None:
    finished = run(FORK_AND_EXIT.replace("LEAVE", leave), tmp_path / "store")
    assert finished.stderr == ""
    assert finished.stdout == "good\n"


def test_multiprocessing_children_are_told_too(tmp_path: Path) -> None:
    source = """
    import multiprocessing, warnings
    warnings.simplefilter("ignore", DeprecationWarning)
    memory = OptimizationMiddleware(path=path)
    memory["key"] = "value"
    def work(queue):
        try:
            memory.retrieve("key")
        except ClosedError as error:
            queue.put(str(error))
    queue = multiprocessing.get_context("fork").SimpleQueue()
    child = multiprocessing.get_context("fork").Process(target=work, args=(queue,))
    child.start()
    print(queue.get())
    child.join()
    assert child.exitcode == 0
    print(memory["key"])
    memory.shutdown()
    """
    finished = run(source, tmp_path / "store")
    assert finished.stderr == ""
    assert "after the fork" in finished.stdout
    assert finished.stdout.endswith("value\n")
