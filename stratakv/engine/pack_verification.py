"""Verification of packs: every byte of every pack against its index, its blobs' digests and the catalog's rows.

Reads blocks one at a time and changes nothing. Invariant: a pack without a finding gives back every blob that the
catalog places in it, and the catalog's sums about it are true.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratakv.backends.base import ObjectNotFoundError
from stratakv.engine.kept_indexes import KeptIndexes
from stratakv.engine.large_verification import ManifestVerifier
from stratakv.engine.packs import FOOTER, FORMAT_VERSION, HEADER, PackIndex, check_block, check_names
from stratakv.engine.records import DIGEST_SHA256, TIERS
from stratakv.engine.shelf import digest_of
from stratakv.errors import CorruptionError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratakv.backends.base import Backend
    from stratakv.engine.catalog import Catalog
    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.compression import CompressionEngine
    from stratakv.engine.packs import Block

UNREADABLE = (CorruptionError, TierUnavailableError, ObjectNotFoundError)
"""What a damaged, failing or missing object may raise when it is read."""


@dataclass(slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        what: Its kind: "pack", "block", "blob", "key", "references", "dictionary", "journal", "catalog" or "backup".
        message: What is wrong, in a sentence.
        tier: The tier's name, where it lies in one.
        pack: The pack's name, where it lies in one.
        keys: Keys whose values cannot be read because of it.
        blobs: Their contents' numbers in the catalog.
    """

    what: str
    message: str
    tier: str | None = None
    pack: str | None = None
    keys: list[str] = field(default_factory=list)
    blobs: set[int] = field(default_factory=set)


