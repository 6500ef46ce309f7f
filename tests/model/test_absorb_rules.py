"""Absorb: adoption, tombstones, release; and what passes between the wrapper and an engine that fails."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import diskcache
import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.clock import ManualClock
from stratakv.errors import ConfigurationError, SerializationError, StrataError
from tests.model.wrapped_engines import Client, Opaque, Shelf

if TYPE_CHECKING:
    from pathlib import Path


class BrokenError(Exception):
    """The engine's own."""


class Fragile(Client):
    """Fails as often as it is told to, before any effect."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: dict[str, int] = {}

    def _maybe_fail(self, verb: str) -> None:
        if self.failing.get(verb, 0):
            self.failing[verb] -= 1
            raise BrokenError(verb)

    def get(self, key: str, default: Any = None) -> Any:
        self._maybe_fail("get")
        return super().get(key, default)

    def set(self, key: str, value: Any, ttl: float | None = None) -> bool:
        self._maybe_fail("set")
        return super().set(key, value, ttl)

    def delete(self, key: str) -> None:
        self._maybe_fail("delete")
        super().delete(key)


def absorb(engine: object, path: Path | None, clock: ManualClock | None = None, **wrap: Any) -> OptimizationMiddleware:
    config = OptimizationConfig(enabled=True, wrap=wrap or None)
    return OptimizationMiddleware(engine, config=config, path=path, clock=clock or ManualClock())


# -- adoption ------------------------------------------------------------------------------------------------


def test_a_value_from_before_is_adopted_when_it_is_read(tmp_path: Path) -> None:
    engine = Client()
    engine.held = {"k": [1], "other": [2]}
    memory = absorb(engine, tmp_path)
    assert "k" in memory
    assert engine.held == {"k": [1], "other": [2]}
    assert memory.retrieve("k") == [1]
    memory.maintain()
    assert engine.held == {"other": [2]}
    assert sorted(memory) == ["k", "other"]
    assert len(memory) == 2
    memory.shutdown()
    with absorb(engine, tmp_path) as again:
        assert again.retrieve_many(["k", "other", "none"]) == {"k": [1], "other": [2]}
    assert engine.held == {}


def test_a_value_that_is_not_accepted_stays_in_the_engine_and_is_read_from_there(tmp_path: Path) -> None:
    engine = Client()
    engine.held = {"k": Opaque("o")}
    with absorb(engine, tmp_path) as memory:
        assert memory.retrieve("k") == Opaque("o")
        assert memory["k"] is engine.held["k"]
        assert "k" in memory
        assert list(memory) == ["k"]
        with pytest.raises(SerializationError):
            memory.store("k", Opaque("p"))
        assert memory["k"] == Opaque("o")
        memory["k"] = 1
        memory.maintain()
        assert engine.held == {}
        assert memory["k"] == 1


def test_a_diskcache_value_that_is_not_accepted_keeps_its_tag_and_expiry(tmp_path: Path) -> None:
    with diskcache.Cache(str(tmp_path / "cache")) as cache:
        cache.set("k", Opaque("o"), expire=600, tag="t")
        with OptimizationMiddleware(cache, OptimizationConfig(), path=tmp_path / "store") as memory:
            value, expires, tag = memory.get("k", expire_time=True, tag=True)
            assert (value, tag) == (Opaque("o"), "t")
            assert expires == pytest.approx(cache.get("k", expire_time=True)[1], abs=30)


def test_adoption_that_stopped_halfway_shows_the_stores_value_only(tmp_path: Path) -> None:
    engine = Fragile()
    engine.held = {"k": "old"}
    engine.failing = {"delete": 2}
    memory = absorb(engine, tmp_path)
    assert memory.retrieve("k") == "old"
    memory.maintain()
    assert engine.held == {"k": "old"}
    assert memory.retrieve("k") == "old"
    assert len(memory) == 1
    memory["k"] = "new"
    memory.shutdown()
    with absorb(engine, tmp_path) as again:
        assert engine.held == {"k": "old"}
        assert again["k"] == "new"
        assert list(again) == ["k"]
        assert again.delete("k")
        assert engine.held == {}
        assert "k" not in again


def test_many_readers_of_a_key_adopt_it_once(tmp_path: Path) -> None:
    engine, gate = Client(), threading.Barrier(8)
    engine.held = {"k": "value"}
    memory = absorb(engine, tmp_path)
    found = []

    def read() -> None:
        gate.wait()
        found.append(memory.retrieve("k"))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == ["value"] * 8
    assert memory.get_statistics()["middleware"]["engine_reads"] == 1
    memory.shutdown()
    assert engine.held == {}


# -- tombstones ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settle", [False, True])
def test_a_deleted_key_stays_gone_while_the_engine_does_not_confirm(tmp_path: Path, settle: bool) -> None:
    engine = Fragile()
    engine.held = {"k": "old"}
    memory = absorb(engine, tmp_path)
    engine.failing = {"delete": 2}  # the second time at shutdown
    memory.store("k", "new")
    with pytest.raises(BrokenError, match="delete"):
        memory.delete("k")
    assert engine.held == {"k": "old"}
    for _ in range(2):
        assert memory.retrieve("k") is None
        assert "k" not in memory
        assert list(memory) == []
        assert len(memory) == 0
        memory.shutdown()
        assert engine.held == {"k": "old"}
        memory = absorb(engine, tmp_path)
    memory.maintain(settle=settle)
    assert engine.held == {}
    assert memory.retrieve("k") is None
    memory.shutdown()
    with absorb(engine, tmp_path) as again:
        assert "k" not in again


def test_an_expired_key_does_not_show_the_engines_copy(tmp_path: Path) -> None:
    engine, clock = Fragile(), ManualClock()
    engine.held = {"k": "old"}
    memory = absorb(engine, tmp_path, clock)
    memory.store("k", "new", ttl=10)
    clock.advance(11)
    assert memory.retrieve("k") is None
    assert engine.held == {"k": "old"}
    engine.failing = {"delete": 1}
    memory.maintain(settle=True)
    assert memory.retrieve("k") is None
    assert engine.held == {}
    memory.shutdown()


def test_a_key_stored_after_its_tombstone_lives(tmp_path: Path) -> None:
    engine = Fragile()
    engine.held = {"k": "old"}
    engine.failing = {"delete": 1}
    memory = absorb(engine, tmp_path)
    memory.store("k", "new")
    with pytest.raises(BrokenError):
        memory.delete("k")
    memory.maintain()
    assert memory.add("k", "newer")
    memory.maintain(settle=True)
    assert memory["k"] == "newer"
    assert len(memory) == 1
    memory.shutdown()


@pytest.mark.parametrize("mode", ["absorb", "write_through"])
@pytest.mark.parametrize("verb", ["get", "set"])
def test_an_engines_own_error_passes_through_unchanged(tmp_path: Path, verb: str, mode: str) -> None:
    engine = Fragile()
    memory = absorb(engine, tmp_path, mode=mode)
    memory.store("k", 1)
    engine.failing = {verb: 1}
    if verb == "get":
        with pytest.raises(BrokenError, match="get"):
            memory.retrieve("never")
    elif mode == "write_through":
        with pytest.raises(BrokenError, match="set"):
            memory.store("k", 2)
    assert memory.retrieve("k") == 1
    engine.failing = {}
    memory.shutdown()


# -- giving back ---------------------------------------------------------------------------------------------


def test_release_gives_everything_back_and_steps_aside(tmp_path: Path) -> None:
    engine: dict[str, Any] = {"a": 1}
    memory = absorb(engine, tmp_path)
    memory.update(b=[2], c=(3,))
    assert memory["a"] == 1
    memory.maintain(settle=True)
    assert engine == {}
    assert memory.release() == 3
    assert engine == {"a": 1, "b": [2], "c": (3,)}
    memory["d"] = 4
    del memory["a"]
    assert engine == {"b": [2], "c": (3,), "d": 4}
    memory.shutdown()
    with absorb({}, tmp_path) as empty:
        assert len(empty) == 0


def test_a_refused_write_back_names_the_directory_and_loses_nothing(tmp_path: Path) -> None:
    engine = Fragile()
    memory = absorb(engine, tmp_path)
    memory.update(a=1, b=2, c=3)
    engine.failing = {"set": 1}
    with pytest.raises(StrataError, match=str(tmp_path)) as told:
        memory.release()
    assert isinstance(told.value.__cause__, BrokenError)
    assert dict(memory) == {"a": 1, "b": 2, "c": 3}
    memory.release()
    assert engine.held == {"a": 1, "b": 2, "c": 3}
    memory.shutdown()


def test_shutdown_without_a_path_releases() -> None:
    engine: dict[str, Any] = {"a": 1}
    with absorb(engine, None) as memory:
        memory["b"] = 2
        memory.store("c", 3, ttl=60)
        del memory["a"]
        assert engine == {}
    assert engine == {"b": 2, "c": 3}


def test_shutdown_whose_write_back_fails_keeps_the_directory() -> None:
    class Refusing(dict[str, Any]):
        def __setitem__(self, key: str, value: Any) -> None:
            raise BrokenError(key)

    memory = absorb(Refusing(), None)
    memory["b"] = [2]
    directory = memory.get_statistics()["storage"]["path"]
    with pytest.raises(StrataError, match=directory):
        memory.shutdown()
    with OptimizationMiddleware(path=directory, clock=ManualClock()) as kept:
        assert dict(kept) == {"b": [2]}


def test_a_value_goes_back_with_the_rest_of_its_time_where_the_engine_knows_time(tmp_path: Path) -> None:
    ttls = []

    class Timed(Client):
        def set(self, key: str, value: Any, ttl: float | None = None) -> bool:
            ttls.append(ttl)
            return super().set(key, value)

    clock = ManualClock()
    memory = absorb(Timed(), tmp_path, clock)
    memory.store("k", 1, ttl=100)
    clock.advance(30)
    memory.release()
    assert ttls == [pytest.approx(70)]
    memory.shutdown()


# -- what is refused -----------------------------------------------------------------------------------------


def test_len_with_an_engine_that_cannot_list_is_type_error(tmp_path: Path) -> None:
    with absorb(Shelf(), tmp_path) as memory:
        memory["a"] = 1
        with pytest.raises(TypeError, match="cannot list its keys"):
            len(memory)
        with pytest.raises(TypeError, match="cannot list its keys"):
            list(memory)
        assert memory["a"] == 1


def test_other_methods_would_see_stale_data_and_say_so(tmp_path: Path) -> None:
    with absorb(Shelf(), tmp_path) as memory:
        with pytest.raises(AttributeError, match=r"memory\.engine\.audit.*wrap\.passthrough"):
            memory.audit()
        assert memory.engine.audit() == "0 held"
        with pytest.raises(AttributeError, match="nothing_like_it"):
            memory.nothing_like_it()
    with absorb(Shelf(), tmp_path, passthrough=["audit"]) as memory:
        assert memory.audit() == "0 held"


@pytest.mark.parametrize("kind", ["diskcache", "client"])
def test_absorbing_more_than_memory_needs_a_directory(tmp_path: Path, kind: str) -> None:
    engine: Any = diskcache.Cache(str(tmp_path)) if kind == "diskcache" else Client()
    with pytest.raises(ConfigurationError, match=r"storage\.path"):
        absorb(engine, None)
    if kind == "diskcache":
        engine["k"] = 1
        assert engine["k"] == 1
        engine.close()
