"""Committing: a change becomes a journal record, and is shown once the record stands.

Owns what "visible" means: dirty table, stamps, pins and hot table change together, in journal order. Decides nothing
about values or keys; the caller holds the keys' locks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from stratakv.engine.dirty import DirtyBlob
from stratakv.engine.entries import BATCH, COUNT, NAMESPACE, ONE, encode_entry, encode_namespace
from stratakv.engine.parts import STRIPES, Parts
from stratakv.engine.records import IN_HOT, KeyRecord
from stratakv.engine.watch import DELETED, PLAIN_TO_STORED, WROTE, hash_of
from stratakv.errors import CapacityError

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.contents import Content
    from stratakv.engine.journal import Journal


LONG_GONE = 1
"""A moment in wall milliseconds that is always past."""


Change = tuple[str, bytes, KeyRecord, "Content | None"]
"""One key's change, ready to be journaled: the key, the key as it stands on disk, its new state, for which the version
comes with the journal record, and what it holds now; None for a deletion."""


class Committer:
    """The only writer of the journal of one store."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        self._append = journal.append
        self._dirty = parts.dirty
        self._hot = parts.hot
        self._stamps = parts.stamps
        self._monotonic = parts.clock.monotonic
        self._note = parts.watch.note
        self._pins = parts.pins
        self._most_bytes = int(parts.config.storage.dirty_limit_mb * 1024 * 1024)

    def introduce(self, number: int, name: str, salt: bytes) -> None:
        """Journal a new namespace."""
        self._append(NAMESPACE, encode_namespace(number, name, salt), lambda *_: None)

    def one(self, change: Change, *, by_reference: bool = False) -> None:
        """Commit one change; with `by_reference` its payload stays where it is."""
        _, stored_key, record, content = change
        payload = None if by_reference else _payload(content)
        entry = encode_entry(stored_key, record, record.namespace, payload)
        start = len(entry[0])
        size = start + (len(entry[1]) if payload is not None else 0)
        self._append(ONE, entry, partial(self._show, change, payload, start, size), urgent=content is None)

    def many(self, changes: list[Change]) -> None:
        """Commit changes in one record: all or none.

        Raises:
            CapacityError: They are more than the dirty table takes at once.
        """
        body = [COUNT.pack(len(changes))]
        offset = COUNT.size
        where = []
        for change in changes:
            _, stored_key, record, content = change
            payload = _payload(content)
            entry = encode_entry(stored_key, record, record.namespace, payload)
            where.append((change, payload, offset + len(entry[0])))
            body += entry
            offset += sum(map(len, entry))
        if offset > self._most_bytes:
            raise CapacityError(
                f"the batch has {offset} bytes, more than storage.dirty_limit_mb takes at once: split it"
            )
        size = offset // len(changes)

        def apply(sequence: int, segment: int, offset: int) -> None:
            for change, payload, position in where:
                self._show(change, payload, position, size, sequence, segment, offset)

        self._append(BATCH, body, apply, urgent=changes[0][3] is None)

    def _show(
        self, change: Change, payload: Encoded | None, start: int, size: int, sequence: int, segment: int, offset: int
    ) -> None:
        """Make a journaled change visible. Called in journal order, one at a time; doing it again does no harm.

        Its payload stands `start` bytes behind the record's `offset` in a segment; `size` is its share of the record.
        """
        key, stored_key, record, content = change
        record = KeyRecord._make((sequence, *record[1:]))
        blob = None
        if payload is not None:
            blob = DirtyBlob(
                segment, offset + start, len(payload.payload), payload.codec, payload.dictionary, payload.size,
                record.namespace, payload.kind,
            )  # fmt: skip
        now = self._monotonic()
        dirty, stripe = self._dirty, hash(key) % STRIPES
        chunked = content.chunked if content is not None else None
        held = size if chunked is None else chunked.size // PLAIN_TO_STORED
        self._note(DELETED if content is None else WROTE, key, hash_of(stored_key), record.namespace, held)
        hot = self._hot
        with hot.lock:
            # From here to the end no reader may take an old value into RAM: an odd stamp forbids it, and the old entry
            # is not read any more, so that nobody sees the old value after somebody saw the new one.
            self._stamps[stripe] |= 1
            old = hot.entries.get(key)
            if old is not None:
                old.expires = LONG_GONE
            with dirty.lock:
                dirty.put(key, record, blob, size, now, chunked.chunks if chunked is not None else ())
                if content is not None and content.lease is not None:
                    dirty.release(content.lease)
                for lease in chunked.leases if chunked is not None else ():
                    dirty.release(lease)
            if record.pin or self._pins:
                self._note_pin(key, record.pin)
            if content is None or content.encoded is None or record.pin > IN_HOT or record.target > IN_HOT:
                if old is not None:
                    hot.forget(key)
            else:
                hot.enter(
                    key, content.digest, content.encoded, sequence, record.expires, record.namespace, now,
                    record.extra, record.pin == IN_HOT,
                )  # fmt: skip
            self._stamps[stripe] += 1

    def _note_pin(self, key: str, pin: int) -> None:
        if pin:
            self._pins[key] = pin
        else:
            self._pins.pop(key, None)


def _payload(content: Content | None) -> Encoded | None:
    """Return what is journaled of a content: nothing where it is known, the manifest where its chunks are durable."""
    if content is None or content.lease is not None:
        return None
    return content.encoded if content.chunked is None else content.chunked.manifest
