"""Engines that cannot be wrapped, and arguments that would be ignored: an error at construction, nothing changed."""

from __future__ import annotations

from collections import UserDict
from functools import partial
from typing import TYPE_CHECKING, Any

import diskcache
import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.errors import ConfigurationError
from tests.model.wrapped_engines import Client, Shelf

if TYPE_CHECKING:
    from pathlib import Path

MODES = ["absorb", "write_through"]


class AsyncClient(Client):
    async def get(self, key: str, default: Any = None) -> Any:
        return self.held.get(key, default)


class AsyncShelf(Shelf):
    async def store(self, key: str, value: Any) -> None:  # type: ignore[override]  # what is refused
        self.held[key] = value


class AsyncDeletes(Client):
    async def delete(self, key: str) -> None:  # type: ignore[override]  # what is refused
        del self.held[key]


class AsyncMapping(UserDict[str, Any]):
    async def __getitem__(self, key: str) -> Any:
        return self.data[key]


class AsyncCache(diskcache.Cache):  # type: ignore[misc]  # it has no types
    async def set(self, *arguments: Any, **keywords: Any) -> Any:
        return super().set(*arguments, **keywords)


class Call:
    """A verb that is an object."""

    async def __call__(self, key: str) -> Any:
        return key


class Assembled(Shelf):
    """Its verbs are attributes of the instance."""

    def __init__(self, retrieve: Any) -> None:
        super().__init__()
        self.retrieve = retrieve  # type: ignore[method-assign]  # that is what it is for


class Commands(Client):
    """Plain functions that hand on what a coroutine function returns, as clients of Redis do."""

    async def execute_command(self, *arguments: Any) -> Any:
        return arguments


class Mixed(Shelf):
    """The protocol's verbs are plain; what is async beside them is nobody's business here."""

    async def get(self, key: str) -> Any:
        return self.held[key]

    async def close(self) -> None:
        return None


async def _retrieve(_more: str, key: str) -> Any:
    return key


@pytest.mark.parametrize("mode", [*MODES, None])
@pytest.mark.parametrize(
    "make",
    [AsyncClient, AsyncShelf, AsyncDeletes, AsyncMapping, Commands, lambda: Assembled(Call()),
     lambda: Assembled(partial(_retrieve, "more"))],
    ids=["get", "store", "delete", "mapping", "commands", "object", "partial"],
)  # fmt: skip
def test_an_engine_that_answers_with_awaitables_is_refused(tmp_path: Path, make: Any, mode: str | None) -> None:
    config = None if mode is None else OptimizationConfig(enabled=True, wrap={"mode": mode})
    path = None if mode is None else tmp_path / "store"
    with pytest.raises(ConfigurationError, match=r"awaitables.*asyncio\.to_thread"):
        OptimizationMiddleware(make(), config, path=path)
    assert not (tmp_path / "store").exists()


def test_a_diskcache_with_an_async_verb_is_refused(tmp_path: Path) -> None:
    with AsyncCache(str(tmp_path / "cache")) as engine, pytest.raises(ConfigurationError, match="awaitables"):
        OptimizationMiddleware(engine, OptimizationConfig(enabled=True), path=tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["Valkey", "ValkeyCluster"])
def test_an_asyncio_client_of_valkey_is_refused(tmp_path: Path, name: str) -> None:
    client = getattr(pytest.importorskip("valkey.asyncio"), name)(host="127.0.0.1", port=1)
    for mode in MODES:
        config = OptimizationConfig(enabled=True, wrap={"mode": mode})
        with pytest.raises(ConfigurationError, match=f"{name} .*awaitables"):
            OptimizationMiddleware(client, config, path=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_async_methods_that_no_protocol_uses_do_not_matter(tmp_path: Path) -> None:
    engine = Mixed()
    config = OptimizationConfig(enabled=True, wrap={"mode": "write_through"})
    with OptimizationMiddleware(engine, config, path=tmp_path / "store") as memory:
        memory.store("key", 1)
    assert engine.held == {"key": 1}


@pytest.mark.parametrize("kind", [dict, Client, Shelf, diskcache.Cache])
def test_a_class_is_refused_as_an_engine(tmp_path: Path, kind: type) -> None:
    for config in (None, OptimizationConfig(enabled=True)):
        with pytest.raises(ConfigurationError, match=f"{kind.__name__} is a class.*instance"):
            OptimizationMiddleware(kind, config, path=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_path_that_would_be_ignored_is_refused(tmp_path: Path) -> None:
    engine = {"key": 1}
    with pytest.raises(ConfigurationError, match=r"path.*enabled=True"):
        OptimizationMiddleware(engine, path=tmp_path / "store")
    assert engine == {"key": 1}
    assert not (tmp_path / "store").exists()


def test_a_path_beside_a_configuration_that_says_off_is_what_a_switch_needs(tmp_path: Path) -> None:
    with OptimizationMiddleware({"key": 1}, OptimizationConfig(enabled=False), path=tmp_path / "store") as memory:
        assert memory["key"] == 1
    assert not (tmp_path / "store").exists()
