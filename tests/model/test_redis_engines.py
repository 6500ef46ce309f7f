"""A bare client of a real Valkey server as the wrapped engine: times to live go there and come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware
from tests.servers.valkey import NoServerError, valkey_client, valkey_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    try:
        with valkey_server() as port, valkey_client(port) as client:
            yield client
    except NoServerError as missing:
        pytest.skip(str(missing))


def absorbing(client: Any, path: Path) -> OptimizationMiddleware:
    return OptimizationMiddleware(client, OptimizationConfig(enabled=True), path=path)


def test_an_adopted_key_keeps_the_time_that_the_server_gave_it(client: Any, tmp_path: Path) -> None:
    client.set("short", b"lived", px=1)
    client.set("kept", b"value", ex=1000)
    client.set("for ever", b"value")
    with absorbing(client, tmp_path / "store") as memory:
        while client.exists("short"):
            pass
        assert memory.retrieve("short") is None
        assert memory.retrieve("kept") == memory.retrieve("for ever") == b"value"
        memory.maintain()
        assert not client.exists("kept", "for ever")
        assert memory.release() == 2
    assert 0 < client.pttl("kept") <= 1_000_000
    assert client.pttl("for ever") == -1


def test_a_part_of_a_second_reaches_the_server(client: Any, tmp_path: Path) -> None:
    config = OptimizationConfig(enabled=True, wrap={"mode": "write_through"})
    with OptimizationMiddleware(client, config, path=tmp_path / "store") as memory:
        memory.store("key", b"value", ttl=90.5)
        assert 90_000 < client.pttl("key") <= 90_500
        assert memory.retrieve("key") == b"value"
        with pytest.raises(TypeError, match="nx"):
            memory.set("key", b"other", nx=True)
