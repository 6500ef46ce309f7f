"""Movement: blobs between warm and cold, and keys out of RAM.

Owns which blobs travel and in what order things happen: copy into new packs, commit the new places, and only then is
the old copy dead. What decides is idle time, access counts, pins, asked-for moves and the warm tier's capacity.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.catalog_rows import whole_digest
from stratakv.engine.naming import CarriedNames, current_names
from stratakv.engine.pack_writer import open_pack_writer
from stratakv.engine.records import IN_COLD, IN_WARM, encode_key
from stratakv.engine.telemetry import CORRUPTIONS, DEMOTIONS, PROMOTIONS
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.pack_names import Name
    from stratakv.engine.parts import Parts
    from stratakv.engine.shelf import PackedBlob

BATCH = 2048

log = logging.getLogger("stratakv")


class LiveBlob(NamedTuple):
    """A blob of a pack that the catalog places there."""

    number: int
    digest: bytes
    namespace: int
    plaintext: bytes
    names: Sequence[Name] = ()


def live_blobs(parts: Parts, pack: PackRow) -> Iterator[LiveBlob]:
    """Yield a pack's live blobs in order. A pack's own list says what lies in it, the catalog what of it is live.

    What is damaged, or needs a library that is missing, is noted and passed over: it stays where it is, and the rest of
    the work goes on.
    """
    batch: list[tuple[bytes, PackedBlob]] = []

    def live() -> Iterator[LiveBlob]:
        found = parts.catalog.find_blobs(digest for digest, _ in batch)
        for digest, blob in batch:
            row = found.get(digest)
            if row is not None and row.place[:3] == (pack.id, blob.block, blob.offset):
                names = current_names(parts, row.blob, blob.names)
                yield LiveBlob(row.blob, digest, blob.namespace, blob.plaintext, names)

    def on_damage(failure: CorruptionError, block: int | None) -> None:
        note_damage(parts, pack, block, failure)

    try:
        for blob in parts.shelf.blobs(pack.id, on_damage):
            batch.append((parts.shelf.digest(blob.plaintext, blob.namespace), blob))
            if len(batch) >= BATCH:
                yield from live()
                batch.clear()
    except ConfigurationError as lacking:
        log.warning("background work leaves pack %s as it is: %s", pack.name, lacking)
        parts.sick_packs.add(pack.id)
    yield from live()


def note_damage(parts: Parts, pack: PackRow, block: int | None, failure: CorruptionError) -> None:
    """Have what a damaged block (None: all blocks) holds healed by its next store; work leaves the pack alone."""
    log.warning("background work met damage and went on: %s", failure)
    parts.counters.add(CORRUPTIONS)
    parts.sick_packs.add(pack.id)
    for number, stored, lies_in in parts.catalog.rows("SELECT id, digest, block FROM blobs WHERE pack = ?", (pack.id,)):
        if block is None or lies_in == block:
            parts.dirty.mark_damaged(whole_digest(number, stored))


class Movement:
    """Moves what is due."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        tiered = parts.config.tiered_storage
        self._enabled = parts.config.enable_tiered_storage and tiered.enabled
        self._hot_idle = tiered.hot_to_warm_idle_hours * 3600
        self._warm_idle = tiered.warm_to_cold_idle_hours * 3600
        self._warm_capacity = None if tiered.warm_capacity_mb is None else int(tiered.warm_capacity_mb * 1024 * 1024)

    def run(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Do everything that is due; with `settle` idle times count as elapsed."""
        if not self._enabled:
            return
        self._leave_hot(settle=settle)
        self._asked_moves(pause)
        if not settle:
            self._promote(pause)
        self._demote(pause, settle=settle)

    # -- out of RAM ------------------------------------------------------------------------------------------

    def _leave_hot(self, *, settle: bool) -> None:
        parts = self._parts
        now = parts.clock.monotonic()
        moment = now + 1 if settle else now - self._hot_idle
        for key in parts.hot.idle_since(moment):
            parts.hot.remove(key)
            parts.counters.add(DEMOTIONS, 1)

    def _recently_hot(self) -> dict[bytes, float]:
        """Return for each content in RAM the wall time of its last use."""
        parts = self._parts
        offset = parts.clock.now() - parts.clock.monotonic()
        used: dict[bytes, float] = {}
        with parts.hot.lock:
            for entry in parts.hot.entries.values():
                digest = entry.blob.digest
                used[digest] = max(used.get(digest, 0.0), entry.used + offset)
        return used

    def _pinned_tiers(self) -> dict[bytes, int]:
        """Return for each pinned content the hottest tier that a key of it is pinned to."""
        parts = self._parts
        tiers: dict[bytes, int] = {}
        for key, pin in list(parts.pins.items()):
            record = parts.dirty.get(key)
            if record is not None:
                digest = record.digest
            else:
                found = parts.catalog.find(encode_key(key))
                digest = found.digest if found is not None else None
            if digest is not None:
                tiers[digest] = min(pin, tiers.get(digest, pin))
        return tiers

    # -- down ------------------------------------------------------------------------------------------------

    def _demote(self, pause: Callable[[], None], *, settle: bool) -> None:
        parts = self._parts
        now = parts.wall()
        due = parts.catalog.packs(
            "tier = ? AND due <= ? AND created <= ?",
            (IN_WARM, now, now) if not settle else (IN_WARM, 1 << 62, 1 << 62),
        )
        excess = self._excess()
        if not settle and excess <= 0:
            due = [pack for pack in due if pack.created + self._warm_idle <= now]
        due = [pack for pack in due if pack.id not in parts.sick_packs]
        if not due:
            return
        hot, pinned = self._recently_hot(), self._pinned_tiers()
        limit = int(parts.config.storage.pack_size_mb * 1024 * 1024)
        group: list[PackRow] = []
        for pack in due:
            group.append(pack)
            if sum(member.length for member in group) >= limit:
                excess -= self._demote_packs(group, hot, pinned, pause, settle=settle, squeeze=excess > 0)
                group = []
        if group:
            self._demote_packs(group, hot, pinned, pause, settle=settle, squeeze=excess > 0)

    def _excess(self) -> int:
        """Return by how many bytes warm is over its capacity."""
        if self._warm_capacity is None:
            return 0
        return sum(pack.length for pack in self._parts.catalog.packs("tier = ?", (IN_WARM,))) - self._warm_capacity

    def _demote_packs(
        self,
        packs: list[PackRow],
        hot: dict[bytes, float],
        pinned: dict[bytes, int],
        pause: Callable[[], None],
        *,
        settle: bool,
        squeeze: bool,
    ) -> int:
        """Move the idle blobs of some packs into cold; return the bytes of packs that are empty now."""
        parts = self._parts
        now = parts.wall()
        writer = open_pack_writer(parts, IN_COLD, pause)
        moved: list[int] = []
        stay_until: dict[int, int] = {}
        kept: set[int] = set()
        for pack in packs:
            accesses = self._accesses(pack)
            for blob in sorted(live_blobs(parts, pack), key=lambda blob: blob.namespace):
                pause()
                last = max(accesses.get(blob.number, pack.created), int(hot.get(blob.digest, 0)))
                idle = settle or squeeze or last + self._warm_idle <= now
                if idle and pinned.get(blob.digest, IN_COLD) == IN_COLD:
                    writer.add(blob.namespace, blob.digest, blob.plaintext, blob.names)
                    moved.append(blob.number)
                else:
                    kept.add(pack.id)
                    until = int(last + self._warm_idle) + 1
                    stay_until[pack.id] = min(stay_until.get(pack.id, until), until)
        written = writer.finish()
        parts.at_point("demote-packed")
        with parts.catalog.write(now) as transaction:
            for pack_written in written:
                pack_written.record(transaction, now)
            transaction.forget_accesses(moved)
            transaction.forget_moves(moved)
            for pack_id, until in stay_until.items():
                transaction.set_due(pack_id, max(until, now + 1))
        parts.at_point("demote-committed")
        parts.counters.add(DEMOTIONS, len(moved))
        return sum(pack.length for pack in packs if pack.id not in kept)

    def _accesses(self, pack: PackRow) -> dict[int, int]:
        """Return the wall time of the last read of those of a pack's blobs that were read."""
        rows = self._parts.catalog.rows(
            "SELECT a.blob, a.last FROM accesses a JOIN blobs b ON b.id = a.blob WHERE b.pack = ?", (pack.id,)
        )
        last = {row[0]: row[1] for row in rows}
        for number, (at, _) in list(self._parts.touched.items()):
            last[number] = max(at, last.get(number, 0))
        return last

    # -- up, and where the caller asked ----------------------------------------------------------------------

    def _promote(self, pause: Callable[[], None]) -> None:
        parts = self._parts
        wanted, parts.wanted_warm = parts.wanted_warm, set()
        found = parts.catalog.find_blobs(wanted)
        numbers = [blob.blob for blob in found.values() if blob.tier == IN_COLD]
        parts.counters.add(PROMOTIONS, self._carry(numbers, IN_WARM, pause))

    def _asked_moves(self, pause: Callable[[], None]) -> None:
        parts = self._parts
        pinned = self._pinned_tiers() if parts.pins else {}
        for tier in (IN_WARM, IN_COLD):
            rows = parts.catalog.rows(
                "SELECT m.blob, b.digest FROM moves m JOIN blobs b ON b.id = m.blob JOIN packs p ON p.id = b.pack "
                "WHERE m.tier = ? AND p.tier <> ?",
                (tier, tier),
            )
            allowed = {number for number, _ in rows}
            if tier == IN_COLD:
                allowed -= {parts.catalog.blob_number(digest) for digest, pin in pinned.items() if pin != IN_COLD}
            else:
                # A key that shares the content may have taken it to cold, or asked for that, since it was pinned here.
                held = parts.catalog.find_blobs(digest for digest, pin in pinned.items() if pin == IN_WARM)
                allowed |= {blob.blob for blob in held.values() if blob.tier == IN_COLD}
            carried = self._carry(allowed, tier, pause)
            parts.counters.add(PROMOTIONS if tier == IN_WARM else DEMOTIONS, carried)
        void = [row[0] for row in parts.catalog.rows("SELECT blob FROM moves")]
        if void:
            with parts.catalog.write(parts.wall()) as transaction:
                transaction.forget_moves(void)

    def _carry(self, numbers: Iterable[int], tier: int, pause: Callable[[], None]) -> int:
        """Copy blobs into packs of a tier and commit their new places."""
        parts = self._parts
        numbers = list(numbers)
        if not numbers:
            return 0
        places = []
        for number in numbers:
            places += parts.catalog.blobs_by_number(number)
        writer = open_pack_writer(parts, tier, pause)
        places.sort(key=lambda blob: (blob.namespace, blob.place))
        names = CarriedNames(parts, places)
        for blob in parts.shelf.ahead(places, lambda blob: blob.place, names=parts.packs_tell_keys):
            try:
                plaintext = parts.shelf.read(blob.place, blob.digest, blob.namespace)
            except CorruptionError as failure:
                log.warning("a value stays where it is: %s", failure)
                parts.counters.add(CORRUPTIONS)
                parts.dirty.mark_damaged(blob.digest)
                continue
            except ConfigurationError as lacking:
                log.warning("a value stays where it is: %s", lacking)
                continue
            writer.add(blob.namespace, blob.digest, plaintext, names.of(blob))
            pause()
        written = writer.finish()
        parts.at_point("carry-packed")
        with parts.catalog.write(parts.wall()) as transaction:
            for pack in written:
                pack.record(transaction, parts.wall())
            transaction.forget_accesses(numbers)
            transaction.forget_moves(numbers)
        for number in numbers:
            parts.touched.pop(number, None)
        parts.at_point("carry-committed")
        return len(places)
