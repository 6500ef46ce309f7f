"""Times to live at every door: ours are refused alike everywhere, an engine's own mean what they mean to the engine."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import diskcache
import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.errors import ConfigurationError
from tests.model.wrapped_engines import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODES = ["absorb", "write_through", "disabled"]


def wrapped(engine: object, mode: str, path: Path) -> OptimizationMiddleware:
    wrap = {} if mode == "disabled" else {"mode": mode}
    config = OptimizationConfig(enabled=mode != "disabled", wrap=wrap)
    return OptimizationMiddleware(engine, config, path=path, clock=ManualClock())


class Memcached:
    """Keeps the time it was asked for; 0 is for ever there."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[Any, float]] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.held.get(key, (default,))[0]

    def set(self, key: str, value: Any, expire: int = 0) -> bool:
        self.held[key] = (value, expire)
        return True

    def delete(self, key: str) -> bool:
        return self.held.pop(key, None) is not None


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[diskcache.Cache]:
    with diskcache.Cache(str(tmp_path / "cache")) as opened:
        yield opened


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ttl", [0, -1, "60", True, math.nan, math.inf, timedelta(seconds=5)], ids=repr)
def test_a_ttl_of_ours_is_refused_before_anything_changes(tmp_path: Path, mode: str, ttl: Any) -> None:
    engine = Client()
    engine.set("kept", 1)
    with wrapped(engine, mode, tmp_path / "store") as memory:
        uses: tuple[Callable[[], object], ...] = (
            lambda: memory.store("kept", 2, ttl=ttl),
            lambda: memory.add("new", 2, ttl=ttl),
            lambda: memory.add("kept", 2, ttl=ttl),
            lambda: memory.replace("kept", 2, 1, ttl=ttl),
            lambda: memory.replace("kept", 2, "other", ttl=ttl),
            lambda: memory.store_many({"new": 2}, ttl=ttl),
        )
        for use in uses:
            with pytest.raises(ConfigurationError, match="ttl is a number of seconds above 0"):
                use()
        assert memory.retrieve_many(["kept", "new"]) == {"kept": 1}


@pytest.mark.parametrize("mode", ["absorb", "write_through"])
def test_diskcache_expires_as_it_does_by_itself(tmp_path: Path, mode: str, cache: Any) -> None:
    with wrapped(cache, mode, tmp_path / "store") as memory:
        for name, expire in (("float", 60.5), ("bool", True), ("ages", math.inf), ("none", None)):
            assert memory.set(name, name, expire=expire)
            assert memory.retrieve(name) == name
        assert memory.set("positional", 1, 60)
        assert memory.set("gone", 1, 0)
        assert memory.set("past", 1, expire=-1)
        assert memory.retrieve_many(["gone", "past", "positional"]) == {"positional": 1}
        assert memory.get("ages", expire_time=True) == ("ages", None)


@pytest.mark.parametrize("mode", ["absorb", "write_through"])
@pytest.mark.parametrize("expire", [timedelta(seconds=5), "60", math.nan, 10**400], ids=["delta", "text", "nan", "big"])
def test_what_diskcache_refuses_is_told_before_anything_changes(
    tmp_path: Path, mode: str, cache: Any, expire: Any
) -> None:
    with wrapped(cache, mode, tmp_path / "store") as memory:
        memory["kept"] = 1
        uses: tuple[Callable[[], object], ...] = (
            lambda: memory.set("kept", 2, expire=expire),
            lambda: memory.set("kept", 2, expire),
            lambda: memory.add("new", 2, expire=expire),
        )
        for use in uses:
            with pytest.raises(ConfigurationError, match="expire is a number of seconds"):
                use()
        assert memory.retrieve_many(["kept", "new"]) == {"kept": 1}


@pytest.mark.parametrize("mode", ["absorb", "write_through"])
def test_zero_is_for_ever_where_an_engine_has_it_by_default(tmp_path: Path, mode: str) -> None:
    with wrapped(Memcached(), mode, tmp_path / "store") as memory:
        memory.set("kept", 1, expire=0)
        memory.set("positional", 1, 0)
        memory.set("past", 1, expire=-1)
        memory.set("delta", 1, expire=timedelta(minutes=1))
        assert memory.retrieve_many(["kept", "positional", "past", "delta"]) == dict.fromkeys(
            ("kept", "positional", "delta"), 1
        )


@pytest.mark.parametrize("mode", ["absorb", "write_through"])
def test_a_time_is_given_once(tmp_path: Path, mode: str) -> None:
    with wrapped(Client(), mode, tmp_path / "store") as memory:
        with pytest.raises(TypeError, match="one ttl"):
            memory.set("k", 1, 60, ttl=60)
        with pytest.raises(TypeError, match="one ttl"):
            memory.set("k", 1, 60, 60)
        with pytest.raises(ConfigurationError, match="ttl is a number of seconds"):
            memory.set("k", 1, ttl="60")
        assert memory.retrieve("k") is None
