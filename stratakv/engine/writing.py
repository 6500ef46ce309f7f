"""The way in: value -> plaintext -> digest -> known? -> encode -> journal -> visible -> acknowledged.

The only writer of the journal. Everything that can be refused is refused before the journal is touched. One lock per
stripe of keys is held from the first look at a key's state until its change is visible, so that insert-if-absent and
compare-and-set are decided on what is true.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from stratakv.engine.committing import Change, Committer
from stratakv.engine.contents import Content, Contents
from stratakv.engine.large.streaming import Streaming
from stratakv.engine.parts import STRIPES, Parts
from stratakv.engine.records import ANYWHERE, IN_HOT, TIER_NUMBERS, KeyRecord, check_key
from stratakv.engine.state import State
from stratakv.engine.telemetry import DEDUP_HITS, DELETES, WRITES
from stratakv.engine.terms import DEFAULTS, Asked, PutOptions, Terms
from stratakv.errors import CapacityError, ConfigurationError, SerializationError

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.journal import Journal
    from stratakv.engine.labels import Label
    from stratakv.engine.large.sources import Source
    from stratakv.engine.reading import Reader
    from stratakv.types import CompressionStrategy, StorageTier

Condition = Callable[[State | None], bool]


class Writer:
    """Writes to one store.

    Args:
        parts: The store's pieces.
        reader: Tells present states.
        relieve: Called before a write while too much is dirty; returns when there is room again, or it is `urgent`.
    """

    def __init__(self, parts: Parts, journal: Journal, reader: Reader, relieve: Callable[..., None]) -> None:
        self._parts = parts
        self._commit = Committer(parts, journal)
        self.introduce = self._commit.introduce
        self._reader = reader
        self._relieve = relieve
        self._terms = Terms(parts)
        self._locks = [threading.RLock() for _ in range(STRIPES)]
        self.contents = Contents(parts)
        self._streaming = Streaming(parts, self.contents, reader.assembler)
        self._count = parts.counters.add
        self._count_write = parts.counters.ticker(WRITES)
        self._count_duplicate = parts.counters.ticker(DEDUP_HITS)
        self._check_room = parts.check_room
        self._pins = parts.pins
        self._dirty = parts.dirty
        self._storage = parts.config.storage

    # -- locks -----------------------------------------------------------------------------------------------

    def locked(self, key: str) -> threading.RLock:
        """Return the lock that serialises changes of a key; re-entrant."""
        check_key(key)
        return self._locks[hash(key) % STRIPES]

    def await_all(self) -> None:
        """Return when every change that was under way is visible."""
        for lock in self._locks:
            with lock:
                pass

    @contextlib.contextmanager
    def all_locked(self, keys: Iterable[str]) -> Iterator[None]:
        """Hold the locks of many keys, always taken in the same order."""
        with contextlib.ExitStack() as stack:
            for stripe in sorted({hash(key) % STRIPES for key in keys}):
                stack.enter_context(self._locks[stripe])
            yield

    # -- stores ----------------------------------------------------------------------------------------------

    def put(
        self, key: str, value: object, options: PutOptions = DEFAULTS, condition: Condition | None = None
    ) -> Content | None:
        """Store one value and return what was stored.

        None where `condition`, asked under the key's lock about its live state, says no.
        """
        stored_key = check_key(key)
        asked = self._terms.of(key, options)
        self._check_room()
        try:
            content = self.contents.prepare(value, asked.label, options.strategy)
        except SerializationError as failure:
            raise _of_key(key, failure) from failure
        return self._put(key, stored_key, asked, content, options.strategy, condition)

    def put_stream(self, key: str, file: Source, options: PutOptions) -> Content:
        """Store what a file holds as one bytes value, a few chunks of it in RAM at a time."""
        stored_key = check_key(key)
        asked = self._terms.of(key, options)
        self._check_room()
        if IN_HOT in (asked.tier if asked.pin else ANYWHERE, self._pin_of(key)):
            raise ConfigurationError(
                f"{key!r} is pinned to RAM, where a stream would be as a whole: unpin it, or store its bytes"
            )
        content = self._streaming.prepare(file, asked.label, options.strategy)
        stored = self._put(key, stored_key, asked, content, options.strategy)
        assert stored is not None  # only a condition makes it None
        return stored

    def _put(
        self,
        key: str,
        stored_key: bytes,
        asked: Asked,
        content: Content,
        strategy: CompressionStrategy | None,
        condition: Condition | None = None,
    ) -> Content | None:
        """Commit a content under a key, and let go of it."""
        label, tier, pin, expires, written, extra = asked
        try:
            self._make_room()
            with self._locks[hash(key) % STRIPES]:
                if condition is not None and not condition(self._reader.live_state(key)):
                    return None
                pinned = tier if pin else self._pin_of(key) if self._pins else ANYWHERE
                if pinned == IN_HOT:
                    content, encoded = self.contents.with_payload(content, label, strategy)
                    self._parts.hot.check_pin(key, len(encoded.payload), extra)
                target = _target(pinned or tier)
                record = KeyRecord(0, content.digest, label.number, pinned, target, expires, written, extra)
                self._commit.one((key, stored_key, record, content))
        finally:
            if content.lease is not None or content.chunked is not None:
                self.contents.let_go(content)
        self._count_write()
        if content.loss is not None:
            self.contents.count_loss(content)
        if content.is_duplicate:
            self._count_duplicate()
        return content

    def put_many(self, items: Mapping[str, object], options: PutOptions = DEFAULTS) -> int:
        """Store many values in one journal record: all or none."""
        contents: list[Content] = []
        self._check_room()
        try:
            changes = []
            for key, value in items.items():
                stored_key = check_key(key)
                label, _, _, expires, written, _ = self._terms.of(key, options)
                try:
                    content = self.contents.prepare(value, label)
                except SerializationError as failure:
                    raise _of_key(key, failure) from failure
                contents.append(content)
                record = KeyRecord(0, content.digest, label.number, ANYWHERE, ANYWHERE, expires, written, None)
                changes.append(((key, stored_key, record, content), label))
            if not changes:
                return 0
            self._make_room()
            with self.all_locked(items):
                self._commit.many([self._with_pin(*change) for change in changes])
        except BaseException:
            for content in contents:
                self.contents.let_go(content)
            raise
        self._count(WRITES, len(changes))
        for content in contents:
            self.contents.count_loss(content)
        self._count(DEDUP_HITS, sum(content.lease is not None for content in contents))
        return len(changes)

    def _with_pin(self, change: Change, label: Label) -> Change:
        """Return a change that keeps its key's pin. The key's lock is held."""
        key, stored_key, record, content = change
        pinned = self._pin_of(key)
        if not pinned:
            return change
        if pinned == IN_HOT and content is not None:
            content, encoded = self.contents.with_payload(content, label)
            self._parts.hot.check_pin(key, len(encoded.payload))
        return key, stored_key, record._replace(pin=pinned, target=_target(pinned)), content

    def _pin_of(self, key: str) -> int:
        """Return where a key is pinned; its pin survives an overwrite, but not the end of its value."""
        pinned = self._parts.pins.get(key, ANYWHERE)
        return pinned if pinned and self._reader.live_state(key) is not None else ANYWHERE

    # -- deletions and moves ---------------------------------------------------------------------------------

    def delete(self, key: str, *, tombstone: bool = False) -> bool:
        """Delete a key; return whether it had a value. A tombstone is kept in any case if asked for."""
        stored_key = check_key(key)
        self._make_room(urgent=True)
        with self._locks[hash(key) % STRIPES]:
            state = self._reader.state(key)
            lived = state is not None and state.digest is not None and not self._reader.is_expired(state.expires)
            if state is None and not tombstone:
                return False
            self._commit.one((key, stored_key, self._gone(tombstone=tombstone), None))
        if lived:
            self._count(DELETES, 1)
        return lived

    def confirm_deleted(self, key: str) -> None:
        """Forget that a key was deleted: a wrapped engine has no copy left that could rise again."""
        with self._locks[hash(key) % STRIPES]:
            self._parts.dirty.drop_tombstone(key)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete many keys in one journal record; return how many had a value."""
        unique = {key: check_key(key) for key in keys}
        self._make_room(urgent=True)
        with self.all_locked(unique):
            live = [key for key in unique if self._reader.live_state(key) is not None]
            if live:
                gone = self._gone(tombstone=False)
                self._commit.many([(key, unique[key], gone, None) for key in live])
        self._count(DELETES, len(live))
        return len(live)

    def _gone(self, *, tombstone: bool) -> KeyRecord:
        return KeyRecord(0, None, 0, ANYWHERE, ANYWHERE, 0, self._parts.wall_ms(), None, tombstone)

    def move(self, key: str, tier: StorageTier, *, pin: bool | None = None) -> bool:
        """Ask for a key's content in a tier; acknowledged by the journal, travels in the background.

        `pin` True pins it there, False unpins it, None leaves its pin, which outranks `tier`. False where there is no
        such key.
        """
        stored_key = check_key(key)
        if tier not in TIER_NUMBERS:
            raise ConfigurationError(f"the target is a StorageTier (HOT, WARM or COLD), not {tier!r}")
        target = TIER_NUMBERS[tier]
        self._make_room()
        with self._locks[hash(key) % STRIPES]:
            state = self._reader.live_state(key)
            if state is None:
                return False
            pinned = state.pin if pin is None else (target if pin else ANYWHERE)
            target = pinned or target
            encoded = None
            if target == IN_HOT:
                # Whoever lets go of a pin wants no value: none is read for it, perhaps from a tier that is away.
                encoded = self._encoded_in_ram(key, state) if pin is False else self._encoded_now(key, state)
                if pinned == IN_HOT and encoded is not None:
                    self._parts.hot.check_pin(key, len(encoded.payload), state.extra)
            record = KeyRecord(
                0, state.digest, state.namespace, pinned, _target(target), state.expires,
                self._reader.written(key), state.extra,
            )  # fmt: skip
            digest = state.digest or b""
            content = Content(digest, encoded, self.contents.lease(digest))
            try:
                self._commit.one((key, stored_key, record, content), by_reference=True)
            except BaseException:
                if content.lease is not None:
                    self.contents.release(content.lease)
                raise
        return True

    def _encoded_in_ram(self, key: str, state: State) -> Encoded | None:
        entry = self._parts.hot.entries.get(key)
        return entry.blob.encoded if entry is not None and entry.version == state.version else None

    def _encoded_now(self, key: str, state: State) -> Encoded:
        held = self._encoded_in_ram(key, state)
        if held is not None:
            return held
        plaintext, encoded = self._reader.fetch(key, state)
        return (
            encoded
            if encoded is not None
            else self._parts.compression.encode_fast(plaintext, state.home or state.namespace)
        )

    # -- the journal -----------------------------------------------------------------------------------------

    def _make_room(self, *, urgent: bool = False) -> None:
        """Wait while too much is dirty. What is urgent, because it frees room, goes on where none can be made."""
        if self._dirty.fills(self._storage):
            try:
                self._relieve(urgent=urgent)
            except CapacityError:
                if not urgent:
                    raise


def _of_key(key: str, failure: SerializationError) -> SerializationError:
    """Return the error with the key whose value it is about."""
    return SerializationError(f"{failure} (the value of key {key!r:.80})")


def _target(tier: int) -> int:
    """Return what is asked of the background; HOT is the caller's own work."""
    return ANYWHERE if tier == IN_HOT else tier
