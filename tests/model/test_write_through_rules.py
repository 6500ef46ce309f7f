"""Write-through and pass-through: the engine is the record, whatever happens beside or behind the wrapper."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.clock import ManualClock
from stratakv.engine.modes.write_through import WriteThrough
from stratakv.engine.store import Store
from stratakv.engine.terms import DEFAULTS
from stratakv.engine.wrapping import recognise
from stratakv.errors import ClosedError, ConfigurationError
from stratakv.files import Files
from tests.model.wrapped_engines import Client, Opaque, Shelf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def cached(
    engine: object, path: Path, clock: ManualClock | None = None, *, staleness: float = 60, **sections: Any
) -> OptimizationMiddleware:
    wrap = {"mode": "write_through", "max_staleness_seconds": staleness}
    return OptimizationMiddleware(
        engine, config=OptimizationConfig(wrap=wrap, **sections), path=path, clock=clock or ManualClock()
    )


class Held(Client):
    """Stops in the middle of a chosen `get`, after reading, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.stop_next = False
        self.inside = threading.Event()
        self.go_on = threading.Event()

    def get(self, key: str, default: Any = None) -> Any:
        value = super().get(key, default)
        if self.stop_next:
            self.stop_next = False
            self.inside.set()
            assert self.go_on.wait(30)
        return value


def test_reads_come_from_the_cache_until_it_is_stale(tmp_path: Path) -> None:
    engine, clock = Client(), ManualClock()
    with cached(engine, tmp_path, clock) as memory:
        memory.store("k", "ours")
        engine.held["k"] = "changed behind our back"
        assert memory.retrieve("k") == "ours"
        clock.advance(59)
        assert memory.retrieve("k") == "ours"
        clock.advance(1)
        assert memory.retrieve("k") == "changed behind our back"
        del engine.held["k"]
        clock.advance(60)
        assert memory.retrieve("k") is None
        assert "k" not in memory


def test_upkeep_does_not_make_stale_entries_live_longer(tmp_path: Path) -> None:
    engine, clock = Client(), ManualClock()
    with cached(engine, tmp_path, clock) as memory:
        memory.store("k", "ours")
        memory.maintain(settle=True)
        clock.advance(30)
        assert memory.retrieve("k") == "ours"
        memory.tiered_storage.migrate_tier("k", StorageTier.HOT)
        engine.held["k"] = "theirs"
        clock.advance(30)
        assert memory.retrieve("k") == "theirs"


def test_a_slow_read_counts_as_old_as_its_beginning(tmp_path: Path) -> None:
    clock = ManualClock()

    class Slow(Client):
        def get(self, key: str, default: Any = None) -> Any:
            value = super().get(key, default)
            clock.advance(50)
            return value

    engine = Slow()
    engine.held["k"] = "old"
    with cached(engine, tmp_path, clock) as memory:
        assert memory.retrieve("k") == "old"
        engine.held["k"] = "new"
        clock.advance(10)
        assert memory.retrieve("k") == "new"


def test_without_staleness_nothing_is_cached(tmp_path: Path) -> None:
    engine = Client()
    with cached(engine, tmp_path, staleness=0) as memory:
        memory.store("k", 1)
        engine.held["k"] = 2
        assert memory.retrieve("k") == 2


def test_the_cache_starts_empty(tmp_path: Path) -> None:
    engine = Client()
    with cached(engine, tmp_path) as memory:
        memory.store("k", "first")
    engine.held["k"] = "changed meanwhile"
    with cached(engine, tmp_path) as memory:
        assert memory.retrieve("k") == "changed meanwhile"


def _overwrite(memory: OptimizationMiddleware) -> Any:
    memory.store("k", "new")
    return "new"


def _delete(memory: OptimizationMiddleware) -> Any:
    memory.delete("k")
    return None


