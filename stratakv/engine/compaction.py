"""Compaction: gives dead space in packs back, and gathers many small packs into few.

Copies the live blobs of a pack into a new one of the same tier, commits their places, and leaves the old pack empty for
collection. A pack is worth it when less than half of it is live, when something in it has been dead for longer than
`erase_within`, or when it is one of many small ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.movement import LiveBlob, live_blobs
from stratakv.engine.pack_writer import open_pack_writer
from stratakv.engine.telemetry import COMPACTIONS
from stratakv.errors import CapacityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.parts import Parts

SMALL_SHARE = 0.25
"""A pack below this share of the wanted size is small."""
MANY_SMALL = 8


class Compaction:
    """Compacts what is due."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        storage = parts.config.storage
        self._erase_within = int(storage.erase_within_days * 86400)
        self._pack_bytes = int(storage.pack_size_mb * 1024 * 1024)

    def run(self, tier: int, pause: Callable[[], None], *, settle: bool) -> None:
        """Compact a tier; with `settle` any dead byte is old enough and two small packs are many."""
        group: list[PackRow] = []
        for pack in self._due(tier, settle=settle):
            group.append(pack)
            if sum(member.length for member in group) >= 2 * self._pack_bytes:
                self._compact_group(tier, group, pause)
                group = []
        if group:
            self._compact_group(tier, group, pause)

    def _compact_group(self, tier: int, packs: list[PackRow], pause: Callable[[], None]) -> None:
        try:
            self._compact(tier, packs, pause)
        except CapacityError:
            if len(packs) == 1:
                raise
            # The one with the least to copy needs the least room, and what it frees serves the next.
            self._compact(tier, [min(packs, key=lambda pack: pack.live)], pause)

    def _due(self, tier: int, *, settle: bool) -> list[PackRow]:
        packs = self._parts.catalog.packs("tier = ? AND live_blobs > 0", (tier,))
        packs = [pack for pack in packs if pack.id not in self._parts.sick_packs]
        latest_death = self._parts.wall() - (0 if settle else self._erase_within)
        due = [
            pack
            for pack in packs
            if pack.live * 2 < pack.plaintext or (pack.dead_since is not None and pack.dead_since <= latest_death)
        ]
        chosen = {pack.id for pack in due}
        small = [pack for pack in packs if pack.length < self._pack_bytes * SMALL_SHARE and pack.id not in chosen]
        if len(small) >= (2 if settle else MANY_SMALL):
            due += small
        return due

    def _compact(self, tier: int, packs: list[PackRow], pause: Callable[[], None]) -> None:
        parts = self._parts
        writer = open_pack_writer(parts, tier, pause)
        blobs: list[LiveBlob] = []
        for pack in packs:
            blobs += live_blobs(parts, pack)
            pause()
        for blob in sorted(blobs, key=lambda blob: blob.namespace):
            writer.add(blob.namespace, blob.digest, blob.plaintext, blob.names)
        written = writer.finish()
        parts.at_point("compaction-packed")
        # The copies are as old as the youngest of what they replace: compaction is not a use.
        created = max(pack.created for pack in packs)
        with parts.catalog.write(parts.wall()) as transaction:
            for pack_written in written:
                pack_written.record(transaction, created, frozenset(pack.id for pack in packs))
        parts.committed()
        parts.at_point("compaction-committed")
        parts.counters.add(COMPACTIONS, len(packs))
