"""The face as a mapping and its doors: what a user of a dict expects, and one store behind all doors."""

from __future__ import annotations

import copy
import threading
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.backends.memory import MemoryBackend
from stratakv.clock import ManualClock
from stratakv.errors import CapacityError, ClosedError, ConfigurationError, SerializationError
from stratakv.testing import RecordingBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[OptimizationMiddleware]:
    with OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock()) as opened:
        yield opened


# -- a mapping -----------------------------------------------------------------------------------------------


def test_it_is_a_mutable_mapping(memory: OptimizationMiddleware) -> None:
    assert isinstance(memory, MutableMapping)
    memory["k"] = 1
    assert memory["k"] == 1
    assert memory.get("k") == 1
    assert memory.get("none") is None
    assert memory.get("none", 5) == 5
    assert len(memory) == 1
    assert list(memory) == list(memory.keys()) == ["k"]
    assert list(memory.items()) == [("k", 1)]
    assert list(memory.values()) == [1]
    del memory["k"]
    assert "k" not in memory


@pytest.mark.parametrize("verb", ["__getitem__", "__delitem__", "pop"])
def test_a_miss_is_key_error_at_the_mapping_face_only(memory: OptimizationMiddleware, verb: str) -> None:
    with pytest.raises(KeyError, match="none"):
        getattr(memory, verb)("none")
    assert memory.retrieve("none") is None
    assert memory.delete("none") is False


def test_none_is_a_value(memory: OptimizationMiddleware) -> None:
    memory["k"] = None
    assert "k" in memory
    assert memory["k"] is None
    assert memory.retrieve("k", "default") is None
    assert memory.setdefault("k", 1) is None
    assert memory.add("k", 1) is False
    assert memory.retrieve_many(["k", "none"]) == {"k": None}
    assert memory.pop("k", "default") is None


def test_pop_popitem_setdefault_update_and_clear(memory: OptimizationMiddleware) -> None:
    memory.update({"a": 1}, b=2)
    memory.update([("c", 3)])
    assert memory.pop("a") == 1
    assert memory.pop("a", "gone") == "gone"
    assert memory.setdefault("b", 9) == 2
    assert memory.setdefault("d", 4) == 4
    key, value = memory.popitem()
    assert key not in memory
    assert {key: value, **memory} == {"b": 2, "c": 3, "d": 4}
    memory.maintain(settle=True)
    memory["e"] = 5
    memory.clear()
    assert len(memory) == 0
    assert list(memory) == []
    with pytest.raises(KeyError):
        memory.popitem()


def test_equality_is_identity(memory: OptimizationMiddleware) -> None:
    memory["k"] = 1
    assert memory == memory  # noqa: PLR0124  -- the identity is what is tested
    assert memory != {"k": 1}
    assert {memory: "hashable"}[memory] == "hashable"
    assert not memory == dict(memory)  # noqa: SIM201  -- both operators are tested


def test_an_empty_store_is_true(memory: OptimizationMiddleware) -> None:
    assert memory


@pytest.mark.parametrize("verb", ["__getitem__", "__contains__", "retrieve", "delete", "get"])
@pytest.mark.parametrize("key", [5, None, b"k", "", "k" * 1025], ids=["int", "None", "bytes", "empty", "long"])
def test_a_bad_key_is_refused_by_every_verb(memory: OptimizationMiddleware, verb: str, key: Any) -> None:
    with pytest.raises(ConfigurationError, match="key"):
        getattr(memory, verb)(key)
    for store in (memory.__setitem__, memory.store, memory.add):
        with pytest.raises(ConfigurationError, match="key"):
            store(key, 1)
    with pytest.raises(ConfigurationError, match="key"):
        memory.store_many({"good": 1, key: 2})
    assert len(memory) == 0


def test_a_batch_with_one_bad_value_stores_nothing(memory: OptimizationMiddleware) -> None:
    with pytest.raises(SerializationError):
        memory.store_many({"a": 1, "b": object()})
    assert list(memory) == []


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), "60", True])
def test_a_bad_ttl_is_refused(memory: OptimizationMiddleware, ttl: Any) -> None:
    with pytest.raises(ConfigurationError, match="ttl"):
        memory.store("k", 1, ttl=ttl)
    assert "k" not in memory


@pytest.mark.parametrize("ttl", [1e15, 1e300])
def test_a_ttl_of_ages_is_as_good_as_for_ever(memory: OptimizationMiddleware, ttl: float) -> None:
    memory.store("k", 1, ttl=ttl)
    memory.maintain(settle=True)
    assert memory["k"] == 1


