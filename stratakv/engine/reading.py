"""The way down: from a key to its value, through RAM, journal and packs.

Never changes what is stored; what a read changes in RAM is `admitting`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.admitting import Admitting, Loaded
from stratakv.engine.codecs.base import Encoded
from stratakv.engine.journal_format import Location
from stratakv.engine.large.assembling import Assembler
from stratakv.engine.large.manifest import MANIFEST, Manifest, is_manifest, read_manifest
from stratakv.engine.pack_source import RETRIES, PackGoneError
from stratakv.engine.records import IN_HOT, TIERS, Place, check_key, encode_key
from stratakv.engine.shelf import digest_of
from stratakv.engine.single_flight import SingleFlight
from stratakv.engine.state import State
from stratakv.engine.telemetry import ABSENT, CORRUPTIONS, HITS, MISSES, READS
from stratakv.engine.watch import PLAIN_TO_STORED, READ, hash_of
from stratakv.errors import CorruptionError
from stratakv.types import StorageTier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.engine.dirty import DirtyBlob
    from stratakv.engine.parts import Parts

STEADY_AFTER = 4
"""So many times a read is tried beside removals; then it holds them up."""


class Value(NamedTuple):
    """A value and what goes with it."""

    value: object
    tier: StorageTier
    version: int
    expires: int
    extra: bytes | None


class Reader:
    """Reads keys of one store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._entries = parts.hot.entries
        self._watch = parts.watch
        self._decode = parts.compression.decode
        self._loads = parts.serializer.loads
        self._monotonic = parts.clock.monotonic
        self._count_read = parts.counters.ticker(READS)
        self._count_hit = parts.counters.ticker(HITS)
        self.count_miss = parts.counters.ticker(MISSES)
        self._count_absent = parts.counters.ticker(ABSENT)
        self._flights: SingleFlight[Loaded] = SingleFlight()
        self._admitting = Admitting(parts)
        self.assembler = Assembler(parts, self._admitting)

    # -- values ----------------------------------------------------------------------------------------------

    def get(self, key: str, default: object = None) -> object:
        """Return the value, or `default` on a miss. The hot path takes no lock."""
        self._count_read()
        entry = self._entries.get(key)
        recorder = self._watch.recorder
        if recorder is not None:
            recorder.read(key, entry)
        if entry is not None and (not entry.expires or entry.expires > self._parts.wall_ms()):
            entry.division.hit(key)
            entry.used = self._monotonic()
            entry.uses += 1
            self._count_hit()
            return self._loads(self._decode(entry.blob.encoded))
        self.count_miss()
        found = self._load(key)
        return default if found is None else found[0]

    def get_with_tier(self, key: str) -> Value | None:
        """Return the value with its tier, version, expiry and extra; None on a miss."""
        self._count_read()
        entry = self._entries.get(key)
        recorder = self._watch.recorder
        if recorder is not None:
            recorder.read(key, entry)
        if entry is not None and (not entry.expires or entry.expires > self._parts.wall_ms()):
            entry.division.hit(key)
            entry.used = self._monotonic()
            entry.uses += 1
            self._count_hit()
            value = self._loads(self._decode(entry.blob.encoded))
            return Value(value, StorageTier.HOT, entry.version, entry.expires, entry.extra)
        self.count_miss()
        found = self._load(key)
        if found is None:
            return None
        value, state, tier = found
        return Value(value, TIERS[tier], state.version, state.expires, state.extra)

    def get_many(self, keys: Iterable[str]) -> dict[str, object]:
        """Return the values that are there. Keys below RAM are read in the order in which they lie.

        Of a remote tier many blocks come with one request.
        """
        found: dict[str, object] = {}
        below: list[tuple[str, Place | None]] = []
        for key in dict.fromkeys(keys):
            if key in self._entries:
                value = self.get_with_tier(key)
                if value is not None:
                    found[key] = value.value
            else:
                state = self.state(key)
                below.append((key, state.place if state is not None else None))
        below.sort(key=lambda entry: (entry[1] or (), entry[0]))
        for key, _ in self._parts.shelf.ahead(below, lambda entry: entry[1]):
            value = self.get_with_tier(key)
            if value is not None:
                found[key] = value.value
        return found

    # -- states ----------------------------------------------------------------------------------------------

    def state(self, key: str) -> State | None:
        """Return what is known of a key, expired and deleted ones included; None where there is nothing."""
        return self._state(key, encode_key(key))

    def _state(self, key: str, stored_key: bytes) -> State | None:
        record = self._parts.dirty.get(key)
        if record is not None:
            return State(
                record.version, record.digest, record.namespace, record.pin, record.expires, record.extra,
                record.tombstone, None, 0, IN_HOT, None, 0,
            )  # fmt: skip
        found = self._parts.catalog.find(stored_key)
        if found is not None and found.digest is None and found.blob is not None:
            raise self.corrupt(CorruptionError("the catalog names a content that it does not list"), key)
        return found

    def live_state(self, key: str) -> State | None:
        """Return the state of a key that has a value now."""
        state = self.state(key)
        if state is None or state.digest is None or self.is_expired(state.expires):
            return None
        return state

    def written(self, key: str) -> int:
        """Return when a key's value was stored, in wall milliseconds; now where nothing depends on its age."""
        record = self._parts.dirty.get(key)
        if record is not None:
            return record.written
        rows = self._parts.catalog.rows("SELECT written FROM keys WHERE key = ?", (encode_key(key),))
        return int(rows[0][0]) if rows and rows[0][0] else self._parts.wall_ms()

    def is_expired(self, expires: int) -> bool:
        """Tell whether a moment in wall milliseconds (0 for never) is past."""
        return bool(expires) and expires <= self._parts.wall_ms()

    def contains(self, key: str) -> bool:
        """Tell whether the key has a value, without loading it."""
        entry = self._entries.get(key)
        if entry is not None and not self.is_expired(entry.expires):
            return True
        return self.live_state(key) is not None

    # -- below RAM -------------------------------------------------------------------------------------------

    def _load(self, key: str) -> tuple[object, State, int] | None:
        """Read a key from journal or packs, and take it into RAM if the policies say so.

        Returns its value, its state and the number of the tier that it came from; None on a miss.
        """
        parts = self._parts
        stored_key = check_key(key)  # here and not before: what RAM holds has a good key
        began = self._monotonic()
        for attempt in range(RETRIES):
            try:
                if attempt < STEADY_AFTER:
                    return self._load_once(key, stored_key, began)
                with parts.shelf.removals:
                    return self._load_once(key, stored_key, began)
            except (PackGoneError, KeyError):
                continue  # it moved between look-up and read
        raise CorruptionError(f"{key!r} moved {RETRIES} times while it was read")

    def _load_once(self, key: str, stored_key: bytes, began: float) -> tuple[object, State, int] | None:
        """Look the key up and read it; PackGoneError or KeyError where it moved in between."""
        parts = self._parts
        stamp = self._admitting.stamp(key)
        state = self._state(key, stored_key)
        if state is None or state.digest is None or (state.expires and self.is_expired(state.expires)):
            self._count_absent()
            return None
        try:
            loaded = self._flights.run((key, state.version, state.place), self._fetch, state)
        except CorruptionError as failure:
            if self.has_moved(key, state):
                raise KeyError(key) from failure
            raise self.corrupt(failure, key, state) from failure
        parts.watch.note(READ, key, hash_of(stored_key), state.namespace, len(loaded.plaintext) // PLAIN_TO_STORED)
        self._admitting.admit(key, state, loaded, stamp)
        value = self._loads(loaded.plaintext)
        parts.below.add(state.namespace, loaded.tier, self._monotonic() - began)
        return value, state, loaded.tier

    def fetch(self, key: str, state: State) -> tuple[bytes, Encoded | None]:
        """Return the plaintext, and the payload if it was journaled, of a state that its key's lock keeps current."""
        for _ in range(RETRIES):
            try:
                loaded = self._fetch(state)
            except (PackGoneError, KeyError):
                state = self.live_state(key) or state
            except CorruptionError as failure:
                if not self.has_moved(key, state):
                    raise self.corrupt(failure, key, state) from failure
                state = self.live_state(key) or state
            else:
                return loaded.plaintext, loaded.encoded
        raise CorruptionError(f"{key!r} moved {RETRIES} times while it was read")

    def _fetch(self, state: State) -> Loaded:
        """Read a state's content. Raises KeyError or PackGoneError where it moved since the look-up."""
        digest = state.digest
        if digest is None:
            raise KeyError(digest)
        parts = self._parts
        place, home, tier = state.place, state.home, state.tier
        if place is None:
            blob = parts.dirty.find_blob(digest)
            if blob is not None:
                return self._fetch_dirty(state, digest, blob)
            found = parts.catalog.find_blob(digest)
            if found is None:
                raise KeyError(digest)
            place, home, tier = found.place, found.namespace, found.tier
        try:
            plaintext = parts.shelf.read(place, digest, home)
            return self._whole(plaintext, state, home) if is_manifest(plaintext) else Loaded(plaintext, tier)
        except CorruptionError:
            blob = parts.dirty.find_blob(digest)
            if blob is None:
                raise
            # It was stored again, perhaps under another key, and the next checkpoint gives it a new place.
            return self._fetch_dirty(state, digest, blob)

    def _fetch_dirty(self, state: State, digest: bytes, blob: DirtyBlob) -> Loaded:
        hot = self._parts.hot.blob(digest)
        encoded = hot.encoded if hot is not None else self.read_journal(blob)
        plaintext = self._parts.compression.decode(encoded)
        if digest_of(plaintext, self._parts.labels.salt(blob.namespace)) != digest:
            raise CorruptionError("the journal holds other bytes than were written")
        if is_manifest(plaintext):
            return self._whole(plaintext, state, blob.namespace)
        return Loaded(plaintext, IN_HOT, encoded)

    def _whole(self, manifest: bytes, state: State, home: int) -> Loaded:
        """Return the value that a manifest stands for, put together."""
        return Loaded(*self.assembler.whole(read_manifest(manifest), self._parts.labels.salt(home), state.pin))

    def manifest_of(self, state: State) -> Manifest | None:
        """Return the manifest of a key's content; None where it is kept whole.

        Raises:
            KeyError, PackGoneError: It moved since the look-up.
            CorruptionError, TierUnavailableError: It cannot be read.
        """
        parts, digest = self._parts, state.digest
        blob = parts.dirty.find_blob(digest) if digest is not None and state.place is None else None
        if digest is None or (blob is not None and not blob.kind):
            return None
        if blob is not None:
            return read_manifest(parts.compression.decode(self.read_journal(blob)))
        place, home = state.place, state.home
        if place is None:
            found = parts.catalog.find_blob(digest)
            if found is None:
                raise KeyError(digest)
            place, home = found.place, found.namespace
        if parts.shelf.entry(place.pack, place.block).kind != MANIFEST:
            return None
        return read_manifest(parts.shelf.read(place, digest, home))

    def read_journal(self, blob: DirtyBlob) -> Encoded:
        """Return a dirty payload from the journal. Raises KeyError where its segment was dropped."""
        journal = self._parts.journal
        location = Location(*blob.location)
        payload = journal.read(location) if journal is not None else self._parts.replayed_payloads[location]
        return Encoded(blob.codec, blob.dictionary, blob.size, payload, blob.kind)

    def has_moved(self, key: str, state: State) -> bool:
        """Tell whether a key has changed, or its content moved, since its state was looked up."""
        now = self.state(key)
        return now is None or now.version != state.version or now.place != state.place

    def corrupt(self, failure: CorruptionError, key: str, state: State | None = None) -> CorruptionError:
        """Count damage, have the content healed by its next store, and return the error that names the key."""
        self._parts.counters.add(CORRUPTIONS)
        if state is not None and state.digest is not None:
            self._parts.dirty.mark_damaged(state.digest)
        return CorruptionError(f"the value of {key!r} cannot be read: {failure}")
