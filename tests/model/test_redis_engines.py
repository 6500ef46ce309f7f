"""A bare client of a real Valkey server as the wrapped engine: times to live go there and come back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.errors import ConfigurationError
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


def opened(client: Any, mode: str, path: Path) -> OptimizationMiddleware:
    return OptimizationMiddleware(client, OptimizationConfig(enabled=True, wrap={"mode": mode}), path=path)


@pytest.mark.parametrize("mode", ["absorb", "write_through"])
@pytest.mark.parametrize(
    ("given", "least"),
    [
        ({"ex": 90}, 89_000),
        ({"ex": timedelta(minutes=1.5)}, 89_000),
        ({"ex": "90"}, 89_000),
        ({"px": 90_500}, 89_500),
        ({"px": timedelta(seconds=90.5)}, 89_500),
    ],
    ids=["ex", "ex delta", "ex digits", "px", "px delta"],
)
def test_an_expiry_that_the_client_takes_means_the_same(
    client: Any, tmp_path: Path, mode: str, given: dict[str, Any], least: int
) -> None:
    with opened(client, mode, tmp_path / "store") as memory:
        assert memory.set("key", b"value", **given)
        if "ex" in given:
            assert memory.set("key", b"value", given["ex"])
        assert memory.set("endless", b"value", ex=None, px=None)
        memory.release()
    assert least < client.pttl("key") <= 90_500
    assert client.pttl("endless") == -1
    client.delete("key", "endless")


@pytest.mark.parametrize("mode", ["absorb", "write_through"])
@pytest.mark.parametrize(
    "given",
    [
        {"ex": 0}, {"ex": -1}, {"ex": 1.5}, {"ex": "soon"}, {"ex": True}, {"ex": timedelta(0)}, {"px": 0},
        {"px": 1.5}, {"px": "90"}, {"ex": 1, "px": 1000},
    ],
    ids=repr,
)  # fmt: skip
def test_an_expiry_that_the_client_or_server_refuses_changes_nothing(
    client: Any, tmp_path: Path, mode: str, given: dict[str, Any]
) -> None:
    with opened(client, mode, tmp_path / "store") as memory:
        memory.set("key", b"kept")
        with pytest.raises(ConfigurationError, match=r"ex|px"):
            memory.set("key", b"other", **given)
        for ttl in (0, -1):
            with pytest.raises(ConfigurationError, match="ttl is a number of seconds above 0"):
                memory.store("key", b"other", ttl=ttl)
        assert memory.retrieve("key") == b"kept"
        memory.release()
    assert client.get("key") == b"kept"
    client.delete("key")
