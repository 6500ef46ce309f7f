"""Write-through: the engine is the record and gets every write; the store is a compressed read cache before it.

Order of a write, under the key's lock: invalidate ours, write the engine, fill. A fill after a read is dropped when the
key was written meanwhile. The cache starts empty at each opening and its entries live `max_staleness_seconds`, so
changes made behind our back are seen by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.engine.loss import LOSSY
from stratakv.engine.modes.base import Mode
from stratakv.engine.modes.equality import equal
from stratakv.engine.parts import STRIPES
from stratakv.engine.records import check_key
from stratakv.engine.telemetry import ENGINE_READS, ENGINE_WRITES
from stratakv.engine.terms import PutOptions
from stratakv.engine.wrapping import MISSING, Engine, EngineValue
from stratakv.errors import CapacityError, ConfigurationError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stratakv.engine.store import Store


class WriteThrough(Mode):
    """A read cache that never holds the only copy."""

    def __init__(self, store: Store, engine: Engine, max_staleness: float) -> None:
        self.store: Store = store
        self._engine = engine
        self._staleness = max_staleness
        self._writes = [0] * STRIPES
        self._unaccepted = 0
        self._monotonic = store.parts.clock.monotonic
        self._count = store.parts.counters.add

    def get(self, key: str, default: object) -> object:
        value = self.store.retrieve(key, MISSING)
        if value is MISSING:
            value = self._read(key).value
        return default if value is MISSING else value

    def get_detailed(self, key: str) -> tuple[EngineValue, float | None]:
        self.store.check_open()
        found = self._engine.read(key)
        expires = None if found.ttl is None else self.store.parts.clock.now() + found.ttl
        return found, expires

    def _read(self, key: str) -> EngineValue:
        stripe = hash(key) % STRIPES
        before, since = self._writes[stripe], self._monotonic()
        found = self._engine.read(key)
        self._count(ENGINE_READS, 1)
        if found.value is not MISSING:
            with self.store.locked(key):
                if self._writes[stripe] == before:
                    self._fill(key, found, since)
        return found

    def _fill(self, key: str, found: EngineValue, since: float, namespace: str | None = None) -> None:
        """Cache what the engine held at the monotonic moment `since`."""
        ttl = self._staleness if found.ttl is None else min(self._staleness, found.ttl)
        ttl -= self._monotonic() - since
        if ttl <= 0:
            return
        try:
            self.store.put(key, found.value, PutOptions(ttl=ttl, namespace=namespace, extra=found.extra))
        except (SerializationError, CapacityError):
            self._unaccepted += 1  # the engine has it; it is only not cached

    def put(self, key: str, value: object, options: PutOptions) -> None:
        if options.strategy in LOSSY:
            raise ConfigurationError(
                f"{options.strategy} loses precision, but wrap.mode is 'write_through', where loss is refused: "
                f"use 'absorb', or a lossless strategy"
            )
        stripe = hash(key) % STRIPES
        with self.store.locked(key):
            self._writes[stripe] += 1
            try:
                self.store.delete(key)
                self._engine.write(key, value, options.ttl, options.extra)
            finally:
                # Counted twice: a reader that began between the two may hold the engine's old value.
                self._writes[stripe] += 1
            self._count(ENGINE_WRITES, 1)
            self._fill(key, EngineValue(value, options.ttl, options.extra), self._monotonic(), options.namespace)

    def delete(self, key: str) -> bool:
        stripe = hash(key) % STRIPES
        with self.store.locked(key):
            self._writes[stripe] += 1
            try:
                self.store.delete(key)
                return self._engine.delete(key)
            finally:
                self._writes[stripe] += 1

    def add(self, key: str, value: object, options: PutOptions) -> bool:
        with self.store.locked(key):
            if self._engine.contains(key):
                return False
            self.put(key, value, options)
            return True

    def replace(self, key: str, value: object, expected: object, options: PutOptions) -> bool:
        with self.store.locked(key):
            found = self._engine.read(key).value
            if found is MISSING or not equal(self.store.parts.serializer, found, expected):
                return False
            self.put(key, value, options)
            return True

    def contains(self, key: str) -> bool:
        self.store.check_open()
        check_key(key)
        return self._engine.contains(key)

    def keys(self, prefix: str) -> Iterator[str]:
        return (key for key in self._engine.listed() if key.startswith(prefix))

    def length(self) -> int:
        return self._engine.length()

    def put_many(self, items: Mapping[str, object], options: PutOptions) -> None:
        for key, value in items.items():
            self.put(key, value, options)

    def get_many(self, keys: Iterable[str]) -> dict[str, object]:
        found = {key: self.get(key, MISSING) for key in keys}
        return {key: value for key, value in found.items() if value is not MISSING}

    def delete_many(self, keys: Iterable[str]) -> int:
        return sum(self.delete(key) for key in dict.fromkeys(keys))

    def statistics(self) -> dict[str, Any]:
        return {"mode": "write_through", "unaccepted": self._unaccepted}
