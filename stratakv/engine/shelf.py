"""The shelf: reads blobs out of packs, verified, whatever the tier.

Keeps a bounded number of decoded blocks in RAM; `PackSource` fetches what they are decoded from, `Staging` fetches it
ahead. Never writes, and never decides where a blob is better kept. Every byte that `read` returns has passed its
block's checksum and its own digest.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from stratakv.engine.large.manifest import declared_digest, is_manifest
from stratakv.engine.pack_source import PackGoneError, PackSource, describe
from stratakv.engine.staging import NAMES_ITEM, Staging
from stratakv.errors import CorruptionError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from stratakv.backends.base import Backend
    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.compression import CompressionEngine
    from stratakv.engine.pack_names import Name
    from stratakv.engine.packs import Block, NamesEntry
    from stratakv.engine.records import Place

Wanted = TypeVar("Wanted")

BLOCK_CACHE_BYTES = 2 << 20
LEAST_RUN_BYTES = 16 << 10


class PackedBlob(NamedTuple):
    """A blob as it lies in a pack, dead or alive.

    Attributes:
        namespace: The block's namespace.
        block: The block's index.
        offset: First byte in the block's plaintext.
        plaintext: Its bytes, not yet compared with a digest.
        names: The keys that named it when it was packed, where the pack tells.
        run: It lies in a block of many that is as large as those of chunks that follow each other.
    """

    namespace: int
    block: int
    offset: int
    plaintext: bytes
    names: Sequence[Name] = ()
    run: bool = False


class Shelf:
    """Reads from the packs of all tiers.

    Args:
        backends: The backend of each tier number.
        pack_row: Looks a pack up in the catalog.
        compression: Decodes blocks.
        salt_of: Returns the digest salt of a namespace, empty for none.
        kept_index: Returns what the catalog keeps of a pack's index, None for nothing.
    """

    def __init__(
        self,
        backends: Mapping[int, Backend],
        pack_row: Callable[[int], PackRow | None],
        compression: CompressionEngine,
        salt_of: Callable[[int], bytes],
        kept_index: Callable[[int], bytes | None],
    ) -> None:
        self._source = PackSource(backends, pack_row, kept_index, self.forget)
        self._staging = Staging(self._source, lambda item: item in self._blocks)
        self._compression = compression
        self._salt_of = salt_of
        self._lock = threading.Lock()
        self.removals = threading.RLock()
        """Held while packs leave; a reader who keeps missing a moving blob holds it to stop that for one read."""
        self._blocks: OrderedDict[tuple[int, int], bytes] = OrderedDict()
        self._block_bytes = 0

    def read(self, place: Place, digest: bytes, namespace: int) -> bytes:
        """Return a blob's plaintext.

        Raises:
            PackGoneError: The pack was removed meanwhile.
            CorruptionError: The bytes are damaged, or the pack is missing though the catalog names it.
            TierUnavailableError: The tier cannot be reached.
        """
        content = self.block(place.pack, place.block)
        plaintext = content[place.offset : place.offset + place.size]
        if digest_of(plaintext, self._salt_of(namespace)) != digest:
            raise CorruptionError(f"pack {self._source.name(place.pack)} holds other bytes than the catalog says")
        return plaintext

    def block(self, pack: int, number: int) -> bytes:
        """Return a block's plaintext; errors as `read`."""
        cached = self._blocks.get((pack, number))
        if cached is not None:
            return cached
        row, entry = self._source.entry(pack, number)
        fetched = self._staging.get((pack, number))
        content = self._decoded(row, entry, fetched)
        if self._keep_block((pack, number), content) and fetched is not None:
            self._staging.drop([(pack, number)])
        return content

    def entry(self, pack: int, number: int) -> Block:
        """Return what a pack's index says of a block, without reading the block; errors as `read`."""
        return self._source.index(pack)[1].block(number)

    def blobs(
        self, pack: int, on_damage: Callable[[CorruptionError, int | None], None] | None = None
    ) -> Iterator[PackedBlob]:
        """Yield every blob of a pack, dead ones too; errors as `read`.

        With `on_damage` a damaged block is told to it by its number, a damaged index by None, and passed over.
        """
        try:
            whole = self._source.whole(pack)
            row, index = self._source.index(pack, whole)
            sizes = index.sizes()
        except CorruptionError as failure:
            if on_damage is None:
                raise
            on_damage(failure, None)
            return
        names = self._source.names(row, index, _slice(whole, index.names))
        first = 0
        for number, lengths in enumerate(sizes):
            block = index.block(number)
            told, first = range(first, first + len(lengths)), first + len(lengths)
            try:
                content = self._decoded(row, block, _slice(whole, block)) if whole else self.block(pack, number)
            except CorruptionError as failure:
                if on_damage is None:
                    raise
                on_damage(failure, number)
                continue
            offset = 0
            run = len(lengths) > 1 and block.size >= LEAST_RUN_BYTES
            for blob, size in zip(told, lengths, strict=True):
                plaintext = content[offset : offset + size]
                yield PackedBlob(block.namespace, number, offset, plaintext, names.blobs[blob] if names else (), run)
                offset += size

    def names(self, pack: int) -> Iterator[tuple[int, int, Sequence[Name]]]:
        """Yield (block, offset, names) of the blobs of a pack; nothing where it tells none, or they are damaged.

        Raises:
            TierUnavailableError: The tier cannot be reached.
        """
        try:
            row, index = self._source.index(pack)
            sizes = index.sizes()
            names = self._source.names(row, index, self._staging.get((pack, NAMES_ITEM)))
        except (PackGoneError, CorruptionError):
            return  # whoever reads its values is told
        blobs = iter(names.blobs if names is not None else ())
        for number, lengths in enumerate(sizes if names is not None else ()):
            offset = 0
            for size in lengths:
                yield number, offset, next(blobs)
                offset += size

    def ahead(
        self, wanted: Sequence[Wanted], place_of: Callable[[Wanted], Place | None], *, names: bool = False
    ) -> Iterator[Wanted]:
        """Yield what is wanted, in order, having fetched the blocks of remote packs that it lies in.

        Few requests bring many blocks where neighbours in packs follow each other. With `names` those of the packs
        are fetched as well. What cannot be fetched is left to whoever reads it.

        Raises:
            TierUnavailableError: A tier cannot be reached.
        """
        return self._staging.ahead(wanted, place_of, names=names)

    def encoded_bytes(self, pack: int) -> dict[int, int]:
        """Return for each namespace the encoded bytes of its blocks in a pack; nothing where it cannot be read.

        A remote tier is not asked: a pack of it whose index the catalog does not keep tells nothing either.
        """
        try:
            index = self._source.index_at_hand(pack)
        except (PackGoneError, CorruptionError, TierUnavailableError):
            return {}  # statistics must not fail with one pack: reading its values says what is wrong
        totals: dict[int, int] = {}
        if index is None:
            return totals
        for number in range(index.blocks):
            block = index.block(number)
            totals[block.namespace] = totals.get(block.namespace, 0) + block.length
        return totals

    def digest(self, plaintext: bytes, namespace: int) -> bytes:
        """Return the digest that a plaintext has in a namespace."""
        return digest_of(plaintext, self._salt_of(namespace))

    def forget(self, pack: int) -> None:
        """Drop what is cached of a pack."""
        self._source.forget(pack)
        self._staging.forget(pack)
        with self._lock:
            for key in [key for key in self._blocks if key[0] == pack]:
                self._block_bytes -= len(self._blocks.pop(key))

    def rest(self) -> None:
        """Let go of every cached index and block; they are read again when needed."""
        self._source.rest()
        with self._lock:
            self._blocks.clear()
            self._block_bytes = 0

    def _decoded(self, row: PackRow, block: Block, fetched: bytes | None) -> bytes:
        """Return a block's plaintext; `fetched` is what is here of it already."""
        encoded = self._source.payload(row, block, fetched)
        try:
            return self._compression.decode(encoded)
        except CorruptionError as failure:
            raise CorruptionError(f"a block of pack {describe(row)} cannot be decoded: {failure}") from failure

    def _keep_block(self, key: tuple[int, int], content: bytes) -> bool:
        if len(content) > BLOCK_CACHE_BYTES:
            return False
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = content
                self._block_bytes += len(content)
            while self._block_bytes > BLOCK_CACHE_BYTES:
                _, oldest = self._blocks.popitem(last=False)
                self._block_bytes -= len(oldest)
        return True

    @property
    def ram_bytes(self) -> int:
        """RAM of cached indexes and blocks, and of what was fetched ahead."""
        return self._source.ram_bytes + self._staging.ram_bytes + self._block_bytes + 200 * len(self._blocks)


def _slice(whole: bytes, entry: Block | NamesEntry | None) -> bytes | None:
    """Return what an entry of the index speaks of, where the whole pack is here."""
    return whole[entry.offset : entry.offset + entry.length] if whole and entry is not None else None


def digest_of(plaintext: bytes, salt: bytes) -> bytes:
    """Return the digest by which a content is known: the SHA-256 of its plaintext.

    A namespace with a dedup scope of its own puts its salt before it. A manifest says which value it stands for.

    Raises:
        CorruptionError: A damaged manifest.
    """
    if is_manifest(plaintext):
        return declared_digest(plaintext)
    if not salt:
        return hashlib.sha256(plaintext).digest()
    salted = hashlib.sha256(salt)
    salted.update(plaintext)
    return salted.digest()
