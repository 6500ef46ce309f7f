"""Leftovers: copies that wait in the engine until their values are durable are hidden, and never rise again."""

from __future__ import annotations

import signal
import threading
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

import diskcache
import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.engine.modes.absorb import Absorb
from stratakv.engine.store import Store
from stratakv.engine.terms import DEFAULTS
from stratakv.engine.wrapping import recognise
from stratakv.errors import ClosedError
from stratakv.files import Files
from tests.model.wrapped_engines import Client
from tests.processes.children import run

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.clock import Clock

FEW = 32
"""Copies wait at most for so many others in an engine that discards them one by one."""


def absorb(engine: object, path: Path, clock: Clock | None = None, **sections: Any) -> OptimizationMiddleware:
    config = OptimizationConfig(enabled=True, **sections)
    return OptimizationMiddleware(engine, config=config, path=path, clock=clock or ManualClock())


def filled(engine: Client, count: int) -> dict[str, Any]:
    """Let an engine hold something; return it."""
    engine.held = {f"k{number}": number for number in range(count)}
    return dict(engine.held)


# -- when copies go ------------------------------------------------------------------------------------------


def test_copies_go_together_once_they_are_many(tmp_path: Path) -> None:
    engine = Client()
    everything = filled(engine, FEW + 1)
    with absorb(engine, tmp_path) as memory:
        for number in range(FEW - 1):
            assert memory.retrieve(f"k{number}") == number
        assert engine.held == everything
        memory.store(f"k{FEW - 1}", "new")
        assert engine.held == {f"k{FEW}": FEW}
        assert dict(memory) == everything | {f"k{FEW - 1}": "new"}
    assert engine.held == {}


def test_copies_go_with_the_first_that_comes_after_the_interval_of_syncs(tmp_path: Path) -> None:
    engine, clock = Client(), ManualClock()
    filled(engine, 3)
    with absorb(engine, tmp_path, clock, storage={"sync_interval_ms": 500}) as memory:
        assert memory.retrieve_many(["k0", "k1"]) == {"k0": 0, "k1": 1}
        clock.advance(1)
        assert len(engine.held) == 3
        assert memory.retrieve("k2") == 2
        assert engine.held == {}


@pytest.mark.parametrize("kind", [diskcache.Cache, diskcache.FanoutCache])
def test_a_diskcaches_copies_go_at_shutdown(tmp_path: Path, kind: type[Any]) -> None:
    with kind(str(tmp_path / "engine")) as engine:
        for number in range(50):
            engine.set(f"k{number}", number)
        with absorb(engine, tmp_path / "store") as memory:
            assert [memory.get(f"k{number}") for number in range(50)] == list(range(50))
            assert len(memory) == 50
        assert len(engine) == 0


class ManyAtOnce(Client):
    """Deletes as Redis clients do, and notes how."""

    def __init__(self) -> None:
        super().__init__()
        self.deletions: list[tuple[str, ...]] = []

    def delete(self, *names: str) -> int:  # type: ignore[override]  # as a Redis client has it
        self.deletions.append(names)
        return sum(self.held.pop(name, None) is not None for name in names)


class Proxy(Client):
    """Hands on whatever it is given to a verb that takes one key."""

    def delete(self, *arguments: Any) -> None:
        (key,) = arguments
        super().delete(key)


def test_an_engine_that_deletes_many_keys_is_asked_once(tmp_path: Path) -> None:
    engine = ManyAtOnce()
    everything = filled(engine, 3 * FEW)
    with absorb(engine, tmp_path) as memory:
        assert memory.retrieve_many(everything) == everything
        assert engine.deletions == []
        memory.maintain()
        assert engine.deletions == [tuple(everything)]
        assert engine.held == {}


def test_an_engine_that_does_not_say_that_it_deletes_many_keys_is_given_one_at_a_time(tmp_path: Path) -> None:
    engine = Proxy()
    everything = filled(engine, 3)
    with absorb(engine, tmp_path) as memory:
        assert memory.retrieve_many(everything) == everything
        memory.maintain()
        assert engine.held == {}


class Watched(Files):
    """Knows whether the journal has bytes that no sync has covered, and fails to sync on request."""

    def __init__(self) -> None:
        self.unsynced = False
        self.failing = False

    def write(self, descriptor: int, parts: list[bytes]) -> int:
        self.unsynced = True
        return super().write(descriptor, parts)

    def sync(self, descriptor: int) -> None:
        if self.failing:
            raise OSError("the medium is gone")
        super().sync(descriptor)
        self.unsynced = False


@pytest.mark.parametrize("adopt", [True, False], ids=["adopted", "overwritten"])
def test_no_copy_goes_before_its_value_is_on_the_medium(tmp_path: Path, adopt: bool) -> None:
    files = Watched()

    class Watching(Client):
        def delete(self, key: str) -> None:
            assert not files.unsynced
            super().delete(key)

    engine = Watching()
    everything = filled(engine, 3 * FEW)
    config = OptimizationConfig(storage={"path": str(tmp_path)})
    mode = Absorb(Store(config, clock=ManualClock(), files=files), recognise(engine))

    def take_over(key: str) -> None:
        if adopt:
            assert mode.get(key, None) == everything[key]
        else:
            mode.put(key, everything[key], DEFAULTS)

    keys = iter(everything)
    for key in islice(keys, 2 * FEW + 1):
        take_over(key)
    assert len(engine.held) == FEW
    files.failing = True
    with pytest.raises(ClosedError, match="medium is gone"):
        deque(map(take_over, keys))
    assert len(engine.held) == FEW
    with pytest.raises(ClosedError):
        mode.close()
    assert len(engine.held) == FEW


