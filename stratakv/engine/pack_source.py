"""The pack source: from a pack's number to bytes of it that its checksums vouch for, whatever the tier.

Owns the bounded cache of pack indexes and what is asked of the tiers' backends. A tier far away is asked as seldom as
can be: the catalog keeps the indexes of its packs, a pass over a pack takes it in one request, and what arrives damaged
is asked for once more, for it may have been altered on its way only. Never decodes a value and never writes.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from stratakv.backends.base import Backend, ObjectNotFoundError
from stratakv.engine.packs import BLOCK, FOOTER, Block, PackIndex, check_block, check_names, entry_place
from stratakv.engine.records import TIERS
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.pack_names import PackNames

log = logging.getLogger("stratakv")

INDEX_CACHE_BYTES = 8 << 20


RETRIES = 16
"""What moves while it is read is looked up again; more moves than this within one read do not happen."""


class PackGoneError(Exception):
    """The pack is no longer where the caller's catalog row said: look the row up again."""


class PackSource:
    """Fetches from the packs of all tiers.

    Args:
        backends: The backend of each tier number.
        pack_row: Looks a pack up in the catalog.
        kept_index: Returns what the catalog keeps of a pack's index, None for nothing.
        forget: Called with a pack that turned out to be missing.

    Attributes:
        reaches_far: Whether any tier is remote.
    """

    def __init__(
        self,
        backends: Mapping[int, Backend],
        pack_row: Callable[[int], PackRow | None],
        kept_index: Callable[[int], bytes | None],
        forget: Callable[[int], None],
    ) -> None:
        self._backends = backends
        self.reaches_far = any(backend.remote for backend in backends.values())
        self._pack_row = pack_row
        self._kept_index = kept_index
        self._forget = forget
        self._lock = threading.Lock()
        self._indexes: OrderedDict[int, tuple[PackRow, PackIndex]] = OrderedDict()
        self._index_bytes = 0

    # -- rows and indexes ------------------------------------------------------------------------------------

    def row(self, pack: int) -> PackRow:
        """Return a pack's row.

        Raises:
            PackGoneError: There is none any more.
        """
        cached = self._indexes.get(pack)
        row = cached[0] if cached is not None else self._pack_row(pack)
        if row is None:
            raise PackGoneError(pack)
        return row

    def is_remote(self, row: PackRow) -> bool:
        """Tell whether a pack lies in a tier far away."""
        return self._backends[row.tier].remote

    def index(self, pack: int, whole: bytes = b"") -> tuple[PackRow, PackIndex]:
        """Return a pack's row and index, from RAM, the catalog, the pack's bytes where they are here, or its tier.

        Raises:
            PackGoneError: The pack was removed meanwhile.
            CorruptionError: The index is damaged, or the pack is missing though the catalog names it.
            TierUnavailableError: The tier cannot be reached.
        """
        cached = self._indexes.get(pack)
        if cached is not None:
            return cached
        row = self.row(pack)
        return self._keep(row, self._kept(row) or self._own_index(row, whole[row.index_offset :]))

    def entry(self, pack: int, number: int) -> tuple[PackRow, Block]:
        """Return a pack's row and what its index says of a block; errors as `index`.

        Where RAM has no room for the indexes of all packs, the entry alone is read of one that is near: a whole one is
        thousands of times as long, and would push out another. Nothing vouches for the entry then but what is read by
        it: the block's checksum, and the digest of the blob.
        """
        if pack not in self._indexes:
            row = self.row(pack)
            length = row.length - row.index_offset
            if self._index_bytes + length > INDEX_CACHE_BYTES and not self.is_remote(row):
                return row, self._own_entry(row, number)
        row, index = self.index(pack)
        return row, index.block(number)

    def _own_entry(self, row: PackRow, number: int) -> Block:
        place = row.index_offset + entry_place(number)
        content = self.range(row, place, BLOCK.size) if place + BLOCK.size <= row.length else b""
        entry = Block._make(BLOCK.unpack(content)) if len(content) == BLOCK.size else None
        if entry is None or entry.offset + entry.length > row.index_offset:
            raise CorruptionError(f"the index of pack {describe(row)} is damaged")
        return entry

    def index_at_hand(self, pack: int) -> PackIndex | None:
        """Return a pack's index if that takes no request of a tier far away; errors as `index`."""
        if pack in self._indexes or not self.is_remote(self.row(pack)):
            return self.index(pack)[1]
        row = self.row(pack)
        kept = self._kept(row)
        return self._keep(row, kept)[1] if kept is not None else None

    def _keep(self, row: PackRow, index: PackIndex) -> tuple[PackRow, PackIndex]:
        entry = (row, index)
        with self._lock:
            if row.id not in self._indexes:
                self._indexes[row.id] = entry
                self._index_bytes += index.ram_bytes
            while self._index_bytes > INDEX_CACHE_BYTES and len(self._indexes) > 1:
                _, (_, oldest) = self._indexes.popitem(last=False)
                self._index_bytes -= oldest.ram_bytes
        return entry

    def _kept(self, row: PackRow) -> PackIndex | None:
        """Return the index that the catalog keeps of a remote pack; None where there is none, or a damaged one."""
        content = self._kept_index(row.id) if self.is_remote(row) else None
        if content is None:
            return None
        try:
            return PackIndex(content, row.index_digest, describe(row))
        except CorruptionError as failure:
            log.warning("the catalog's copy is not used: %s", failure)
            return None

    def _own_index(self, row: PackRow, tail: bytes) -> PackIndex:
        """Return the index that stands in a pack; `tail` is what was fetched of it already."""
        length = row.length - row.index_offset
        tail = tail or self.range(row, row.index_offset, length)
        try:
            return PackIndex(tail[: -FOOTER.size], row.index_digest, describe(row))
        except CorruptionError:
            if not self.is_remote(row):
                raise
            again = self.range(row, row.index_offset, length)
            return PackIndex(again[: -FOOTER.size], row.index_digest, describe(row))

    # -- bytes -----------------------------------------------------------------------------------------------

    def whole(self, pack: int) -> bytes:
        """Return a remote pack, fetched in one request; nothing for packs that are near. Errors as `index`."""
        row = self.row(pack)
        return self.range(row, 0, row.length) if self.is_remote(row) else b""

    def payload(self, row: PackRow, block: Block, fetched: bytes | None) -> Encoded:
        """Return a block that passed its check; `fetched` is what is here of it already. Errors as `index`."""
        payload = self.range(row, block.offset, block.length) if fetched is None else fetched
        try:
            return check_block(payload, block, describe(row))
        except CorruptionError:
            if not self.is_remote(row):
                raise
            return check_block(self.range(row, block.offset, block.length), block, describe(row))

    def names(self, row: PackRow, index: PackIndex, fetched: bytes | None) -> PackNames | None:
        """Return the names that a pack tells; None where it has none, or they are damaged: its values are not."""
        entry = index.names
        if entry is None:
            return None
        try:
            payload = self.range(row, entry.offset, entry.length) if fetched is None else fetched
            try:
                return check_names(payload, index)
            except CorruptionError:
                if not self.is_remote(row):
                    raise
                return check_names(self.range(row, entry.offset, entry.length), index)
        except CorruptionError as failure:
            log.warning("the keys that a pack tells are passed over: %s", failure)
            return None

    def range(self, row: PackRow, start: int, length: int) -> bytes:
        """Return bytes of a pack, not verified; errors as `index`."""
        try:
            return self._backends[row.tier].get_range(row.name, start, length)
        except ObjectNotFoundError as missing:
            raise self._gone(row) from missing
        except CorruptionError as failure:
            raise CorruptionError(f"pack {describe(row)}: {failure}") from failure

    def _gone(self, row: PackRow) -> Exception:
        self._forget(row.id)
        if self._pack_row(row.id) is None:
            return PackGoneError(row.id)
        return CorruptionError(f"pack {describe(row)} is missing")

    def name(self, pack: int) -> str:
        """Return what a pack is called in messages."""
        row = self._pack_row(pack)
        return describe(row) if row is not None else str(pack)

    # -- room ------------------------------------------------------------------------------------------------

    def forget(self, pack: int) -> None:
        """Drop the index of a pack."""
        with self._lock:
            cached = self._indexes.pop(pack, None)
            if cached is not None:
                self._index_bytes -= cached[1].ram_bytes

    def rest(self) -> None:
        """Let go of every index; they are read again when needed."""
        with self._lock:
            self._indexes.clear()
            self._index_bytes = 0

    @property
    def ram_bytes(self) -> int:
        """RAM of cached indexes."""
        return self._index_bytes + 200 * len(self._indexes)


def describe(row: PackRow) -> str:
    """Return what a pack is called in messages: its name and its tier."""
    return f"{row.name} in the {TIERS[row.tier].value} tier"
