"""Release: the engine gets everything that lives, nothing that is gone rises, and nothing that comes later is eaten."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import diskcache
import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.errors import ClosedError, CorruptionError, StrataError
from tests.damage.stored_layers import flip, pack_files
from tests.model.wrapped_engines import Client, Shelf
from tests.processes.children import run

if TYPE_CHECKING:
    from collections.abc import Callable


class Failing(dict[str, Any]):
    """A mapping whose deletions can be made to fail."""

    down = False

    def __delitem__(self, key: str) -> None:
        if self.down:
            raise OSError("engine down")
        super().__delitem__(key)


class Remote(Client):
    """An engine that can be made not to answer."""

    down = False

    def delete(self, key: str) -> None:
        if self.down:
            raise OSError("engine down")
        super().delete(key)


def absorb(engine: object, path: Path | None, clock: ManualClock | None = None) -> OptimizationMiddleware:
    return OptimizationMiddleware(
        engine, config=OptimizationConfig(enabled=True), path=path, clock=clock or ManualClock()
    )


# -- what is gone stays gone, what comes later stays ---------------------------------------------------------


def test_a_deleted_key_does_not_rise_by_release(tmp_path: Path) -> None:
    engine = Failing(a=1, b=2)
    memory = absorb(engine, tmp_path)
    engine.down = True
    for call in (memory.retrieve, memory.delete):  # taken over, but still in the engine; then a tombstone
        with pytest.raises(OSError, match="engine down"):
            call("a")
    assert "a" not in memory
    engine.down = False
    memory.release()
    assert engine == {"b": 2}
    assert memory.retrieve("a") is None
    memory.shutdown()


@pytest.mark.parametrize("held", ["copies", "tombstones"])
def test_an_engine_that_is_down_at_release_is_told_with_the_directory(tmp_path: Path, held: str) -> None:
    engine = Remote()
    engine.held = {"a": 1, "b": 2}
    memory = absorb(engine, tmp_path)
    assert memory.retrieve_many(["a", "b"]) == {"a": 1, "b": 2}
    engine.down = True
    if held == "tombstones":
        with pytest.raises(OSError, match="engine down"):
            memory.delete("a")
    with pytest.raises(StrataError, match=str(tmp_path)) as told:
        memory.release()
    assert isinstance(told.value.__cause__, OSError)
    left = {"b": 2} if held == "tombstones" else {"a": 1, "b": 2}
    assert dict(memory) == left
    engine.down = False
    assert memory.release() == len(left)
    assert engine.held == left
    memory.shutdown()


def _with_tombstone(engine: Failing, memory: OptimizationMiddleware, _clock: ManualClock) -> None:
    engine.down = True
    for call in (memory.retrieve, memory.delete):
        with pytest.raises(OSError, match="engine down"):
            call("k")
    engine.down = False


def _with_expired(engine: Failing, memory: OptimizationMiddleware, clock: ManualClock) -> None:
    engine.down = True
    with pytest.raises(OSError, match="engine down"):
        memory.store("k", "short-lived", ttl=5)
    engine.down = False
    clock.advance(10)


@pytest.mark.parametrize("end", [_with_tombstone, _with_expired], ids=["tombstone", "expired"])
@pytest.mark.parametrize("reopened", [False, True], ids=["at once", "reopened"])
def test_what_the_engine_gets_after_release_is_not_eaten(
    tmp_path: Path, end: Callable[[Failing, OptimizationMiddleware, ManualClock], None], reopened: bool
) -> None:
    engine, clock = Failing(k="old"), ManualClock()
    memory = absorb(engine, tmp_path, clock)
    end(engine, memory, clock)
    assert memory.retrieve("k") is None
    if reopened:
        memory.shutdown()
        memory = absorb(engine, tmp_path, clock)
    assert memory.release() == 0
    assert engine == {}
    memory.shutdown()
    engine["k"] = "new"
    with absorb(engine, tmp_path, clock) as again:
        clock.advance(10**6)
        again.maintain(settle=True)
        assert again.retrieve("k") == "new"
        again.release()
    assert engine == {"k": "new"}


KILLED_AFTER_DELETE = """
import diskcache
memory = OptimizationMiddleware(diskcache.Cache(sys.argv[2]), OptimizationConfig(enabled=True), path=path)
memory.set("k", "old")
memory.delete("k")
os.kill(os.getpid(), 9)
"""


def test_a_deletion_before_a_kill_does_not_eat_what_comes_after_release(tmp_path: Path) -> None:
    path = tmp_path / "store"
    assert run(KILLED_AFTER_DELETE, path, tmp_path / "engine").returncode == -signal.SIGKILL
    with diskcache.Cache(str(tmp_path / "engine")) as engine:
        with absorb(engine, path) as memory:
            memory.release()
        engine.set("k", "new")
        with absorb(engine, path) as memory:
            memory.maintain(settle=True)
            assert memory.get("k") == "new"
            memory.release()
        assert engine.get("k") == "new"


# -- an engine that does not take a value --------------------------------------------------------------------


class RefusingShelf(Shelf):
    """Answers False instead of storing."""

    full = False

    def store(self, key: str, value: Any) -> bool:  # type: ignore[override]  # engines differ in what they answer
        if not self.full:
            super().store(key, value)
        return not self.full


class RefusingClient(Client):
    """Answers False instead of setting."""

    full = False

    def set(self, key: str, value: Any, ttl: float | None = None) -> bool:
        return not self.full and super().set(key, value, ttl)


@pytest.mark.parametrize("kind", [RefusingShelf, RefusingClient])
def test_an_engine_that_answers_false_has_not_taken_the_value(
    tmp_path: Path, kind: type[RefusingShelf | RefusingClient]
) -> None:
    engine = kind()
    engine.held.update(x=1, y=2)
    memory = absorb(engine, tmp_path)
    assert memory.retrieve_many(["x", "y"]) == {"x": 1, "y": 2}
    memory.store("z", 3)
    engine.full = True
    with pytest.raises(StrataError, match="did not take") as told:
        memory.release()
    assert str(tmp_path) in str(told.value)
    assert memory.retrieve_many(["x", "y", "z"]) == {"x": 1, "y": 2, "z": 3}
    memory.shutdown()
    engine.full = False
    with absorb(engine, tmp_path) as again:
        assert again.release() == 3
    assert engine.held == {"x": 1, "y": 2, "z": 3}


def test_shutdown_without_a_path_keeps_the_directory_where_the_engine_refuses() -> None:
    class Full(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            raise OSError("full")

    engine = Full({"a": 1})
    memory = absorb(engine, None)
    assert memory.retrieve("a") == 1
    memory.store("b", 2)
    with pytest.raises(StrataError, match="did not take") as told:
        memory.shutdown()
    path = Path(str(told.value).rsplit(" ", 1)[1])
    try:
        with OptimizationMiddleware(path=path, clock=ManualClock()) as found:
            assert dict(found) == {"a": 1, "b": 2}
    finally:
        shutil.rmtree(path)


# -- readers beside it ---------------------------------------------------------------------------------------


class Readers:
    """Threads that read until they are told to stop, or that the wrapper is closed; notes what they met."""

    def __init__(self, memory: OptimizationMiddleware, keys: int) -> None:
        self.wrong: list[object] = []
        self.told_closed = 0
        self._memory = memory
        self._keys = keys
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(seed,)) for seed in range(3)]

    def _read(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self._stop.is_set():
            number = chance.randrange(self._keys)
            try:
                found = self._memory.retrieve(f"k{number}")
            except ClosedError:
                self.told_closed += 1
                return
            except BaseException as failure:  # reported by the test's own thread
                self.wrong.append(failure)
                return
            if found != number:
                self.wrong.append((number, found))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def race(path: Path | None, end: str) -> int:
    """Let readers race with the end of absorbing, see that all is well; return how many were told it is closed."""
    everything = {f"k{number}": number for number in range(200)}
    engine: dict[str, Any] = dict(everything)
    memory = OptimizationMiddleware(engine, OptimizationConfig(enabled=True), path=path)
    for key in list(everything)[::2]:
        memory.retrieve(key)
    with Readers(memory, len(everything)) as readers:
        memory.release() if end == "release" else memory.shutdown()
    assert readers.wrong == []
    assert engine == everything
    memory.shutdown()
    return readers.told_closed


@pytest.mark.parametrize("end", ["release", "shutdown"])
def test_after_readers_raced_the_engine_has_everything(end: str) -> None:
    for _ in range(4):
        told_closed = race(None, end)
        assert end == "shutdown" or told_closed == 0, "after a release calls go to the engine"


def test_after_readers_raced_with_release_from_a_path_the_engine_has_everything(tmp_path: Path) -> None:
    for lap in range(4):
        assert race(tmp_path / str(lap), "release") == 0
        with OptimizationMiddleware(path=tmp_path / str(lap), clock=ManualClock()) as left:
            assert len(left) == 0


# -- damage --------------------------------------------------------------------------------------------------


def test_a_damaged_value_stays_and_all_others_go_back(tmp_path: Path) -> None:
    everything = {f"k{number}": os.urandom(3000) for number in range(50)}
    engine: dict[str, Any] = dict(everything)
    with absorb(engine, tmp_path) as memory:
        for key in everything:
            memory.retrieve(key)
    assert engine == {}
    flip(pack_files(tmp_path, "warm")[0], 10_000)
    memory = absorb(engine, tmp_path)
    for _ in range(2):
        with pytest.raises(CorruptionError, match="1 values are damaged") as told:
            memory.release()
        assert str(tmp_path) in str(told.value)
        assert len(engine) == 49
        assert engine.items() <= everything.items()
    (damaged,) = everything.keys() - engine.keys()
    with pytest.raises(CorruptionError):
        memory.retrieve(damaged)
    memory.shutdown()
