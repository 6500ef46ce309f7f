"""Places that are shared or change: a store touches only what it made, and refuses what it could not read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import diskcache
import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.errors import ConfigurationError


def open_store(path: Path, **sections: Any) -> OptimizationMiddleware:
    """Open a store without threads."""
    config = OptimizationConfig(enabled=True, storage={"path": str(path)}, **sections)
    return OptimizationMiddleware(config=config, clock=ManualClock())


def files_under(path: Path) -> dict[str, bytes]:
    """Return every file's content."""
    return {
        str(Path(folder, name).relative_to(path)): Path(folder, name).read_bytes()
        for folder, _, names in os.walk(path)
        for name in names
    }


# -- a read cache among foreign files ------------------------------------------------------------------------


@pytest.mark.parametrize("settled", [False, True], ids=["in warm", "in cold"])
def test_reopening_a_cache_leaves_foreign_files_and_the_engine_alone(tmp_path: Path, settled: bool) -> None:
    path = tmp_path / "place"
    (path / "folder").mkdir(parents=True)
    (path / "precious.txt").write_text("mine")
    (path / "folder" / "more.txt").write_text("mine too")
    config = OptimizationConfig(enabled=True, wrap={"mode": "write_through"}, storage={"path": str(path)})
    with diskcache.Cache(str(path / "engine")) as engine:
        for lap in range(3):
            with OptimizationMiddleware(engine, config, clock=ManualClock()) as memory:
                assert len(memory) == (0 if lap == 0 else 2), "the engine is the record"
                assert memory.tiered_storage.read("a") == (None, None), "the cache starts empty"
                memory.store("a", lap)
                memory.store("b", [lap])
                memory.maintain(settle=settled)
            assert (path / "precious.txt").read_text() == "mine"
            assert (path / "folder" / "more.txt").read_text() == "mine too"
            assert (engine["a"], engine["b"]) == (lap, [lap])
            engine["b"] = "changed meanwhile"
            with OptimizationMiddleware(engine, config, clock=ManualClock()) as memory:
                assert memory.retrieve("b") == "changed meanwhile"


# -- one cold directory, two stores --------------------------------------------------------------------------


def test_two_stores_with_one_cold_path_leave_each_others_packs_alone(tmp_path: Path) -> None:
    tiers = {"tiered_storage": {"cold": {"path": str(tmp_path / "cold")}}}
    values = {f"a{number}": os.urandom(500) for number in range(200)}
    with open_store(tmp_path / "A", **tiers) as first:
        for key, value in values.items():
            first.store(key, value, tier=StorageTier.COLD)
        first.maintain(settle=True)
        assert first.get_statistics()["tiered_storage"]["cold_usage_bytes"] > 100_000
    before = files_under(tmp_path / "cold")
    try:
        second = open_store(tmp_path / "B", **tiers)
    except ConfigurationError:
        second = None
    if second is not None:
        with second:
            second.store("b", 1, tier=StorageTier.COLD)
            second.maintain(settle=True)
            second.maintain(settle=True)
            assert second.retrieve("b") == 1
    after = files_under(tmp_path / "cold")
    assert before.items() <= after.items()
    with open_store(tmp_path / "A", **tiers) as first:
        assert dict(first) == values
        first.maintain(settle=True)
        assert dict(first) == values
    if second is not None:
        with open_store(tmp_path / "B", **tiers) as again:
            assert dict(again) == {"b": 1}


# -- another warm backend ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "other"), [("directory", "disk"), ("disk", "directory")])
def test_another_warm_backend_is_refused_while_packs_lie_there(tmp_path: Path, first: str, other: str) -> None:
    path = tmp_path / "store"
    values = {f"k{number}": f"v{number}" * 100 for number in range(50)}
    with open_store(path, tiered_storage={"warm": {"backend": first}}) as memory:
        for key, value in values.items():
            memory.store(key, value)
    before = files_under(path / "warm")
    assert before
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=f"kept by backend '{first}'"):
            open_store(path, tiered_storage={"warm": {"backend": other}})
    assert files_under(path / "warm") == before
    with open_store(path, tiered_storage={"warm": {"backend": first}}) as memory:
        assert dict(memory) == values


@pytest.mark.parametrize(("first", "other"), [("directory", "disk"), ("disk", "directory")])
def test_another_warm_backend_is_taken_once_nothing_lies_there(tmp_path: Path, first: str, other: str) -> None:
    """The way that the refusal names."""
    values = {f"k{number}": f"v{number}" * 100 for number in range(50)}
    with open_store(tmp_path, tiered_storage={"warm": {"backend": first}}) as memory:
        for key, value in values.items():
            memory.store(key, value)
        memory.maintain(settle=True)
    for backend in (other, first):
        with open_store(tmp_path, tiered_storage={"warm": {"backend": backend}}) as memory:
            assert dict(memory) == values
            memory.maintain(settle=True)


# -- endless lifetimes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [10**400, 10**18, 1e300], ids=["10**400", "10**18", "1e300"])
def test_an_endless_ttl_is_refused_or_for_ever(tmp_path: Path, ttl: float) -> None:
    clock = ManualClock()
    config = OptimizationConfig(enabled=True, storage={"path": str(tmp_path)})
    with OptimizationMiddleware(config=config, clock=clock) as memory:
        memory.store("before", 1)
        try:
            memory.store("k", "kept", ttl=ttl)
            kept = True
        except ConfigurationError:
            kept = False
        clock.advance(10**8)
        assert memory.retrieve("k") == ("kept" if kept else None)
        memory.maintain(settle=True)
        assert len(memory) == 1 + kept
    with OptimizationMiddleware(config=config, clock=clock) as memory:
        assert memory.retrieve("k") == ("kept" if kept else None)
        assert memory.retrieve("before") == 1


@pytest.mark.parametrize("ttl", [10**400, 10**18, 1e300], ids=["10**400", "10**18", "1e300"])
def test_an_endless_ttl_of_a_namespace_is_refused_or_for_ever(tmp_path: Path, ttl: float) -> None:
    clock = ManualClock()
    try:
        config = OptimizationConfig(enabled=True, storage={"path": str(tmp_path)}, namespaces={"n": {"ttl": ttl}})
        memory = OptimizationMiddleware(config=config, clock=clock)
    except ConfigurationError:
        assert list(tmp_path.iterdir()) == []
        return
    with memory:
        memory.store("k", "kept", namespace="n")
        clock.advance(10**8)
        assert memory.retrieve("k") == "kept"