@pytest.mark.parametrize("change", [_overwrite, _delete], ids=["overwrite", "delete"])
def test_a_reader_held_in_the_engine_never_caches_the_old_value(
    tmp_path: Path, change: Callable[[OptimizationMiddleware], Any]
) -> None:
    engine = Held()
    found: list[Any] = []
    engine.held["k"] = "old"
    with cached(engine, tmp_path) as memory:
        engine.stop_next = True
        reader = threading.Thread(target=lambda: found.append(memory.retrieve("k")))
        reader.start()
        assert engine.inside.wait(30)
        expected = change(memory)
        engine.go_on.set()
        reader.join(30)
        assert found == ["old"]
        assert memory.retrieve("k") == expected
        assert engine.held.get("k") == expected


def test_a_value_that_is_not_accepted_is_the_engines_alone(tmp_path: Path) -> None:
    engine = Client()
    with cached(engine, tmp_path) as memory:
        memory.store("k", 1)
        memory.store("k", Opaque("o"))
        assert engine.held["k"] == Opaque("o")
        assert memory.retrieve("k") is engine.held["k"]


def test_a_failed_write_leaves_no_wrong_entry(tmp_path: Path) -> None:
    class Failing(Client):
        def set(self, key: str, value: Any, ttl: float | None = None) -> bool:
            super().set(key, value)
            if value == "bad":
                raise OSError("done, and the answer lost")
            return True

    with cached(Failing(), tmp_path) as memory:
        memory.store("k", "good")
        with pytest.raises(OSError, match="answer lost"):
            memory.store("k", "bad")
        assert memory.retrieve("k") == "bad"


class Writing(Client):
    """Stops in a chosen `set`, before or after its effect, until it is let go; counts what is read."""

    def __init__(self, stop: str) -> None:
        super().__init__()
        self._stop = stop
        self.inside = threading.Event()
        self.go_on = threading.Event()
        self.reads = 0

    def get(self, key: str, default: Any = None) -> Any:
        self.reads += 1
        return super().get(key, default)

    def set(self, key: str, value: Any, ttl: float | None = None) -> bool:
        def stop(where: str) -> None:
            if value == "new" and where == self._stop:
                self.inside.set()
                assert self.go_on.wait(30)

        stop("before")
        super().set(key, value, ttl)
        stop("after")
        return True


@pytest.mark.parametrize(("stop", "seen"), [("before", "old"), ("after", "new")])
def test_a_reader_beside_a_write_is_told_what_the_engine_has_and_caches_nothing(
    tmp_path: Path, stop: str, seen: str
) -> None:
    engine = Writing(stop)
    with cached(engine, tmp_path) as memory:
        memory.store("k", "old")
        assert memory.retrieve("k") == "old"
        assert engine.reads == 0
        writer = threading.Thread(target=memory.store, args=("k", "new"))
        writer.start()
        assert engine.inside.wait(30)
        assert [memory.retrieve("k") for _ in range(3)] == [seen] * 3
        assert memory.retrieve_many(["k"]) == {"k": seen}
        assert engine.reads == 4
        engine.go_on.set()
        writer.join(30)
        assert memory.retrieve("k") == "new"
        assert engine.reads == 4


def test_where_the_cache_cannot_be_written_its_old_value_is_not_shown(tmp_path: Path) -> None:
    class Failing(Files):
        failing = False

        def write(self, descriptor: int, parts: list[bytes]) -> int:
            if self.failing:
                raise OSError("the medium is gone")
            return super().write(descriptor, parts)

    engine, files = Client(), Failing()
    config = OptimizationConfig(storage={"path": str(tmp_path)})
    mode = WriteThrough(Store(config, clock=ManualClock(), files=files), recognise(engine), 60)
    mode.put("k", "old", DEFAULTS)
    files.failing = True
    for value in ("new", "newer"):
        with pytest.raises(ClosedError, match="medium is gone"):
            mode.put("k", value, DEFAULTS)
        assert mode.get("k", None) == engine.held["k"]
    with pytest.raises(ClosedError):
        mode.close()


def test_a_cache_does_not_wait_for_its_medium(tmp_path: Path) -> None:
    with cached(Client(), tmp_path, storage={"durability": "sync"}) as memory:
        memory.store("k", 1)
        assert memory.get_statistics()["config"]["durability"] == "none"


