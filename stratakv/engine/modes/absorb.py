"""Absorb: values live in the store; what the engine still holds is adopted when it is read.

Invariant: of a key that the store knows (a value, an expired one or a tombstone) the engine's copy is never shown. A
value leaves the engine only after it is durable here (when, `leftovers` decides), and leaves here only after the engine
took it back.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from stratakv.engine.modes.alone import Alone
from stratakv.engine.modes.base import Mode
from stratakv.engine.modes.equality import equal
from stratakv.engine.modes.leftovers import Leftovers
from stratakv.engine.telemetry import ENGINE_READS, ENGINE_WRITES
from stratakv.engine.terms import PutOptions, check_ttl
from stratakv.engine.wrapping import MISSING, Engine, EngineValue
from stratakv.errors import CapacityError, ClosedError, CorruptionError, SerializationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from io import BufferedReader

    from stratakv.engine.large.sources import Source
    from stratakv.engine.state import State
    from stratakv.engine.store import Store

log = logging.getLogger("stratakv")


class Absorb(Alone):
    """The store before an engine that it empties."""

    def __init__(self, store: Store, engine: Engine) -> None:
        super().__init__(store)
        self._engine = engine
        self._leftovers = Leftovers(store, engine)
        self._in_ram = store.parts.hot.entries
        self._unaccepted = 0
        self._releasing = False
        self._count = store.parts.counters.add
        if store.mover is not None:
            store.mover.collection.confirm_gone = self._confirm_gone

    def _confirm_gone(self, key: str) -> bool:
        """Have the engine forget a key whose deletion or expiry the store is about to forget."""
        self._engine.discard(key)
        self._leftovers.forget(key)
        return True

    # -- reading ---------------------------------------------------------------------------------------------

    def get(self, key: str, default: object) -> object:
        try:
            value = self._retrieve(key, MISSING)
            if value is MISSING:
                value = self._adopt(key).value
        except ClosedError:
            if not self._releasing:
                raise
            value = self._engine.value(key)  # just released: the engine has everything
        return default if value is MISSING else value

    def quickest_get(self) -> Callable[[str, object], object]:
        return self.get  # what the store lacks the engine may have

    def get_detailed(self, key: str) -> tuple[EngineValue, float | None]:
        found, expires = super().get_detailed(key)
        if found.value is MISSING and (adopted := self._adopt(key)).value is not MISSING:
            found, expires = super().get_detailed(key)
            if found.value is MISSING:  # not accepted here: the engine still has it
                return adopted, None if adopted.ttl is None else self.store.parts.clock.now() + adopted.ttl
        return found, expires

    def _adopt(self, key: str) -> EngineValue:
        """Take a key over from the engine: store it; once it is durable it is deleted there."""
        with self.store.locked(key):
            if _shadows(self.store.state(key)):
                return self._mine(key)
            found = self._engine.read(key)
            self._count(ENGINE_READS, 1)
            if found.value is MISSING or self._releasing:
                return found
            try:
                ttl = self._engine.time_left(key) if found.ttl is None else found.ttl
                self.store.put(key, found.value, PutOptions(ttl=ttl, extra=found.extra))
            except (SerializationError, CapacityError):
                self._unaccepted += 1  # it stays where it is, and is read from there
                return found
            self._leftovers.note(key)
            # The first read is to tell what all later ones will.
            return self._mine(key) if self.store.parts.labels.of(key, None).lossy else found

    def _mine(self, key: str) -> EngineValue:
        """Return what the store has of a key."""
        mine = self.store.read(key)
        return EngineValue(MISSING, None, None) if mine is None else EngineValue(mine.value, None, mine.extra)

    def get_range(self, key: str, start: int, stop: int, default: object) -> object:
        if key in self.store and not self._releasing:
            return super().get_range(key, start, stop, default)
        return Mode.get_range(self, key, start, stop, default)

    def open(self, key: str) -> BufferedReader | None:
        if key in self.store and not self._releasing:
            return super().open(key)
        return Mode.open(self, key)

    def contains(self, key: str) -> bool:
        if key in self.store:
            return True
        return not _shadows(self.store.state(key)) and self._engine.contains(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, object]:
        wanted = list(keys)
        found = self.store.get_many(wanted)
        for key in wanted:
            if key not in found:
                value = self._adopt(key).value
                if value is not MISSING:
                    found[key] = value
        return found

    def keys(self, prefix: str) -> Iterator[str]:
        engine_keys = self._engine.listed()  # raises before anything is yielded where the engine cannot list
        yield from self.store.keys(prefix)
        for key in engine_keys:
            if key.startswith(prefix) and self._engine_only(key):
                yield key

    def length(self) -> int:
        return len(self.store) + sum(1 for key in self._engine.listed() if self._engine_only(key))

    def _engine_only(self, key: str) -> bool:
        """Tell whether the store has no say about a key that the engine lists."""
        try:
            return not _shadows(self.store.state(key))
        except StrataError:
            return False

    # -- writing ---------------------------------------------------------------------------------------------

    def put(self, key: str, value: object, options: PutOptions) -> None:
        with self.store.locked(key):
            if self._releasing:
                check_ttl(options.ttl)
                self._engine.write(key, value, options.ttl, options.extra)
                self.store.delete(key)
                return
            known = key in self._in_ram or _shadows(self.store.state(key))
            super().put(key, value, options)
            if not known:
                self._leftovers.note(key)

    def put_stream(self, key: str, file: Source, options: PutOptions) -> None:
        with self.store.locked(key):
            if self._releasing:
                Mode.put_stream(self, key, file, options)
                return
            known = key in self._in_ram or _shadows(self.store.state(key))
            super().put_stream(key, file, options)
            if not known:
                self._leftovers.note(key)

    def put_many(self, items: Mapping[str, object], options: PutOptions) -> None:
        if self._releasing:
            for key, value in items.items():
                self.put(key, value, options)
            return
        unknown = [key for key in items if not _shadows(self.store.state(key))]
        super().put_many(items, options)
        for key in unknown:
            self._leftovers.note(key)

    def add(self, key: str, value: object, options: PutOptions) -> bool:
        with self.store.locked(key):
            if self.contains(key):
                return False
            self.put(key, value, options)
            return True

    def replace(self, key: str, value: object, expected: object, options: PutOptions) -> bool:
        with self.store.locked(key):
            self._adopt(key)
            if self._releasing:
                found = self.get(key, MISSING)
                same = found is not MISSING and equal(self.store.parts.serializer, found, expected)
                if same:
                    self.put(key, value, options)
                return same
            return super().replace(key, value, expected, options)

    def delete(self, key: str) -> bool:
        with self.store.locked(key):
            if not _shadows(self.store.state(key)):
                return self._engine.delete(key)
            lived = self.store.delete(key, tombstone=True)
            # Where the engine fails its error passes on and the tombstone stays: the key is gone all the same.
            self._engine.discard(key)
            self._leftovers.forget(key)
            self.store.confirm_deleted(key)
            return lived

    def delete_many(self, keys: Iterable[str]) -> int:
        return sum(self.delete(key) for key in dict.fromkeys(keys))

    # -- giving back -----------------------------------------------------------------------------------------

    def release(self) -> int:
        """Write every value back into the engine, each before it leaves the store.

        What had a ttl goes back without it where the engine knows none: keeping a value too long loses nothing.

        Raises:
            StrataError: The engine refused one, or is down; what it did not take stays in the store's directory, which
                the message names.
        """
        self._releasing = True
        try:
            # Whoever looked at the flag before it was set is done after this; from now on nothing comes in.
            self.store.await_writers()
            with self._telling_where():
                self._leftovers.end()
            returned, damaged = self._give_back()
            for key in self.store.listing.gone():
                with self.store.locked(key):
                    with self._telling_where():
                        self._engine.discard(key)
                    self.store.delete(key)
            if damaged:
                raise CorruptionError(
                    f"{len(damaged)} values are damaged and stay in {self.store.parts.path}, all others were given "
                    f"back; the first: {next(iter(damaged.values()))}"
                )
        except BaseException:
            self._releasing = False
            self._leftovers.resume()
            raise
        return returned

    @contextlib.contextmanager
    def _telling_where(self) -> Iterator[None]:
        """Turn the engine's failure to discard a copy into an error that names the directory."""
        try:
            yield
        except StrataError:
            raise
        except Exception as failure:
            raise StrataError(
                f"the engine did not discard an old copy ({type(failure).__name__}: {failure}): what it was not given "
                f"back yet stays in {self.store.parts.path}"
            ) from failure

    def _give_back(self) -> tuple[int, dict[str, CorruptionError]]:
        """Write values back one by one; return how many, and those that cannot be read."""
        returned, damaged = 0, {}
        for key in self.store.listing.keys("", self.store.check_open):
            with self.store.locked(key):
                try:
                    found, expires = super().get_detailed(key)
                except CorruptionError as failure:
                    damaged[key] = failure
                    continue
                if found.value is not MISSING:
                    self._write_back(key, found, expires)
                    self.store.delete(key)
                    returned += 1
        return returned, damaged

    def _write_back(self, key: str, found: EngineValue, expires: float | None) -> None:
        ttl = None if expires is None else max(0.001, expires - self.store.parts.clock.now())
        if ttl is not None and not self._engine.keeps_ttl:
            log.warning("%r goes back without its expiry: the engine has none", key)
            ttl = None
        try:
            self._engine.write(key, found.value, ttl, found.extra)
        except Exception as failure:
            raise StrataError(
                f"the engine did not take {key!r} back ({type(failure).__name__}: {failure}): "
                f"it and {len(self.store) - 1} other values stay in {self.store.parts.path}"
            ) from failure
        self._count(ENGINE_WRITES, 1)

    def close(self) -> None:
        if self.store.parts.temporary:
            try:
                self.release()
            except BaseException:
                self.store.close(remove=False)
                raise
        try:
            with contextlib.suppress(ClosedError):  # it was closed before, or tells by itself why it cannot sync
                self._leftovers.discard_or_keep()
        finally:
            self.store.close()

    def statistics(self) -> dict[str, Any]:
        return {"mode": "absorb", "unaccepted": self._unaccepted}


def _shadows(state: State | None) -> bool:
    """Tell whether the store's word on a key counts: it has a value, an expired one, or a tombstone."""
    return state is not None and (state.digest is not None or state.tombstone)