# -- while they wait -----------------------------------------------------------------------------------------


def test_the_stores_word_hides_copies_that_wait(tmp_path: Path) -> None:
    engine, clock = Client(), ManualClock()
    filled(engine, 5)
    with absorb(engine, tmp_path, clock) as memory:
        memory.update(k0="changed")
        memory.store("k1", "short-lived", ttl=5)
        assert memory.retrieve_many(["k2", "k3"]) == {"k2": 2, "k3": 3}
        assert memory.pop("k3") == 3
        assert memory.delete("k2")
        assert sorted(engine.held) == ["k0", "k1", "k4"]
        clock.advance(10)
        assert dict(memory) == {"k0": "changed", "k4": 4}
        assert len(memory) == 2
        assert [f"k{number}" in memory for number in range(5)] == [True, False, False, False, True]
        assert not memory.delete("k1")
        assert memory.add("k1", "again")
        memory.maintain(settle=True)
        assert engine.held == {}
        assert dict(memory) == {"k0": "changed", "k1": "again", "k4": 4}


def test_what_the_engine_gets_after_a_deletion_is_its_own(tmp_path: Path) -> None:
    engine = Client()
    engine.held = {"k": "old", "other": 1}
    with absorb(engine, tmp_path) as memory:
        assert memory.retrieve_many(["k", "other"]) == {"k": "old", "other": 1}
        memory.delete("k")
        engine.held["k"] = "new"
        memory.maintain()
        assert engine.held == {"k": "new"}
        assert memory.retrieve("k") == "new"


def test_what_the_engine_gets_after_a_value_expired_is_its_own(tmp_path: Path) -> None:
    engine, clock = Client(), ManualClock()
    engine.held = {"k": "old"}
    with absorb(engine, tmp_path, clock) as memory:
        memory.store("k", "short-lived", ttl=5)
        clock.advance(10)
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        engine.held["k"] = "new"
        memory.maintain(settle=True)
        assert memory.retrieve("k") == "new"


def test_an_engine_that_does_not_let_go_disturbs_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Clinging(Client):
        def delete(self, key: str) -> None:
            raise PermissionError(key)

    engine = Clinging()
    everything = filled(engine, 10 * FEW)
    with absorb(engine, tmp_path) as memory:
        assert {key: memory.retrieve(key) for key in everything} == everything
        assert len(memory) == len(everything)
        memory.maintain()
    assert engine.held == everything
    assert "PermissionError" in caplog.text
    with absorb(engine, tmp_path) as memory:
        memory["k0"] = "new"
        assert dict(memory) == everything | {"k0": "new"}


def test_release_gives_back_what_waits_and_nothing_eats_it(tmp_path: Path) -> None:
    engine = Client()
    everything = filled(engine, 3 * FEW)
    memory = absorb(engine, tmp_path)
    for key in everything:
        memory.retrieve(key)
    memory.store("k1", "new")
    assert memory.release() == len(everything)
    memory.maintain()
    memory.shutdown()
    assert engine.held == everything | {"k1": "new"}


def test_release_beside_readers_gives_back_everything(tmp_path: Path) -> None:
    engine = Client()
    everything = filled(engine, 500)
    memory = OptimizationMiddleware(engine, OptimizationConfig(enabled=True), path=tmp_path)
    wrong: list[object] = []
    gate = threading.Barrier(4)

    def work(turn: int) -> None:
        gate.wait()
        for key in list(everything)[turn::2] * 2:
            try:
                found = memory.retrieve(key)
            except BaseException as failure:  # reported by the test's own thread
                wrong.append(failure)
                return
            if found != everything[key]:
                wrong.append((key, found))

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(3)]
    for thread in threads:
        thread.start()
    gate.wait()
    memory.release()
    for thread in threads:
        thread.join(60)
    memory.shutdown()
    assert wrong == []
    assert engine.held == everything


# -- after a crash -------------------------------------------------------------------------------------------

KILLED_WHILE_COPIES_WAIT = """
import diskcache
engine = diskcache.Cache(sys.argv[2])
memory = OptimizationMiddleware(engine, OptimizationConfig(enabled=True), path=path, clock=ManualClock(1e9))
for key in ("kept", "changed", "deleted", "expired"):
    engine.set(key, "old", tag="t")
    assert memory.get(key, tag=True) == ("old", "t")
memory.flush()
memory.set("changed", "new")
memory.delete("deleted")
memory.set("expired", "short-lived", expire=5)
engine.set("untouched", "old")
assert sorted(engine) == ["changed", "expired", "kept", "untouched"]
os.kill(os.getpid(), 9)
"""


def test_copies_that_a_kill_left_behind_stay_hidden_and_go_with_their_keys(tmp_path: Path) -> None:
    path = tmp_path / "store"
    killed = run(KILLED_WHILE_COPIES_WAIT, path, tmp_path / "engine")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    values = {"kept": "old", "changed": "new", "untouched": "old"}
    with diskcache.Cache(str(tmp_path / "engine")) as engine:
        for _ in range(2):
            with absorb(engine, path, ManualClock(1e9 + 100)) as memory:
                assert len(memory) == 3
                assert dict(memory) == values
                assert "deleted" not in memory
                assert "expired" not in memory
                memory.maintain(settle=True)
        assert sorted(engine) == ["changed", "kept"]
        with absorb(engine, path, ManualClock(1e9 + 100)) as memory:
            assert memory.delete("kept")
            assert sorted(engine) == ["changed"]
            assert "kept" not in memory
            assert memory.release() == 2
            assert {key: engine[key] for key in engine} == {"changed": "new", "untouched": "old"}