class PackVerifier:
    """Checks the packs of one store.

    Args:
        catalog: What the packs are compared with.
        backends: The backend of each tier number.
        compression: Decodes blocks.
        salts: The digest salt of each namespace number.
        store_id: The 16 bytes that name the store.
        tell: Takes each finding.
    """

    def __init__(
        self,
        catalog: Catalog,
        backends: Mapping[int, Backend],
        compression: CompressionEngine,
        salts: Mapping[int, bytes],
        store_id: bytes,
        tell: Callable[[Finding], None],
    ) -> None:
        self._catalog = catalog
        self._backends = backends
        self._compression = compression
        self._salts = salts
        self._store_id = store_id
        self._tell = tell
        self._kept = KeptIndexes(catalog)
        self._manifests = ManifestVerifier(catalog)
        rows = catalog.rows("SELECT pack, count(*), sum(size) FROM blobs GROUP BY pack")
        self._placed: dict[int, tuple[int, int]] = {pack: (count, size) for pack, count, size in rows}

    def verify(self, pack: PackRow) -> int:
        """Check one pack; return how many blobs were read and found as the catalog says."""
        self._check_sums(pack)
        try:
            backend = self._backends[pack.tier]
            if backend.size(pack.name) != pack.length:
                self._report(pack, f"it has {backend.size(pack.name)} bytes, not {pack.length}")
            tail = backend.get_range(pack.name, pack.index_offset, pack.length - pack.index_offset)
            index = PackIndex(tail[: -FOOTER.size], pack.index_digest, _describe(pack))
        except ObjectNotFoundError:
            self._report(pack, "it is missing", blobs=self._blobs_of(pack))
            return 0
        except (CorruptionError, TierUnavailableError) as damage:
            self._report(pack, str(damage), blobs=self._blobs_of(pack))
            return 0
        self._check_frame(pack, backend, tail)
        if self._kept.find(pack.id) not in (None, index.content):
            self._report(pack, "the catalog's copy of its index is damaged; its values can be read")
        return self._check_blocks(pack, backend, index)

    def _check_sums(self, pack: PackRow) -> None:
        placed = self._placed.get(pack.id, (0, 0))
        if placed != (pack.live_blobs, pack.live):
            self._report(
                pack,
                f"the catalog counts {pack.live_blobs} live blobs of {pack.live} bytes in it, but places {placed[0]} "
                f"of {placed[1]} bytes there",
            )

    def _check_frame(self, pack: PackRow, backend: Backend, tail: bytes) -> None:
        """Check header and footer, which no read needs and no other checksum covers."""
        header = HEADER.pack(b"SKVP", FORMAT_VERSION, pack.tier, DIGEST_SHA256, 0, self._store_id)
        try:
            found = backend.get_range(pack.name, 0, HEADER.size)
        except UNREADABLE as damage:
            self._report(pack, str(damage))
            return
        if found != header:
            self._report(pack, "its header is damaged; its values can be read")
        length = len(tail) - FOOTER.size
        start = FOOTER.pack(pack.index_offset, length, 0, 0, b"")[:16]
        if tail[length:] != FOOTER.pack(pack.index_offset, length, 0, zlib.crc32(start), b"SKVE"):
            self._report(pack, "its footer is damaged; its values can be read")

    def _check_blocks(self, pack: PackRow, backend: Backend, index: PackIndex) -> int:
        sound: set[int] = set()
        lost: set[int] = set()
        dictionaries: set[int] = set()
        position, plaintext = HEADER.size, 0
        for number, sizes in enumerate(index.sizes()):
            block = index.block(number)
            if block.offset != position:
                self._report(pack, f"block {number} begins at byte {block.offset}, not {position}")
            position = block.offset + block.length
            plaintext += block.size
            if block.dictionary:
                dictionaries.add(block.dictionary)
            try:
                payload = backend.get_range(pack.name, block.offset, block.length)
                content = self._compression.decode(check_block(payload, block, _describe(pack)))
            except UNREADABLE as damage:
                blobs = self._blobs_of(pack, number)
                lost |= blobs
                self._report(pack, f"{damage} (block {number})", "block", blobs)
                continue
            if sum(sizes) != block.size:
                self._report(pack, f"block {number} has {block.size} bytes, its blobs {sum(sizes)}")
            found, damaged = self._check_blobs(pack, number, block, content, sizes)
            sound |= found
            lost |= damaged
        position = self._check_names(pack, backend, index, position)
        if position != pack.index_offset:
            self._report(pack, f"its blocks end at byte {position}, its index begins at {pack.index_offset}")
        if plaintext != pack.plaintext:
            self._report(pack, f"it holds {plaintext} bytes of plaintext, the catalog says {pack.plaintext}")
        self._check_dictionaries(pack, dictionaries)
        if len(sound) + len(lost) != self._placed.get(pack.id, (0, 0))[0]:
            strange = self._blobs_of(pack) - sound - lost
            self._report(pack, f"{len(strange)} contents that the catalog places in it are not there", "blob", strange)
        return len(sound)

    def _check_names(self, pack: PackRow, backend: Backend, index: PackIndex, position: int) -> int:
        """Check the keys that the pack tells, if it does; return where they, or the blocks, end."""
        entry = index.names
        if entry is None:
            return position
        if entry.offset != position:
            self._report(pack, f"its names begin at byte {entry.offset}, not {position}")
        if not index.is_whole():
            self._report(pack, "its index contradicts its own checksum; its values can be read")
        try:
            check_names(backend.get_range(pack.name, entry.offset, entry.length), index)
        except UNREADABLE as damage:
            self._report(pack, f"the keys that it tells cannot be read, its values can: {damage}")
        return entry.offset + entry.length

    def _check_blobs(
        self, pack: PackRow, number: int, block: Block, content: bytes, sizes: list[int]
    ) -> tuple[set[int], set[int]]:
        """Return the catalog's numbers of the blobs of a block that are as their rows say, and of those reported."""
        salt = self._salts.get(block.namespace)
        if salt is None:
            named = f"namespace {block.namespace}, which the catalog does not know"
            self._report(pack, f"block {number} belongs to {named}")
            return set(), set()
        offset = 0
        places: dict[bytes, list[tuple[int, int]]] = {}
        sound, lost = set(), set()
        for size in sizes:
            try:
                digest = digest_of(content[offset : offset + size], salt)
            except CorruptionError as damage:
                blobs = self._blobs_of(pack, number, offset)
                lost |= blobs
                if blobs:
                    self._report(pack, f"{damage} (block {number})", "blob", blobs)
            else:
                places.setdefault(digest, []).append((offset, size))
            offset += size
        for digest, row in self._catalog.find_blobs(places).items():
            for at, size in places[digest]:
                # Rows that lie elsewhere are younger copies: this one is dead.
                if row.place == (pack.id, number, at, size) and self._salts.get(row.namespace) == salt:
                    sound.add(row.blob)
                    wrong = self._manifests.check(row.blob, content[at : at + size], block.kind)
                    if wrong is not None:
                        self._report(pack, wrong.message, wrong.what, {row.blob} if wrong.lost else None)
        return sound, lost

    def _check_dictionaries(self, pack: PackRow, used: set[int]) -> None:
        rows = self._catalog.rows("SELECT dictionary FROM pack_dictionaries WHERE pack = ?", (pack.id,))
        for dictionary in sorted(used - {row[0] for row in rows}):
            self._report(
                pack, f"it needs dictionary {dictionary}, but the catalog does not keep that for it", "dictionary"
            )

    def _blobs_of(self, pack: PackRow, block: int | None = None, offset: int | None = None) -> set[int]:
        """Return the blobs that the catalog places in a pack. A scan of all blobs, so only for damaged packs."""
        rows = self._catalog.rows("SELECT id, block, offset FROM blobs WHERE pack = ?", (pack.id,))
        return {number for number, *place in rows if block in (None, place[0]) and offset in (None, place[1])}

    def _report(self, pack: PackRow, message: str, what: str = "pack", blobs: set[int] | None = None) -> None:
        self._tell(Finding(what, message, TIERS[pack.tier].value, pack.name, blobs=blobs or set()))


def _describe(pack: PackRow) -> str:
    return f"{pack.name} in the {TIERS[pack.tier].value} tier"