@pytest.mark.parametrize("name", ["", "n" * 256, "\ud800", 5])
def test_a_bad_namespace_is_refused(memory: OptimizationMiddleware, name: Any) -> None:
    with pytest.raises(ConfigurationError, match="namespace"):
        memory.store("k", 1, namespace=name)
    assert "k" not in memory


def test_in_never_loads_a_value(tmp_path: Path) -> None:
    backends = {tier: RecordingBackend(MemoryBackend()) for tier in (StorageTier.WARM, StorageTier.COLD)}
    with OptimizationMiddleware(path=tmp_path, clock=ManualClock(), backends=backends) as memory:
        memory.store_many({f"k{number}": [number] for number in range(9)})
        memory.maintain(settle=True)
        for backend in backends.values():
            backend.calls.clear()
        assert "k3" in memory
        assert "none" not in memory
        assert len(memory) == len(list(memory)) == len(list(memory.keys("k"))) == 9
        assert [backend.calls for backend in backends.values()] == [[], []]
        assert memory["k3"] == [3]
        assert backends[StorageTier.COLD].calls


@pytest.mark.parametrize("settled", [False, True])
def test_iteration_beside_writes_gives_what_was_there_throughout(memory: OptimizationMiddleware, settled: bool) -> None:
    stay = {f"stay{number:04}" for number in range(1500)}
    memory.store_many(dict.fromkeys(sorted(stay), 1))
    memory.store_many({f"go{number:04}": 2 for number in range(1500)})
    memory.maintain(settle=settled)
    seen = []
    for turn, key in enumerate(memory):
        seen.append(key)
        if turn % 100 == 0:
            memory[f"new{turn}"] = turn
            memory[f"stay{turn % 1500:04}"] = turn
            del memory[f"go{turn // 3:04}"]
            memory.maintain()
    assert stay <= set(seen)
    assert len(seen) == len(set(seen))
    assert memory.keys() >= stay


def test_keys_by_prefix(memory: OptimizationMiddleware) -> None:
    names = ["a", "a:1", "a:2", "b", "a\ud800", "a\U0010ffff", "\u00e9"]
    memory.store_many(dict.fromkeys(names[:4], 1))
    memory.maintain()
    memory.store_many(dict.fromkeys(names[4:], 1))
    assert sorted(memory.keys("a:")) == ["a:1", "a:2"]
    assert sorted(memory.keys("a")) == sorted(name for name in names if name.startswith("a"))
    assert list(memory.keys("c")) == []
    assert sorted(memory.keys("")) == sorted(names)
    with pytest.raises(ConfigurationError, match="prefix"):
        memory.keys(7)  # type: ignore[arg-type]  # what is refused


def test_expired_is_a_miss_everywhere(tmp_path: Path) -> None:
    clock = ManualClock()
    with OptimizationMiddleware(path=tmp_path, clock=clock) as memory:
        memory.store("k", 1, ttl=10)
        memory.store("deep", 2, ttl=10)
        memory["stays"] = 3
        memory.maintain(settle=True)
        memory.store("k", 4, ttl=10)
        clock.advance(10)
        assert list(memory) == ["stays"]
        assert len(memory) == 1
        assert "k" not in memory
        assert memory.retrieve("deep") is None
        assert memory.retrieve_many(["k", "deep", "stays"]) == {"stays": 3}
        assert memory.tiered_storage.read("k") == (None, None)
        assert memory.tiered_storage.migrate_tier("deep", StorageTier.WARM) is False
        assert memory.replace("k", 5, 4) is False
        assert memory.delete("k") is False
        assert memory.delete_many(["k", "deep"]) == 0
        assert memory.add("deep", 6)
        assert memory["deep"] == 6


def test_a_pin_ends_with_its_value(tmp_path: Path) -> None:
    clock = ManualClock()
    with OptimizationMiddleware(path=tmp_path, clock=clock) as memory:
        memory.store("k", 1, StorageTier.WARM, pin=True, ttl=10)
        clock.advance(11)
        memory["k"] = 2
        memory.maintain(settle=True)
        assert memory.tiered_storage.read("k") == (2, StorageTier.COLD)


def test_a_pin_outranks_the_tier_asked_for(memory: OptimizationMiddleware) -> None:
    memory.store("warm", 1, StorageTier.WARM, pin=True)
    memory.store("hot", 2, StorageTier.HOT, pin=True)
    for key, value in (("warm", 3), ("hot", 4)):
        memory.store(key, value, StorageTier.COLD)
    memory.maintain(settle=True)
    assert memory.tiered_storage.read("warm") == (3, StorageTier.WARM)
    assert memory.tiered_storage.read("hot") == (4, StorageTier.HOT)


