"""Write-through: the engine is the record and gets every write; the store is a compressed read cache before it.

Order of a write, under the key's lock: invalidate ours, write the engine, fill. Ours is invalid while the count of its
stripe's writes is odd: no reader asks for it then nor fills it, so that nobody sees our old value after somebody saw
the engine's new one. The fill takes the old value's place; where that or the engine fails the old one is deleted. A
fill after a read is dropped when the key was written meanwhile. The cache starts empty at each opening and its entries
live `max_staleness_seconds`, so changes made behind our back are seen by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.engine.loss import LOSSY
from stratakv.engine.modes.base import Mode
from stratakv.engine.modes.equality import equal
from stratakv.engine.parts import STRIPES
from stratakv.engine.records import check_key
from stratakv.engine.telemetry import ENGINE_READS, ENGINE_WRITES
from stratakv.engine.terms import PutOptions, check_ttl
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
        """By stripe of keys, changed under its lock: odd while one of them is written, and never twice the same."""
        self._retrieve = store.retrieve
        self._unaccepted = 0
        self._monotonic = store.parts.clock.monotonic
        self._count = store.parts.counters.add

    def get(self, key: str, default: object) -> object:
        if type(key) is not str:
            check_key(key)
        value = MISSING if self._writes[hash(key) % STRIPES] & 1 else self._retrieve(key, MISSING)
        if value is MISSING:
            value = self._read(key)
        return default if value is MISSING else value

    def get_detailed(self, key: str) -> tuple[EngineValue, float | None]:
        self.store.check_open()
        found = self._engine.read(key)
        expires = None if found.ttl is None else self.store.parts.clock.now() + found.ttl
        return found, expires

    def _read(self, key: str) -> object:
        """Read the engine, and fill unless the key is being written or was meanwhile."""
        self.store.check_open()
        stripe = hash(key) % STRIPES
        before, since = self._writes[stripe], self._monotonic()
        found = self._engine.read(key)
        self._count(ENGINE_READS, 1)
        if found.value is not MISSING and not before & 1:
            with self.store.locked(key):
                if self._writes[stripe] == before:
                    self._fill(key, found, since)
        return found.value

    def _fill(self, key: str, found: EngineValue, since: float, namespace: str | None = None) -> bool:
        """Cache what the engine held at the monotonic moment `since`; return whether it is cached."""
        ttl = self._staleness if found.ttl is None else min(self._staleness, found.ttl)
        ttl -= self._monotonic() - since
        if ttl <= 0:
            return False
        try:
            self.store.put(key, found.value, PutOptions(ttl=ttl, namespace=namespace, extra=found.extra))
        except (SerializationError, CapacityError):
            self._unaccepted += 1  # the engine has it; it is only not cached
            return False
        return True

    def put(self, key: str, value: object, options: PutOptions) -> None:
        if options.strategy in LOSSY:
            raise ConfigurationError(
                f"{options.strategy} loses precision, but wrap.mode is 'write_through', where loss is refused: "
                f"use 'absorb', or a lossless strategy"
            )
        if options.ttl is not None:
            check_ttl(options.ttl)
        with self.store.locked(key):
            self._writes[hash(key) % STRIPES] |= 1
            filled = False
            try:
                self._engine.write(key, value, options.ttl, options.extra)
                self._count(ENGINE_WRITES, 1)
                written = EngineValue(value, options.ttl, options.extra)
                filled = self._fill(key, written, self._monotonic(), options.namespace)
            finally:
                self._end_write(key, filled=filled)

    def delete(self, key: str) -> bool:
        with self.store.locked(key):
            self._writes[hash(key) % STRIPES] |= 1
            try:
                return self._engine.delete(key)
            finally:
                self._end_write(key, filled=False)

    def _end_write(self, key: str, *, filled: bool) -> None:
        """Let readers ask our values again. The key's lock is held."""
        if not filled:
            self.store.delete(key)  # where this fails the old value is still there: the count stays odd
        self._writes[hash(key) % STRIPES] += 1

    def add(self, key: str, value: object, options: PutOptions) -> bool:
        with self.store.locked(key):
            if self._engine.contains(key):
                return False
            self.put(key, value, options)
            return True

    def replace(self, key: str, value: object, expected: object, options: PutOptions) -> bool:
        with self.store.locked(key):
            found = self._engine.value(key)
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
