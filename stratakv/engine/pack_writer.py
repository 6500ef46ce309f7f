"""Pack writing: plaintexts side by side into blocks, blocks into packs, packs into a backend.

Never touches the catalog: what was written is returned, and is an orphan until a transaction names it. Plaintexts
come grouped by namespace, because a block has one namespace and one dictionary. Whoever hands a blob in says which keys
name it; whether a pack keeps that is the store's affair.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stratakv.engine.codecs.levels import cold_level, fast_level, warm_level
from stratakv.engine.codecs.stack import shape_of
from stratakv.engine.encoding import SHORTEST
from stratakv.engine.large.manifest import MANIFEST, is_manifest
from stratakv.engine.packs import FOOTER, PackBuilder, pack_prefix
from stratakv.engine.records import IN_COLD, Place
from stratakv.engine.serialization import Segment, segments
from stratakv.engine.serialization.layout import has_buffers
from stratakv.engine.stages import IN_COLD_PACKS, IN_WARM_PACKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratakv.backends.base import Backend
    from stratakv.engine.catalog_write import Transaction
    from stratakv.engine.codecs.base import Elements, Encoded
    from stratakv.engine.encoding import Encoder
    from stratakv.engine.pack_names import Name
    from stratakv.engine.parts import Parts

TYPED_BYTES = 512
"""Values with arrays from this size on share blocks only with values of the same shape, stacked, or of one rotation."""

LARGE_BYTES = 32 * 1024
"""A value from this size on may have a cold block of its own, where that makes it smaller."""

RUN_BYTES, COLD_RUN_BYTES = 32 * 1024, 1 << 20
"""Blocks of chunks that follow each other in large values, on SSD and in cold."""

COLD_COMPANY = 64
LARGEST_COLD_BYTES = 2 << 20
"""A cold block takes so many values, up to so many bytes: versions of large documents shrink to their difference."""


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
        index: The index itself, where the catalog is to keep it because reading it from the pack costs a request.
        blobs: (digest, namespace, block, offset, size) of each blob.
    """

    tier: int
    name: str
    length: int
    index_offset: int
    index_digest: bytes
    plaintext: int
    dictionaries: set[int]
    index: bytes | None = None
    blobs: list[tuple[bytes, int, int, int, int]] = field(default_factory=list)

    def record(self, transaction: Transaction, now: int, copied_from: frozenset[int] | None = None) -> int:
        """Enter the pack and its blobs into the catalog; return the pack's number.

        `copied_from` are the packs that its blobs were copied out of, see `Transaction.place_blobs`.
        """
        number = transaction.add_pack(
            self.tier, self.name, self.length, self.index_offset, self.index_digest, self.plaintext, now
        )
        if self.index is not None:
            transaction.keep_index(number, self.index)
        transaction.use_dictionaries(number, self.dictionaries)
        transaction.place_blobs(
            (
                (digest, namespace, Place(number, block, offset, size))
                for digest, namespace, block, offset, size in self.blobs
            ),
            copied_from,
        )
        return number


