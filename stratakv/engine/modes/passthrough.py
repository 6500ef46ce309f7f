"""Pass-through: optimisation is off, every call goes straight to the wrapped engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.engine.modes.base import Mode
from stratakv.engine.modes.equality import equal
from stratakv.engine.serialization import Serializer
from stratakv.engine.terms import check_ttl
from stratakv.engine.wrapping import MISSING, Engine, EngineValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stratakv.engine.terms import PutOptions


class PassThrough(Mode):
    """Keeps nothing of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._value = engine.value

    def get(self, key: str, default: object) -> object:
        value = self._value(key)
        return default if value is MISSING else value

    def get_detailed(self, key: str) -> tuple[EngineValue, float | None]:
        return self._engine.read(key), None

    def put(self, key: str, value: object, options: PutOptions) -> None:
        if options.ttl is not None:
            check_ttl(options.ttl)
        self._engine.write(key, value, options.ttl, options.extra)

    def delete(self, key: str) -> bool:
        return self._engine.delete(key)

    def add(self, key: str, value: object, options: PutOptions) -> bool:
        if self._engine.contains(key):
            return False
        self.put(key, value, options)
        return True

    def replace(self, key: str, value: object, expected: object, options: PutOptions) -> bool:
        found = self._value(key)
        if found is MISSING or not equal(Serializer(), found, expected):
            return False
        self.put(key, value, options)
        return True

    def contains(self, key: str) -> bool:
        return self._engine.contains(key)

    def keys(self, prefix: str) -> Iterator[str]:
        return (key for key in self._engine.listed() if key.startswith(prefix))

    def length(self) -> int:
        return self._engine.length()

    def put_many(self, items: Mapping[str, object], options: PutOptions) -> None:
        for key, value in items.items():
            self.put(key, value, options)

    def get_many(self, keys: Iterable[str]) -> dict[str, object]:
        found = {key: self._value(key) for key in keys}
        return {key: value for key, value in found.items() if value is not MISSING}

    def delete_many(self, keys: Iterable[str]) -> int:
        return sum(self._engine.delete(key) for key in keys)

    def statistics(self) -> dict[str, Any]:
        return {"mode": "pass_through", "unaccepted": 0}
