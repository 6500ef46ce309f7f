"""Pack writing: plaintexts side by side into blocks, blocks into packs, packs into a backend.

Never touches the catalog: what was written is returned, and is an orphan until a transaction names it. Plaintexts
come grouped by namespace, because a block has one namespace and one dictionary.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratakv.engine.compression import CompressionEngine, cold_level, warm_level
from stratakv.engine.packs import PackBuilder, pack_prefix
from stratakv.engine.records import IN_COLD, Place
from stratakv.engine.serialization import segments

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.backends.base import Backend
    from stratakv.engine.catalog_write import Transaction
    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.parts import Parts

TYPED_ALONE_BYTES = 512
"""A typed plaintext from this size on has a block of its own, so that its columns meet the codec for arrays."""


@dataclass(slots=True)
class WrittenPack:
    """A pack that lies in its backend and is not in the catalog yet.

    Attributes:
        tier: The tier's number.
        name: Its object name.
        length: Its bytes.
        index_offset: Where its index begins.
        index_digest: SHA-256 of the index.
        plaintext: Plaintext bytes packed.
        dictionaries: Dictionaries its blocks need.
        blobs: (digest, namespace, block, offset, size) of each blob.
    """

    tier: int
    name: str
    length: int
    index_offset: int
    index_digest: bytes
    plaintext: int
    dictionaries: set[int]
    blobs: list[tuple[bytes, int, int, int, int]] = field(default_factory=list)

    def record(self, transaction: Transaction, now: int) -> int:
        """Enter the pack and its blobs into the catalog; return the pack's number."""
        number = transaction.add_pack(
            self.tier, self.name, self.length, self.index_offset, self.index_digest, self.plaintext, now
        )
        transaction.use_dictionaries(number, self.dictionaries)
        transaction.place_blobs(
            (digest, namespace, Place(number, block, offset, size))
            for digest, namespace, block, offset, size in self.blobs
        )
        return number


class PackWriter:
    """Writes packs of one tier.

    Args:
        backend: The tier's backend.
        tier: The tier's number.
        store_id: 16 bytes that name the store.
        epoch: Counts the openings of the store; part of the names.
        compression: Encodes the blocks.
        dictionary_of: The dictionary to use for a namespace's blocks, 0 for none.
        level: Codec level.
        block_bytes: A block is closed when its plaintext reaches this size.
        pack_bytes: A pack is closed when it reaches this size.
        pause: Called between blocks, so that a long run lets others at the interpreter.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        tier: int,
        store_id: bytes,
        epoch: int,
        compression: CompressionEngine,
        dictionary_of: Callable[[int], int],
        level: int,
        block_bytes: int,
        pack_bytes: int,
        pause: Callable[[], None],
    ) -> None:
        self._backend = backend
        self._tier = tier
        self._store_id = store_id
        self._epoch = epoch
        self._compression = compression
        self._dictionary_of = dictionary_of
        self._level = level
        self._block_bytes = block_bytes
        self._pack_bytes = pack_bytes
        self._pause = pause
        self._builder = PackBuilder(tier, store_id)
        self._blobs: list[tuple[bytes, int, int, int, int]] = []
        self._open: list[tuple[bytes, bytes]] = []
        self._open_bytes = 0
        self._open_namespace = 0
        self._written: list[WrittenPack] = []

    def add(self, namespace: int, digest: bytes, plaintext: bytes) -> None:
        """Take one blob."""
        if namespace != self._open_namespace:
            self._close_block()
            self._open_namespace = namespace
        if len(plaintext) >= TYPED_ALONE_BYTES and len(layout := segments(plaintext)) > 1:
            self._close_block()
            encoded = self._compression.encode_typed(plaintext, layout, self._level)
            self._append(encoded, namespace, [(digest, plaintext)])
            return
        if self._open and self._open_bytes + len(plaintext) > self._block_bytes:
            self._close_block()
        self._open.append((digest, plaintext))
        self._open_bytes += len(plaintext)

    def _close_block(self) -> None:
        if not self._open:
            return
        blobs, self._open = self._open, []
        self._open_bytes = 0
        content = b"".join(plaintext for _, plaintext in blobs)
        encoded = self._compression.encode_block(content, self._dictionary_of(self._open_namespace), self._level)
        self._append(encoded, self._open_namespace, blobs)

    def _append(self, encoded: Encoded, namespace: int, blobs: list[tuple[bytes, bytes]]) -> None:
        if len(self._builder) and self._builder.length + len(encoded.payload) > self._pack_bytes:
            self._close_pack()
        block = self._builder.add(encoded, namespace, [len(plaintext) for _, plaintext in blobs])
        offset = 0
        for digest, plaintext in blobs:
            self._blobs.append((digest, namespace, block, offset, len(plaintext)))
            offset += len(plaintext)
        self._pause()

    def _close_pack(self) -> None:
        if not len(self._builder):
            return
        builder, self._builder = self._builder, PackBuilder(self._tier, self._store_id)
        blobs, self._blobs = self._blobs, []
        content, index_offset, index_digest = builder.finish()
        # The random part keeps two owners of one bucket from ever naming a pack alike.
        name = f"{pack_prefix(self._store_id)}{self._epoch:08x}-{secrets.token_hex(8)}.pack"
        self._backend.put(name, content)
        self._written.append(
            WrittenPack(
                self._tier,
                name,
                len(content),
                index_offset,
                index_digest,
                builder.plaintext,
                builder.dictionaries,
                blobs,
            )
        )

    def finish(self) -> list[WrittenPack]:
        """Write what is open and return all packs written, durable but not in the catalog."""
        self._close_block()
        self._close_pack()
        written, self._written = self._written, []
        return written


def open_pack_writer(parts: Parts, tier: int, pause: Callable[[], None]) -> PackWriter:
    """Return a writer for a tier of a store: small blocks with a dictionary in warm, large ones without in cold."""
    settings = parts.config.compression
    level = parts.config.effective_compression_level
    cold = tier == IN_COLD
    return PackWriter(
        parts.backends[tier],
        tier=tier,
        store_id=parts.store_id,
        epoch=parts.epoch,
        compression=parts.compression,
        dictionary_of=(lambda _namespace: 0) if cold else parts.dictionaries.current,
        level=cold_level(level) if cold else warm_level(level),
        block_bytes=1024 * (settings.cold_block_kb if cold else settings.warm_block_kb),
        pack_bytes=int(parts.config.storage.pack_size_mb * 1024 * 1024),
        pause=pause,
    )
