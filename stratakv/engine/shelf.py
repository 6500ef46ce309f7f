"""The shelf: reads blobs out of packs, verified, whatever the tier.

Keeps a bounded number of pack indexes and of decoded blocks in RAM. Never writes, and never decides where a blob is
better kept. Every byte it returns has passed its block's checksum and its own digest.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from stratakv.backends.base import Backend, ObjectNotFoundError
from stratakv.engine.packs import Block, PackIndex, check_block
from stratakv.engine.records import TIERS, Place
from stratakv.errors import CorruptionError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.compression import CompressionEngine

INDEX_CACHE_BYTES = 8 << 20
BLOCK_CACHE_BYTES = 2 << 20


class PackGoneError(Exception):
    """The pack is no longer where the caller's catalog row said: look the row up again."""


class Shelf:
    """Reads from the packs of all tiers.

    Args:
        backends: The backend of each tier number.
        pack_row: Looks a pack up in the catalog.
        compression: Decodes blocks.
        salt_of: Returns the digest salt of a namespace, empty for none.
    """

    def __init__(
        self,
        backends: Mapping[int, Backend],
        pack_row: Callable[[int], PackRow | None],
        compression: CompressionEngine,
        salt_of: Callable[[int], bytes],
    ) -> None:
        self._backends = backends
        self._pack_row = pack_row
        self._compression = compression
        self._salt_of = salt_of
        self._lock = threading.Lock()
        self.removals = threading.RLock()
        """Held while packs leave; a reader who keeps missing a moving blob holds it to stop that for one read."""
        self._indexes: OrderedDict[int, tuple[PackRow, PackIndex]] = OrderedDict()
        self._index_bytes = 0
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
            raise CorruptionError(f"pack {self._name(place.pack)} holds other bytes than the catalog says")
        return plaintext

    def block(self, pack: int, number: int) -> bytes:
        """Return a block's plaintext; errors as `read`."""
        cached = self._blocks.get((pack, number))
        if cached is not None:
            return cached
        row, index = self._index(pack)
        block = index.block(number)
        payload = self._range(row, block.offset, block.length)
        encoded = check_block(payload, block, self._describe(row))
        try:
            content = self._compression.decode(encoded)
        except CorruptionError as failure:
            raise CorruptionError(f"a block of pack {self._describe(row)} cannot be decoded: {failure}") from failure
        self._keep_block((pack, number), content)
        return content

    def entry(self, pack: int, number: int) -> Block:
        """Return what a pack's index says of a block, without reading the block; errors as `read`."""
        return self._index(pack)[1].block(number)

    def blobs(
        self, pack: int, on_damage: Callable[[CorruptionError, int | None], None] | None = None
    ) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield (namespace, block, offset, plaintext) of every blob of a pack, dead ones too; errors as `read`.

        With `on_damage` a damaged block is told to it by its number, a damaged index by None, and passed over.
        """
        try:
            _, index = self._index(pack)
        except CorruptionError as failure:
            if on_damage is None:
                raise
            on_damage(failure, None)
            return
        for number, sizes in enumerate(index.sizes()):
            namespace = index.block(number).namespace
            try:
                content = self.block(pack, number)
            except CorruptionError as failure:
                if on_damage is None:
                    raise
                on_damage(failure, number)
                continue
            offset = 0
            for size in sizes:
                yield namespace, number, offset, content[offset : offset + size]
                offset += size

    def encoded_bytes(self, pack: int) -> dict[int, int]:
        """Return for each namespace the encoded bytes of its blocks in a pack; nothing where it cannot be read."""
        try:
            _, index = self._index(pack)
        except (PackGoneError, CorruptionError, TierUnavailableError):
            return {}  # statistics must not fail with one pack: reading its values says what is wrong
        totals: dict[int, int] = {}
        for number in range(index.blocks):
            block = index.block(number)
            totals[block.namespace] = totals.get(block.namespace, 0) + block.length
        return totals

    def digest(self, plaintext: bytes, namespace: int) -> bytes:
        """Return the digest that a plaintext has in a namespace."""
        return digest_of(plaintext, self._salt_of(namespace))

    def forget(self, pack: int) -> None:
        """Drop what is cached of a pack."""
        with self._lock:
            cached = self._indexes.pop(pack, None)
            if cached is not None:
                self._index_bytes -= cached[1].ram_bytes
            for key in [key for key in self._blocks if key[0] == pack]:
                self._block_bytes -= len(self._blocks.pop(key))

    def rest(self) -> None:
        """Let go of every cached index and block; they are read again when needed."""
        with self._lock:
            self._indexes.clear()
            self._blocks.clear()
            self._index_bytes = self._block_bytes = 0

    def _index(self, pack: int) -> tuple[PackRow, PackIndex]:
        cached = self._indexes.get(pack)
        if cached is not None:
            return cached
        row = self._pack_row(pack)
        if row is None:
            raise PackGoneError(pack)
        tail = self._range(row, row.index_offset, row.length - row.index_offset)
        entry = (row, PackIndex(tail, row.index_digest, self._describe(row)))
        with self._lock:
            if pack not in self._indexes:
                self._indexes[pack] = entry
                self._index_bytes += entry[1].ram_bytes
            while self._index_bytes > INDEX_CACHE_BYTES and len(self._indexes) > 1:
                _, (_, oldest) = self._indexes.popitem(last=False)
                self._index_bytes -= oldest.ram_bytes
        return entry

    def _range(self, row: PackRow, start: int, length: int) -> bytes:
        try:
            return self._backends[row.tier].get_range(row.name, start, length)
        except ObjectNotFoundError as missing:
            raise self._gone(row) from missing
        except CorruptionError as failure:
            raise CorruptionError(f"pack {self._describe(row)}: {failure}") from failure

    def _gone(self, row: PackRow) -> Exception:
        self.forget(row.id)
        if self._pack_row(row.id) is None:
            return PackGoneError(row.id)
        return CorruptionError(f"pack {self._describe(row)} is missing")

    def _keep_block(self, key: tuple[int, int], content: bytes) -> None:
        if len(content) > BLOCK_CACHE_BYTES:
            return
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = content
                self._block_bytes += len(content)
            while self._block_bytes > BLOCK_CACHE_BYTES:
                _, oldest = self._blocks.popitem(last=False)
                self._block_bytes -= len(oldest)

    def _name(self, pack: int) -> str:
        row = self._pack_row(pack)
        return self._describe(row) if row is not None else str(pack)

    @staticmethod
    def _describe(row: PackRow) -> str:
        return f"{row.name} in the {TIERS[row.tier].value} tier"

    @property
    def ram_bytes(self) -> int:
        """RAM of cached indexes and blocks."""
        return self._index_bytes + self._block_bytes + 200 * (len(self._blocks) + len(self._indexes))


def digest_of(plaintext: bytes, salt: bytes) -> bytes:
    """Return the SHA-256 of a plaintext; a namespace with a dedup scope of its own puts its salt before it."""
    if not salt:
        return hashlib.sha256(plaintext).digest()
    salted = hashlib.sha256(salt)
    salted.update(plaintext)
    return salted.digest()