def test_other_methods_of_the_engine_are_passed_on(tmp_path: Path) -> None:
    with cached(Shelf(), tmp_path) as memory:
        memory.store("k", 1)
        assert memory.audit() == "1 held"


def test_doors_do_not_write_past_the_engine(tmp_path: Path) -> None:
    engine = Client()
    with cached(engine, tmp_path) as memory:
        memory.store("k", 1)
        with pytest.raises(ConfigurationError, match="the wrapped engine is the record"):
            memory.tiered_storage.write("k", 2)
        with pytest.raises(ConfigurationError, match="the wrapped engine is the record"):
            memory.dedup_engine.write("k", 2)
        assert memory.tiered_storage.read("k") == (1, StorageTier.HOT)
        assert engine.held == {"k": 1}


def test_loss_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="loss is refused"):
        cached({}, tmp_path, namespaces={"n": {"lossy": True}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["write_through", "disabled"])
def test_replace_compares_type_and_all(tmp_path: Path, mode: str) -> None:
    engine: dict[str, Any] = {"array": np.arange(3), "list": [1], "other": Opaque("o")}
    config = OptimizationConfig(enabled=mode != "disabled", wrap={"mode": "write_through"})
    with OptimizationMiddleware(engine, config, path=tmp_path, clock=ManualClock()) as memory:
        assert not memory.replace("array", 0, np.arange(4))
        assert memory.replace("array", 0, np.arange(3))
        assert not memory.replace("list", 0, [True])
        assert memory.replace("list", 0, [1])
        assert not memory.replace("other", 0, Opaque("p"))
        assert memory.replace("other", 0, Opaque("o"))
        assert not memory.replace("none", 0, None)
        assert engine == {"array": 0, "list": 0, "other": 0}


# -- a directory is one thing or the other -------------------------------------------------------------------


def test_a_cache_directory_is_refused_for_absorbing(tmp_path: Path) -> None:
    cached({}, tmp_path).shutdown()
    for engine in (Client(), None):
        with pytest.raises(ConfigurationError, match="read cache"):
            OptimizationMiddleware(engine, OptimizationConfig(), path=tmp_path, clock=ManualClock())


def test_a_store_is_refused_as_a_cache_and_stays_whole(tmp_path: Path) -> None:
    with OptimizationMiddleware({}, OptimizationConfig(), path=tmp_path, clock=ManualClock()) as memory:
        memory["k"] = [1]
    with pytest.raises(ConfigurationError, match="only copy"):
        cached({}, tmp_path)
    with OptimizationMiddleware(path=tmp_path, clock=ManualClock()) as memory:
        assert memory["k"] == [1]


# -- switched off --------------------------------------------------------------------------------------------


def test_wrapped_without_configuration_every_call_passes_straight_through() -> None:
    engine = Shelf()
    memory = OptimizationMiddleware(engine)
    value = Opaque("anything")
    assert memory.store("k", value)
    assert engine.held["k"] is value
    assert memory.retrieve("k") is value
    assert memory.audit() == "1 held"
    assert "k" in memory
    assert memory.get_statistics()["config"]["enabled"] is False
    with pytest.raises(ConfigurationError, match="enabled: true"):
        memory.tiered_storage.read("k")
    with pytest.raises(ConfigurationError, match="enabled: true"):
        memory.dedup_engine.read("k")
    with pytest.raises(ConfigurationError, match="enabled: true"):
        _ = memory.compression_engine
    memory.flush()
    memory.maintain(settle=True)
    assert memory.delete("k")
    memory.shutdown()
    assert engine.held == {}


def test_switched_off_a_mapping_keeps_its_own_keys() -> None:
    engine: dict[Any, Any] = {5: "five"}
    memory = OptimizationMiddleware(engine)
    five: Any = 5
    assert five in memory
    assert five + 1 not in memory
    assert memory[five] == "five"
    memory.shutdown()
    assert engine == {5: "five"}