class PackWriter:
    """Writes packs of one tier.

    Args:
        backend: The tier's backend.
        tier: The tier's number.
        store_id: 16 bytes that name the store.
        epoch: Counts the openings of the store; part of the names.
        encoder: Encodes the blocks.
        dictionary_of: The dictionary to use for a namespace's blocks, 0 for none.
        level: Codec level.
        block_bytes: A block is closed when its plaintext reaches this size.
        pack_bytes: A pack is closed when it reaches this size.
        pause: Called between blocks, so that a long run lets others at the interpreter.
        announce: Called with the name of each pack and the dictionaries it needs, before it is written.
        label_of: Returns the name of a namespace's number; None for packs that do not tell their keys.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        tier: int,
        store_id: bytes,
        epoch: int,
        encoder: Encoder,
        dictionary_of: Callable[[int], int],
        level: int,
        block_bytes: int,
        pack_bytes: int,
        pause: Callable[[], None],
        announce: Callable[[str, set[int]], None],
        label_of: Callable[[int], str] | None = None,
    ) -> None:
        self._announce = announce
        self._backend = backend
        self._tier = tier
        self._store_id = store_id
        self._epoch = epoch
        self._encoder = encoder
        self._stage = IN_COLD_PACKS if tier == IN_COLD else IN_WARM_PACKS
        self._company, self._largest_bytes = (COLD_COMPANY, LARGEST_COLD_BYTES) if tier == IN_COLD else (1, 0)
        self._dictionary_of = dictionary_of
        self._level = level
        self._block_bytes = block_bytes
        self._pack_bytes = pack_bytes
        self._pause = pause
        self._label_of = label_of
        self._builder = self._new_builder()
        self._blobs: list[tuple[bytes, int, int, int, int]] = []
        self._open: list[tuple[bytes, bytes, Sequence[Name]]] = []
        self._open_bytes = 0
        self._open_namespace = 0
        # The number of a rotation, where that is what the values have in common.
        self._open_shape: tuple[tuple[int, Elements], ...] | int | None = None
        self._open_layout: tuple[Segment, ...] = ()
        self._run_bytes = COLD_RUN_BYTES if tier == IN_COLD else RUN_BYTES
        self._open_run = False
        self._manifests: list[tuple[bytes, bytes, Sequence[Name]]] = []
        self._manifest_bytes = 0
        self._written: list[WrittenPack] = []

    def _new_builder(self) -> PackBuilder:
        return PackBuilder(self._tier, self._store_id, self._label_of)

    def add(
        self, namespace: int, digest: bytes, plaintext: bytes, names: Sequence[Name] = (), *, run: bool = False
    ) -> None:
        """Take one blob and the keys that name it.

        A chunk comes in a `run` with those before and behind it, and is read with them: their blocks may be larger.
        """
        if namespace != self._open_namespace:
            self._close_block()
            self._close_manifests()
            self._open_namespace = namespace
        if is_manifest(plaintext):
            self._add_manifest(digest, plaintext, names)
            return
        layout = _layout_of(plaintext, SHORTEST if self._encoder.rotated.knows(namespace) else TYPED_BYTES)
        rotation = self._encoder.rotated.rotation_of(plaintext, layout, namespace)
        shape = rotation or (shape_of(layout) if layout else None)
        if shape is None and len(plaintext) >= LARGE_BYTES and self._company > 1 and self._stands_alone(plaintext):
            self._close_block()
            self._open_shape, self._open = None, [(digest, plaintext, names)]
            self._close_block()
            return
        room = max(self._room(plaintext), self._run_bytes if run else 0)
        full = bool(self._open) and self._open_bytes + len(plaintext) > room
        if shape != self._open_shape or run != self._open_run or full:
            self._close_block()
            self._open_shape, self._open_layout, self._open_run = shape, layout, run
        self._open.append((digest, plaintext, names))
        self._open_bytes += len(plaintext)

    def add_encoded(self, namespace: int, digest: bytes, encoded: Encoded, names: Sequence[Name] = ()) -> None:
        """Take one blob as it is encoded, in a block of its own: for one that cannot be decoded here just now."""
        self._close_block()
        self._append(encoded, namespace, [(digest, encoded.size, names)])

    def _add_manifest(self, digest: bytes, plaintext: bytes, names: Sequence[Name]) -> None:
        """Take a manifest into a block beside others: those of versions of a document differ little."""
        if self._manifests and self._manifest_bytes + len(plaintext) > max(self._block_bytes, self._largest_bytes):
            self._close_manifests()
        self._manifests.append((digest, plaintext, names))
        self._manifest_bytes += len(plaintext)

    def _close_manifests(self) -> None:
        if not self._manifests:
            return
        blobs, self._manifests, self._manifest_bytes = self._manifests, [], 0
        content = b"".join(plaintext for _, plaintext, _ in blobs)
        encoded = replace(self._encoder.plain(content, self._level), kind=MANIFEST)
        sized = [(digest, len(plaintext), names) for digest, plaintext, names in blobs]
        self._append(encoded, self._open_namespace, sized)

    def _stands_alone(self, plaintext: bytes) -> bool:
        return not self._encoder.prefers_company(
            plaintext, namespace=self._open_namespace, level=self._level, stage=self._stage
        )

    def _room(self, plaintext: bytes) -> int:
        """Return how large a block may become: large values need company too, or their likeness saves nothing."""
        return max(self._block_bytes, min(self._company * len(plaintext), self._largest_bytes))

    def _close_block(self) -> None:
        if not self._open:
            return
        blobs, self._open = self._open, []
        shape, layout = self._open_shape, self._open_layout
        self._open_bytes, self._open_shape, self._open_layout = 0, None, ()
        plaintexts = [plaintext for _, plaintext, _ in blobs]
        namespace = self._open_namespace
        if isinstance(shape, int):
            encoded = self._encoder.rotated_block(
                plaintexts, shape, namespace=namespace, level=self._level, stage=self._stage
            )
        elif shape is not None:
            encoded = self._encoder.typed(plaintexts, layout, namespace=namespace, level=self._level, stage=self._stage)
        else:
            encoded = self._encoder.block(
                plaintexts, namespace=namespace, dictionary=self._dictionary_of(namespace), level=self._level,
                stage=self._stage,
            )  # fmt: skip
        self._append(encoded, namespace, [(digest, len(plaintext), names) for digest, plaintext, names in blobs])

    def _append(self, encoded: Encoded, namespace: int, blobs: list[tuple[bytes, int, Sequence[Name]]]) -> None:
        if len(self._builder) and self._builder.size + len(encoded.payload) > self._pack_bytes:
            self._close_pack()
        block = self._builder.add(encoded, namespace, [size for _, size, _ in blobs], [names for _, _, names in blobs])
        offset = 0
        for digest, size, _ in blobs:
            self._blobs.append((digest, namespace, block, offset, size))
            offset += size
        self._pause()

    def _close_pack(self) -> None:
        if not len(self._builder):
            return
        builder, self._builder = self._builder, self._new_builder()
        blobs, self._blobs = self._blobs, []
        content, index_offset, index_digest = builder.finish()
        # The random part keeps two owners of one bucket from ever naming a pack alike.
        name = f"{pack_prefix(self._store_id)}{self._epoch:08x}-{secrets.token_hex(8)}.pack"
        self._announce(name, builder.dictionaries)
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
                content[index_offset : -FOOTER.size] if self._backend.remote else None,
                blobs,
            )
        )

    def finish(self) -> list[WrittenPack]:
        """Write what is open and return the packs written since the last `take`, durable but not in the catalog."""
        self._close_block()
        self._close_manifests()
        self._close_pack()
        return self.take()

    def take(self) -> list[WrittenPack]:
        """Return the packs that are whole by now, so that they can be committed while others are being filled."""
        written, self._written = self._written, []
        return written


def _layout_of(plaintext: bytes, shortest: int) -> tuple[Segment, ...]:
    """Return where the arrays of a plaintext lie; nothing where it has none, or is a stretch of a larger one."""
    return segments(plaintext) if len(plaintext) >= shortest and has_buffers(plaintext) else ()


def open_pack_writer(parts: Parts, tier: int, pause: Callable[[], None], *, hurried: bool = False) -> PackWriter:
    """Return a writer for a tier of a store: small blocks with a dictionary in warm, large ones without in cold.

    A hurried one takes the level of the fast path, since writers wait for it: a third of the time for 5 to 10% more
    bytes, until compaction or demotion encodes them anew.
    """
    settings = parts.config.compression
    level = parts.config.effective_compression_level
    cold = tier == IN_COLD
    return PackWriter(
        parts.backends[tier],
        tier=tier,
        store_id=parts.store_id,
        epoch=parts.epoch,
        encoder=parts.compression.encoder,
        dictionary_of=(lambda _namespace: 0) if cold else parts.dictionaries.current,
        level=fast_level(level) if hurried else cold_level(level) if cold else warm_level(level),
        block_bytes=1024 * (settings.cold_block_kb if cold else settings.warm_block_kb),
        pack_bytes=int(parts.config.storage.pack_size_mb * 1024 * 1024),
        pause=pause,
        announce=parts.announce_cold if cold else parts.announce,
        label_of=parts.labels.name if parts.packs_tell_keys else None,
    )
