"""Engines to be wrapped, one a protocol, and what each of them holds at the end."""

from __future__ import annotations

from typing import Any

import diskcache


class Opaque:
    """A value of a type that is not accepted; equal to another of the same name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Opaque({self.name!r})"


class Shelf:
    """store/retrieve/delete; cannot list its keys."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    def store(self, key: str, value: Any) -> None:
        self.held[key] = value

    def retrieve(self, key: str) -> Any:
        return self.held.get(key)

    def delete(self, key: str) -> bool:
        return self.held.pop(key, self) is not self

    def audit(self) -> str:
        return f"{len(self.held)} held"


class Client:
    """get/set/delete in the manner of a network client: a default, a ttl, a KeyError for deleting what is not there."""

    def __init__(self) -> None:
        self.held: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.held.get(key, default)

    def set(self, key: str, value: Any, ttl: float | None = None) -> bool:
        self.held[key] = value
        return True

    def delete(self, key: str) -> None:
        del self.held[key]

    def keys(self) -> list[str]:
        return list(self.held)


def contents(engine: Any) -> dict[str, Any]:
    """Return key -> (value, expiry in wall seconds or None, tag or None) of all that an engine would give out."""
    if isinstance(engine, diskcache.Cache):
        return {key: engine.get(key, expire_time=True, tag=True) for key in list(engine) if key in engine}
    held = engine if isinstance(engine, dict) else engine.held
    return {key: (value, None, None) for key, value in held.items()}
