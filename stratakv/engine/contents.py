"""Contents: from a value to its digest, and to a payload only where the store does not hold it yet.

Owns the question "known already?" and the leases that make its answer hold until the entry that relies on it is
visible. A duplicate costs no codec work.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.large.chunk_writing import Chunked, ChunkWriter, release_all
from stratakv.engine.large.cutting import is_cut
from stratakv.engine.large.packing import cutter_of, journaled_bytes
from stratakv.engine.shelf import digest_of
from stratakv.engine.telemetry import BLOOM_FALSE_POSITIVES, BLOOM_NEGATIVES

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.dirty import Lease
    from stratakv.engine.labels import Label
    from stratakv.engine.loss import Loss
    from stratakv.engine.parts import Parts
    from stratakv.types import CompressionStrategy


class Content(NamedTuple):
    """A value on its way in.

    Attributes:
        digest: Its identity.
        encoded: Its payload; None for a known content that is not in RAM.
        lease: Held for a known content until the entry that names it is visible; None for a new one.
        plaintext: The value serialised, where there is no payload.
        loss: What was taken from the value; None where nothing may be.
        chunked: Its chunks and manifest, where it is new and too large for the journal.
    """

    digest: bytes
    encoded: Encoded | None
    lease: Lease | None
    plaintext: bytes = b""
    loss: Loss | None = None
    chunked: Chunked | None = None

    @property
    def is_duplicate(self) -> bool:
        """Whether the content was known already, so that nothing was encoded and no payload written."""
        return self.lease is not None


class Contents:
    """Prepares contents of one store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._dumps = parts.serializer.dumps
        self._encode = parts.compression.encode_fast
        self._changed = parts.compression.changed
        self._losses = parts.compression.losses
        self._cutter = cutter_of(parts)
        self._journaled = journaled_bytes(parts)
        self._deduplicates = parts.deduplicates
        self._count_negative = parts.counters.ticker(BLOOM_NEGATIVES)
        self._count_false_positive = parts.counters.ticker(BLOOM_FALSE_POSITIVES)

    def prepare(self, value: object, label: Label, strategy: CompressionStrategy | None = None) -> Content:
        """Serialise and digest; encode only what is not known.

        Loss happens here and nowhere else: what is digested is the value as it will come back.
        """
        loss = None
        if label.lossy or strategy is not None:
            value, loss = self._changed(value, label.rule, strategy, label.number)
        plaintext = self._dumps(value)
        digest = hashlib.sha256(plaintext).digest() if not label.salt else digest_of(plaintext, label.salt)
        lease = self.known(digest)
        if lease is None and len(plaintext) > self._journaled and is_cut(plaintext, self._journaled):
            return Content(digest, None, None, plaintext, loss, self._chunked(plaintext, digest, label))
        if lease is None:
            return Content(digest, self._encode(plaintext, label.number, strategy), None, b"", loss)
        hot = self._parts.hot.blob(digest)
        if hot is not None:
            return Content(digest, hot.encoded, lease, b"", loss)
        return Content(digest, None, lease, plaintext, loss)

    def _chunked(self, plaintext: bytes, digest: bytes, label: Label) -> Chunked:
        """Make the chunks of a value durable ahead of the journal."""
        writer = ChunkWriter(self._parts, label, anew=digest in self._parts.dirty.damaged)
        try:
            writer.take(self._cutter.cut(plaintext))
            return writer.finish(digest)
        except BaseException:
            writer.abandon()
            raise

    def let_go(self, content: Content) -> None:
        """Give back what keeps a content from being collected; once it is visible, that does nothing."""
        if content.lease is not None:
            self.release(content.lease)
        if content.chunked is not None:
            release_all(self._parts, content.chunked.leases)

    def with_payload(
        self, content: Content, label: Label, strategy: CompressionStrategy | None = None
    ) -> tuple[Content, Encoded]:
        """Return the content with its payload, encoding it if it was known and not in RAM."""
        encoded = content.encoded
        if encoded is None:
            encoded = self._encode(content.plaintext, label.number, strategy)
        return content._replace(encoded=encoded), encoded

    def count_loss(self, content: Content) -> None:
        """Add what was lost to the statistics, once the content is stored."""
        if content.loss is not None:
            self._losses.add(content.loss)

    def digest_of(self, value: object, namespace: int) -> bytes:
        """Return the digest that a value has in a namespace."""
        return digest_of(self._dumps(value), self._parts.labels.salt(namespace))

    def known(self, digest: bytes) -> Lease | None:
        """Return a lease of the content if it is held already.

        RAM is not asked: while a write that takes a content's last key away becomes visible, its old entry is there for
        a moment longer than anything durable.
        """
        if not self._deduplicates:
            return None
        parts = self._parts
        dirty = parts.dirty
        if dirty.find_blob(digest) is not None:
            with dirty.lock:
                # Asked again under the lock: a checkpoint may just have dropped it.
                if dirty.find_blob(digest) is not None:
                    return dirty.lease(digest)
        bloom = parts.bloom
        if bloom is not None and digest not in bloom:
            self._count_negative()
            return None
        lease = self.lease(digest)
        if lease is None:
            return None
        if parts.catalog.find_blob(digest) is not None:
            return lease
        self.release(lease)
        if bloom is not None:
            self._count_false_positive()
        return None

    def lease(self, digest: bytes) -> Lease | None:
        """Keep a content from being collected; None if it is just being collected or damaged."""
        with self._parts.dirty.lock:
            return self._parts.dirty.lease(digest)

    def release(self, lease: Lease) -> None:
        """Give a lease back that no visible entry took over."""
        with self._parts.dirty.lock:
            self._parts.dirty.release(lease)
