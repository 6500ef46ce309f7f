"""The checkpoint: from the journal into packs and the catalog.

Owns the order of that step: freeze the dirty table where the journal switches segments, write the packs, commit one
catalog transaction with keys, places and the last sequence number, stop shadowing, drop the journal's closed segments,
fold the catalog's log where that transaction made it long.
A failure anywhere leaves the frozen writes where they are; the next checkpoint takes them along.
"""

from __future__ import annotations

import logging
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING

from stratakv.engine.codecs.base import Encoded
from stratakv.engine.in_runs import in_runs
from stratakv.engine.journal_format import JOURNAL_DIRECTORY
from stratakv.engine.journal_reading import SegmentReader
from stratakv.engine.large.packing import LargePacking
from stratakv.engine.naming import given_names
from stratakv.engine.pack_writer import WrittenPack, open_pack_writer
from stratakv.engine.records import IN_COLD, IN_WARM, encode_key
from stratakv.engine.serialization.layout import ESCAPE
from stratakv.engine.shelf import digest_of
from stratakv.engine.telemetry import CHECKPOINTS
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratakv.engine.dirty import DirtyBlob, Generation
    from stratakv.engine.journal import Journal
    from stratakv.engine.pack_names import Name
    from stratakv.engine.pack_writer import PackWriter
    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

SAMPLE_BYTES = 8192
MUCH_WRITTEN = 2 << 20
"""Bytes of values from which on a checkpoint leaves memory behind that is worth giving back."""

HURRY_SHARE = 0.5
"""Where the dirty table is this full when a checkpoint begins, writers outrun it and will soon wait for it."""


