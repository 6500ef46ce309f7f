"""Chunks written ahead of the journal: those of one value that is too large to go through it.

Owns the order: chunks are durable in warm packs and listed in the catalog, and only then is there a manifest to be
journaled. Until that is visible leases keep the chunks from being collected; chunks of a value that never came to be
have no references and go like any dead content.

Runs on the caller's thread, beside the mover. Holds at most a pack and a batch of pieces in RAM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.afterwards import scrub_once
from stratakv.engine.codecs.base import Encoded
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.large.manifest import MANIFEST, Chunk, Manifest
from stratakv.engine.pack_writer import WrittenPack, open_pack_writer
from stratakv.engine.records import IN_WARM
from stratakv.engine.shelf import digest_of
from stratakv.engine.worker import no_pause

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.engine.dirty import Lease
    from stratakv.engine.labels import Label
    from stratakv.engine.large.cutting import Piece
    from stratakv.engine.parts import Parts

BATCH = 256
BATCH_BYTES = 4 << 20


class Chunked(NamedTuple):
    """A value whose chunks are durable.

    Attributes:
        manifest: What is to be journaled.
        size: Bytes of the value's plaintext.
        chunks: The chunks' digests, each once.
        leases: Keep them until the manifest is visible.
    """

    manifest: Encoded
    size: int
    chunks: set[bytes]
    leases: list[Lease]


class ChunkWriter:
    """Writes the chunks of one value.

    Args:
        parts: The store's pieces.
        label: The value's namespace.
        anew: Every chunk is written, whether the store holds it or not: the value is known to be damaged.
    """

    def __init__(self, parts: Parts, label: Label, *, anew: bool = False) -> None:
        scrub_once(parts)
        self._parts = parts
        self._label = label
        self._looks = parts.deduplicates and not anew
        self._writer = open_pack_writer(parts, IN_WARM, no_pause)
        self._chunks: list[Chunk] = []
        self._held: set[bytes] = set()
        self._leases: list[Lease] = []
        self._batch: dict[bytes, bytes] = {}
        self._batch_bytes = 0

    def take(self, pieces: Iterable[Piece]) -> None:
        """Take pieces of the value, in order; errors as `finish`."""
        for content, size, skip in pieces:
            digest = digest_of(content, self._label.salt)
            self._chunks.append(Chunk(digest, size, skip))
            if digest not in self._held and digest not in self._batch:
                self._batch[digest] = content
                self._batch_bytes += len(content)
                if len(self._batch) >= BATCH or self._batch_bytes >= BATCH_BYTES:
                    self._write_batch()

    def take_first(self, piece: Piece) -> None:
        """Take the piece that comes before all others; errors as `finish`."""
        self.take([piece])
        self._chunks.insert(0, self._chunks.pop())

    def chunks(self) -> list[Chunk]:
        """Return what was taken so far; all of it can be read."""
        self._write_batch()
        self._commit(self._writer.finish())
        return self._chunks

    def finish(self, digest: bytes) -> Chunked:
        """Return the manifest of the value, whose digest is given; every chunk is durable then.

        Raises:
            CapacityError: No room; what was written is collected like anything that nobody names.
        """
        manifest = Manifest(digest, self.chunks())
        content = manifest.to_bytes()
        payload = Encoded(RawCodec.id, 0, len(content), content, MANIFEST)
        return Chunked(payload, manifest.size, self._held, self._leases)

    def abandon(self) -> None:
        """Let go of everything: the value will not be."""
        self._parts.committed()
        release_all(self._parts, self._leases)

    def _write_batch(self) -> None:
        """Write what the store does not hold of the batch. Leased first: what is found must still be there later."""
        batch, self._batch, self._batch_bytes = self._batch, {}, 0
        if not batch:
            return
        parts = self._parts
        parts.check_room()
        self._leases += parts.dirty.hold(batch.keys())
        self._held.update(batch)
        known = set(parts.catalog.find_blobs(batch)) - parts.dirty.damaged if self._looks else set()
        for digest, content in batch.items():
            if digest not in known:
                self._writer.add(self._label.number, digest, content, run=True)
        self._commit(self._writer.take())

    def _commit(self, written: list[WrittenPack]) -> None:
        if not written:
            return
        parts = self._parts
        parts.at_point("chunks-packed")
        with parts.catalog.write(parts.wall()) as transaction:
            for number, name, salt in list(parts.labels.unrecorded):
                transaction.add_namespace(number, name, salt)  # the journal knows it, but may not be on the medium yet
            for pack in written:
                pack.record(transaction, parts.wall())
        parts.committed()
        parts.at_point("chunks-committed")
        digests = [blob[0] for pack in written for blob in pack.blobs]
        parts.dirty.mark_healed(digests)
        parts.note_contents(digests)


def release_all(parts: Parts, leases: Iterable[Lease]) -> None:
    """Give leases back."""
    with parts.dirty.lock:
        for lease in leases:
            parts.dirty.release(lease)