@pytest.mark.parametrize("order", [["warm", "cold"], ["cold", "warm"]], ids=["warm first", "cold first"])
def test_a_shared_content_takes_the_hottest_of_its_keys(memory: OptimizationMiddleware, order: list[str]) -> None:
    memory["seen before"] = [7] * 50
    memory.maintain(settle=True)
    for key in order:
        memory.store(key, [7] * 50, StorageTier.WARM if key == "warm" else StorageTier.COLD, pin=True)
    memory.maintain(settle=True)
    assert memory.tiered_storage.read("cold") == ([7] * 50, StorageTier.WARM)


def test_moving_a_key_does_not_make_it_younger(tmp_path: Path) -> None:
    clock = ManualClock()
    config = OptimizationConfig(namespaces={"old": {"prunable": True, "prune_after_days": 5}})
    with OptimizationMiddleware(config=config, path=tmp_path, clock=clock) as memory:
        memory.store("k", 1, namespace="old")
        memory.store("dirty", 2, namespace="old")
        memory.maintain(settle=True)
        clock.advance(3 * 86_400)
        memory.store("later", 3, namespace="old")
        for key in ("k", "dirty", "later"):
            assert memory.tiered_storage.migrate_tier(key, StorageTier.WARM)
        clock.advance(3 * 86_400)
        memory.maintain()
        assert list(memory) == ["later"]


def test_pins_beyond_the_hot_capacity_are_refused_and_change_nothing(tmp_path: Path) -> None:
    config = OptimizationConfig(tiered_storage={"hot_capacity_mb": 0.002})
    with OptimizationMiddleware(config=config, path=tmp_path, clock=ManualClock()) as memory:
        memory["k"] = "before"
        with pytest.raises(CapacityError, match="hot_capacity_mb"):
            memory.store("k", np.random.default_rng(1).bytes(5000), pin=True)
        assert memory["k"] == "before"


# -- independence --------------------------------------------------------------------------------------------


def test_values_are_independent_of_what_callers_do_to_them(memory: OptimizationMiddleware) -> None:
    value: dict[str, Any] = {"list": [1], "array": np.arange(4)}
    before = copy.deepcopy(value)
    memory["k"] = value
    value["list"].append(2)
    value["array"][0] = 9
    for _ in range(2):
        found = memory["k"]
        assert found["list"] == before["list"]
        assert np.array_equal(found["array"], before["array"])
        found["list"].append(3)
        found["array"] = None
        memory.maintain(settle=True)


def test_the_configuration_is_copied(tmp_path: Path) -> None:
    config = OptimizationConfig(storage={"path": str(tmp_path)}, namespaces={"n": {"ttl": 10}})
    clock = ManualClock()
    with OptimizationMiddleware(config=config, clock=clock) as memory:
        config.namespaces["n"].ttl = 1
        config.storage.path = "elsewhere"
        memory.store("k", 1, namespace="n")
        clock.advance(5)
        assert memory["k"] == 1
        assert memory.config.storage.path == str(tmp_path)


# -- the life of it ------------------------------------------------------------------------------------------


def test_after_shutdown_everything_says_closed(tmp_path: Path) -> None:
    memory = OptimizationMiddleware(path=tmp_path, clock=ManualClock())
    memory["k"] = 1
    tiers, contents, keys = memory.tiered_storage, memory.dedup_engine, memory.keys("k")
    memory.shutdown()
    memory.shutdown()
    calls: list[Callable[[], object]] = [
        lambda: memory["k"], lambda: memory.retrieve("k"), lambda: memory.store("k", 1), lambda: "k" in memory,
        lambda: len(memory), lambda: list(memory), lambda: memory.tiered_storage, lambda: list(keys),
        lambda: tiers.read("k"), lambda: contents.write("k", 1), lambda: memory.delete("k"),
        lambda: memory.add("k", 1), memory.get_statistics, memory.flush, memory.maintain, memory.__enter__,
        tiers.get_statistics, contents.get_statistics,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ClosedError):
            call()
    assert "closed" in repr(memory)


def test_leaving_the_block_closes_also_when_it_fails(tmp_path: Path) -> None:
    memory = OptimizationMiddleware(path=tmp_path, clock=ManualClock())
    memory["k"] = 0.5
    with pytest.raises(ZeroDivisionError), memory:
        memory["l"] = 1 / 0
    with OptimizationMiddleware(path=tmp_path, clock=ManualClock()) as again:
        assert again["k"] == 0.5


def test_a_popped_value_goes_to_one_caller_only(tmp_path: Path) -> None:
    with OptimizationMiddleware(path=tmp_path / "store") as memory:
        for number in range(200):
            memory[f"k{number}"] = number
        taken: list[int] = []

        def take_all() -> None:
            for number in range(200):
                value = memory.pop(f"k{number}", None)
                if value is not None:
                    taken.append(value)

        threads = [threading.Thread(target=take_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == list(range(200))
        assert len(memory) == 0