class Checkpoint:
    """Persists what is dirty."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        self._parts = parts
        self._journal = journal
        self._recorded = parts.dirty.damaged
        """Contents that the catalog lists as damaged."""

    def run(self, pause: Callable[[], None]) -> bool:
        """Persist everything journaled before the call; False where there was nothing to do."""
        parts = self._parts
        idle = not len(parts.dirty) and not parts.labels.unrecorded and not parts.touched
        if idle and parts.dirty.damaged == self._recorded:
            return False
        hurried = parts.dirty.fills(parts.config.storage, HURRY_SHARE)
        last = 0

        def at_switch() -> None:
            nonlocal last
            parts.dirty.freeze()
            last = self._journal.last_sequence

        closed = self._journal.rotate(at_switch)
        generation = parts.dirty.frozen
        assert generation is not None  # freeze() made it
        parts.at_point("checkpoint-frozen")
        fresh, cold = self._fresh(generation)
        large = LargePacking(parts, generation.healing)
        # A remote tier may be slow or away, and writers wait for checkpoints: what is wanted there goes by way of warm.
        # So do large values, of which warm may hold some chunks already.
        far = parts.backends[IN_COLD].remote
        travels = {digest for digest in cold if far or large.may_take(generation.blobs[digest])}
        written = self._write_packs(generation, fresh, cold - travels, large, pause, hurried=hurried)
        parts.at_point("checkpoint-packed")
        self._commit(generation, written, large, fresh, travels, last)
        parts.committed()
        large.settled()
        parts.at_point("checkpoint-committed")
        parts.note_contents(fresh)
        parts.dirty.thaw()
        self._journal.drop(closed)
        parts.at_point("checkpoint-dropped")
        parts.catalog.fold_long_log()
        parts.counters.add(CHECKPOINTS, 1)
        if sum(pack.plaintext for pack in written) >= MUCH_WRITTEN:
            parts.free_memory.give_back()
        return True

    def commit_known(self) -> None:
        """Commit of a frozen generation what needs no pack: deletions, and keys whose contents the catalog has.

        For a full disk, where the room for a pack can only come from what was deleted. The journal stays as it is, and
        the sequence number too, so that a replay, or the checkpoint to come, writes the same rows again.
        """
        parts = self._parts
        generation = parts.dirty.frozen
        if generation is None:
            return
        known = parts.catalog.find_blobs({r.digest for r in generation.keys.values() if r.digest is not None})
        with parts.catalog.write(parts.wall()) as transaction:
            transaction.put_keys(
                (encode_key(key), record, parts.labels.is_prunable(record.namespace))
                for key, record in generation.keys.items()
                if record.digest is None or record.digest in known
            )

    def _fresh(self, generation: Generation) -> tuple[set[bytes], set[bytes]]:
        """Return the contents that the catalog lacks, and those of them that every key wants in cold."""
        parts = self._parts
        needed = parts.dirty.needed_blobs(generation)
        known = parts.catalog.find_blobs(needed)
        fresh = {digest for digest in needed if digest not in known or digest in generation.healing}
        cold: set[bytes] = set()
        warm: set[bytes] = set()
        for record in generation.keys.values():
            if record.digest in fresh:
                (cold if record.target == IN_COLD else warm).add(record.digest)
        return fresh, cold - warm

    def _write_packs(
        self,
        generation: Generation,
        fresh: set[bytes],
        cold: set[bytes],
        large: LargePacking,
        pause: Callable[[], None],
        *,
        hurried: bool,
    ) -> list[WrittenPack]:
        """Write contents that the catalog lacks; those in `cold` go there at once."""
        parts = self._parts
        needed = generation.blobs
        named_by: dict[bytes, str] = {}
        for key, record in generation.keys.items():
            if record.digest is not None:
                named_by.setdefault(record.digest, key)
                pause()
        names = given_names(parts, generation, fresh, pause)
        written: list[WrittenPack] = []
        with SegmentReader(self._parts.path / JOURNAL_DIRECTORY) as segments:
            for tier, digests in ((IN_WARM, fresh - cold), (IN_COLD, cold)):
                if not digests:
                    continue
                writer = open_pack_writer(parts, tier, pause, hurried=hurried)
                # Neighbours by key are alike more often than not, so they shrink more side by side.
                placed = ((needed[digest].namespace, named_by.get(digest, ""), digest) for digest in digests)
                for _, key, digest in in_runs(placed, itemgetter(0, 1, 2)):
                    blob = needed[digest]
                    payload = segments.read(blob.location)
                    encoded = Encoded(blob.codec, blob.dictionary, blob.size, payload, blob.kind)
                    self._pack(writer, large, blob, digest, encoded, key, names.get(digest, ()))
                written += writer.finish()
        return written

    def _pack(
        self,
        writer: PackWriter,
        large: LargePacking,
        blob: DirtyBlob,
        digest: bytes,
        encoded: Encoded,
        key: str,
        names: Sequence[Name],
    ) -> None:
        """Hand one content to the writer, once it is proved to be what was stored."""
        parts = self._parts
        try:
            plaintext = parts.compression.decode(encoded)
        except ConfigurationError as lacking:
            # A library is missing that was there when it was stored. It waits for it in a pack as well.
            log.warning("the value of %r is packed as it is: %s", key, lacking)
            writer.add_encoded(blob.namespace, digest, encoded, names)
            return
        if digest_of(plaintext, parts.labels.salt(blob.namespace)) != digest:
            raise CorruptionError(f"the journal holds other bytes than were written for {key!r}")
        if large.takes(plaintext):
            large.add(writer, blob.namespace, digest, plaintext, names)
            return
        if len(plaintext) <= SAMPLE_BYTES and plaintext[0] != ESCAPE:
            parts.dictionaries.sample(blob.namespace, plaintext)
        writer.add(blob.namespace, digest, plaintext, names)

    def _commit(
        self,
        generation: Generation,
        written: list[WrittenPack],
        large: LargePacking,
        fresh: set[bytes],
        travels: set[bytes],
        last: int,
    ) -> None:
        parts = self._parts
        now = parts.wall()
        touched, parts.touched = parts.touched, {}
        unrecorded = list(parts.labels.unrecorded)
        damaged = parts.dirty.damaged
        try:
            with parts.catalog.write(now) as transaction:
                for number, name, salt in unrecorded:
                    transaction.add_namespace(number, name, salt)
                transaction.expect_references(
                    Counter(record.digest for record in generation.keys.values() if record.digest is not None)
                )
                for pack in written:
                    pack.record(transaction, now)
                large.record(transaction)
                transaction.put_keys(
                    (encode_key(key), record, parts.labels.is_prunable(record.namespace))
                    for key, record in generation.keys.items()
                )
                transaction.touch((blob, at, count) for blob, (at, count) in touched.copy().items())
                transaction.mark_damaged(damaged)
                for digest in travels:
                    transaction.ask_move(transaction.number(digest), IN_COLD)
                # The coldest wish first, so that the hottest of the keys that share a content is what remains.
                for tier in (IN_COLD, IN_WARM):
                    for record in generation.keys.values():
                        if record.target == tier and record.digest is not None and record.digest not in fresh:
                            transaction.ask_move(transaction.number(record.digest), tier)
                transaction.set_meta("last_sequence", last)
        except BaseException:
            parts.touched = {**touched, **parts.touched}
            raise
        self._recorded = damaged
        del parts.labels.unrecorded[: len(unrecorded)]
