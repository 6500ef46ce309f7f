"""Compaction: gives dead space in packs back, and gathers many small packs into few.

Copies the live blobs of a pack into a new one of the same tier, commits their places, and leaves the old pack empty for
collection. A pack is worth it when less than half of it is live, when something in it has been dead for longer than
`erase_within`, or when it is one of many small ones. In a remote tier dead space must also cost more than removing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.movement import LiveBlob, live_blobs
from stratakv.engine.pack_writer import open_pack_writer
from stratakv.engine.records import IN_WARM
from stratakv.engine.telemetry import COMPACTIONS
from stratakv.errors import CapacityError
from stratakv.policies.compaction_price import CompactionPrices, pays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.parts import Parts

LEAST_LIVE = 0.5
"""A pack of which less is live is compacted."""

LEAST_LIVE_UNDER_PRESSURE = 0.9
"""The same of warm packs while warm is over its capacity: their dead space is what keeps it there."""

SORTED_BYTES = 16 << 20

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
        self._warm_capacity = parts.config.tiered_storage.warm_capacity_mb
        prices = parts.config.adaptive.prices
        self._prices = CompactionPrices(
            prices.object_gb_month, prices.put_per_1000, prices.get_per_1000, prices.transfer_gb
        )

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
        far = self._parts.backends[tier].remote
        least_live = LEAST_LIVE_UNDER_PRESSURE if tier == IN_WARM and self._is_over_capacity(packs) else LEAST_LIVE
        due = [
            pack
            for pack in packs
            if (pack.live < least_live * pack.plaintext and (not far or self._pays(pack)))
            or (pack.dead_since is not None and pack.dead_since <= latest_death)
        ]
        if far and not settle:
            return due  # small packs cost nothing there, and gathering them does
        chosen = {pack.id for pack in due}
        small = [pack for pack in packs if pack.length < self._pack_bytes * SMALL_SHARE and pack.id not in chosen]
        if len(small) >= (2 if settle else MANY_SMALL):
            due += small
        return due

    def _is_over_capacity(self, packs: list[PackRow]) -> bool:
        if self._warm_capacity is None:
            return False
        return sum(pack.length for pack in packs) > self._warm_capacity * 1024 * 1024

    def _pays(self, pack: PackRow) -> bool:
        return pays(self._prices, pack.length, pack.live / max(1, pack.plaintext), self._pack_bytes)

    def _in_order(self, packs: list[PackRow]) -> Iterator[LiveBlob]:
        """Yield the live blobs of some packs; by namespace, so that blocks are full, where that fits into RAM."""
        blobs = (blob for pack in packs for blob in live_blobs(self._parts, pack))
        if sum(pack.live for pack in packs) > SORTED_BYTES:
            return blobs
        return iter(sorted(blobs, key=lambda blob: blob.namespace))

    def _compact(self, tier: int, packs: list[PackRow], pause: Callable[[], None]) -> None:
        parts = self._parts
        writer = open_pack_writer(parts, tier, pause)
        for blob in self._in_order(packs):
            writer.add(blob.namespace, blob.digest, blob.plaintext, blob.names, run=blob.run)
            pause()
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
