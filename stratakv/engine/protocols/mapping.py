"""The mapping protocol: dicts and what acts like one."""

from __future__ import annotations

from collections import UserDict
from typing import TYPE_CHECKING, Any

from stratakv.engine.protocols.base import MISSING, Engine, EngineValue
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


class MappingEngine(Engine):
    """The mapping protocol."""

    lists = True

    def __init__(self, engine: Any, /) -> None:
        super().__init__(engine)
        self.in_memory = isinstance(engine, dict | UserDict)

    def read(self, key: str) -> EngineValue:
        return EngineValue(self.value(key), None, None)

    def value(self, key: str) -> object:
        # `in` first, so that a defaultdict's factory and a KeyError raised inside the engine are left alone.
        if key not in self.raw:
            return MISSING
        return self.raw[key]

    def write(self, key: str, value: object, ttl: float | None = None, extra: bytes | None = None) -> None:  # noqa: ARG002 - the interface's
        if ttl is not None:
            raise ConfigurationError("a mapping has no time to live: store without ttl in write_through mode")
        self.raw[key] = value

    def delete(self, key: str) -> bool:
        if key not in self.raw:
            return False
        del self.raw[key]
        return True

    def contains(self, key: str) -> bool:
        return key in self.raw

    def listed(self) -> Iterator[str]:
        return (key for key in list(self.raw) if type(key) is str)

    def length(self) -> int:
        return len(self.raw)
