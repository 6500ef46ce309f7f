"""Movement: blobs between warm and cold, and keys out of RAM.

Owns which blobs travel and in what order things happen: copy into new packs, commit the new places, and only then is
the old copy dead. What decides is idle time, access counts, pins, asked-for moves and the warm tier's capacity.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.catalog_rows import whole_digest
from stratakv.engine.naming import CarriedNames, current_names
from stratakv.engine.pack_source import PackGoneError
from stratakv.engine.pack_writer import open_pack_writer
from stratakv.engine.records import IN_COLD, IN_HOT, IN_WARM
from stratakv.engine.telemetry import CORRUPTIONS, DEMOTIONS, PROMOTIONS
from stratakv.engine.usage import NEVER_READ, Usage, pinned_tiers
from stratakv.engine.watch import content_hash
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.policies.tuning.verdict import HOT, WARM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.hot_entries import HotEntry
    from stratakv.engine.pack_names import Name
    from stratakv.engine.pack_writer import WrittenPack
    from stratakv.engine.parts import Parts
    from stratakv.engine.shelf import PackedBlob

BATCH = 128
BATCH_BYTES = 4 << 20
"""So much is looked up in the catalog at once: a longer batch would hold the interpreter longer than a slice."""

log = logging.getLogger("stratakv")


class LiveBlob(NamedTuple):
    """A blob of a pack that the catalog places there."""

    number: int
    digest: bytes
    namespace: int
    plaintext: bytes
    names: Sequence[Name] = ()
    run: bool = False


def live_blobs(parts: Parts, pack: PackRow) -> Iterator[LiveBlob]:
    """Yield a pack's live blobs in order. A pack's own list says what lies in it, the catalog what of it is live.

    What is damaged, or needs a library that is missing, is noted and passed over: it stays where it is, and the rest of
    the work goes on.
    """
    batch: list[tuple[bytes, PackedBlob]] = []
    size = 0

    def live() -> Iterator[LiveBlob]:
        found = parts.catalog.find_blobs(digest for digest, _ in batch)
        for digest, blob in batch:
            row = found.get(digest)
            if row is not None and row.place[:3] == (pack.id, blob.block, blob.offset):
                names = current_names(parts, row.blob, blob.names)
                yield LiveBlob(row.blob, digest, blob.namespace, blob.plaintext, names, blob.run)

    def on_damage(failure: CorruptionError, block: int | None) -> None:
        note_damage(parts, pack, block, failure)

    try:
        for blob in parts.shelf.blobs(pack.id, on_damage):
            batch.append((parts.shelf.digest(blob.plaintext, blob.namespace), blob))
            size += len(blob.plaintext)
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield from live()
                batch.clear()
                size = 0
    except ConfigurationError as lacking:
        log.warning("background work leaves pack %s as it is: %s", pack.name, lacking)
        parts.sick_packs.add(pack.id)
    except PackGoneError:
        return  # the other worker emptied it meanwhile: nothing lives there
    yield from live()


def note_damage(parts: Parts, pack: PackRow, block: int | None, failure: CorruptionError) -> None:
    """Have what a damaged block (None: all blocks) holds healed by its next store; work leaves the pack alone."""
    log.warning("background work met damage and went on: %s", failure)
    parts.counters.add(CORRUPTIONS)
    parts.sick_packs.add(pack.id)
    for number, stored, lies_in in parts.catalog.rows("SELECT id, digest, block FROM blobs WHERE pack = ?", (pack.id,)):
        if block is None or lies_in == block:
            parts.dirty.mark_damaged(whole_digest(number, stored))


def note_leaving(parts: Parts, key: str, entry: HotEntry) -> None:
    """An entry is about to leave RAM: remember how often it was used there, and that coming back soon is a regret."""
    content = content_hash(entry.blob.digest)
    now = parts.clock.monotonic()
    parts.admission.left_ram(content, entry.uses, now - entry.used)
    regrets = parts.regrets[HOT]
    if entry.uses:
        regrets.read_above(content)
    even = parts.placement.break_even(IN_HOT, entry.namespace, entry.bytes_as(key))
    regrets.moved_down(content, now + even)


class Movement:
    """Moves what is due.

    Attributes:
        slack: By how many bytes warm may be over its capacity before it must not grow.
        demoted: How many blobs it has moved into cold.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        tiered = parts.config.tiered_storage
        self._enabled = parts.config.enable_tiered_storage and tiered.enabled
        self._warm_capacity = None if tiered.warm_capacity_mb is None else int(tiered.warm_capacity_mb * 1024 * 1024)
        parts.hot.on_leave = lambda key, entry: note_leaving(parts, key, entry)
        self.slack = int(parts.config.storage.pack_size_mb * 1024 * 1024)
        self.demoted = 0

    def run(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Move below RAM everything that is due; with `settle` idle times count as elapsed."""
        if not self._enabled:
            return
        self._asked_moves(pause)
        if not settle:
            self._promote(pause)
        self._demote(pause, settle=settle)

    def leave_hot(self, *, settle: bool) -> None:
        """Let go in RAM of what is idle; needs no other tier."""
        if not self._enabled:
            return
        parts = self._parts
        now = parts.clock.monotonic()
        placement = parts.placement
        moment = now + 1 if settle else now - placement.shortest(IN_HOT)
        offset = parts.clock.now() - now
        for key, entry in parts.hot.used_before(moment):
            if not settle:
                if entry.used >= now - placement.seconds(IN_HOT, entry.namespace, entry.bytes_as(key), entry.uses):
                    continue
                self._note_use(parts.catalog.blob_number(entry.blob.digest), int(entry.used + offset))
            note_leaving(parts, key, entry)
            parts.hot.remove(key)
            parts.counters.add(DEMOTIONS, 1)

    def _note_use(self, number: int, last: int) -> None:
        """Remember below RAM when a content was last used, or it would count as idle since it was packed."""
        parts = self._parts
        touched = parts.touched.get(number)
        if touched is None:
            rows = parts.catalog.rows("SELECT last, count FROM accesses WHERE blob = ?", (number,))
            touched = rows[0] if rows else (0, 0)
        parts.touched[number] = (max(last, touched[0]), touched[1])

    def excess(self) -> int:
        """Return by how many bytes what lives in warm is over its capacity.

        Dead space does not count: it is for compaction to give back, and moving more of what lives would not.
        """
        return self._beyond_capacity("bytes * live / max(1, plaintext)")

    def is_overgrown(self) -> bool:
        """Tell whether warm is over its capacity, dead space included."""
        return self._beyond_capacity("bytes") > 0

    def _beyond_capacity(self, held: str) -> int:
        if self._warm_capacity is None or not self._enabled:
            return 0
        rows = self._parts.catalog.rows(
            f"SELECT coalesce(sum({held}), 0) FROM packs WHERE tier = ?",  # noqa: S608 -- constants
            (IN_WARM,),
        )
        return int(rows[0][0]) - self._warm_capacity

    # -- down ------------------------------------------------------------------------------------------------

    def _demote(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Move idle blobs into cold, and where warm is over its capacity the coldest of the others as well."""
        parts = self._parts
        now = parts.wall()
        packs = [pack for pack in parts.catalog.packs("tier = ?", (IN_WARM,)) if pack.id not in parts.sick_packs]
        if not packs:
            return
        usage = Usage(parts)
        excess = self.excess()
        placement = parts.placement
        idle_since = float("inf") if settle else now - placement.shortest(IN_WARM)
        squeezed = usage.coldest(packs, excess, pause) if excess > 0 and not settle else 0
        latest = max(idle_since, squeezed)
        due = [pack for pack in packs if pack.created <= latest and (pack.due <= now or settle or excess > 0)]
        if not due:
            return
        writer = open_pack_writer(parts, IN_COLD, pause)
        sources = frozenset(pack.id for pack in due)
        look_again: dict[int, int] = {}
        freed = 0.0
        for pack in sorted(due, key=lambda pack: pack.created):
            reads = usage.reads(pack)
            for blob in live_blobs(parts, pack):
                pause()
                last = usage.last(blob.number, blob.digest, pack, reads)
                size = len(blob.plaintext) * pack.length / max(1, pack.plaintext)
                uses = reads.get(blob.number, NEVER_READ)[1]
                stays = placement.seconds(IN_WARM, blob.namespace, int(size), uses)
                leaves = last + stays
                # Many may have been used last in the same second: no more of them go than have to.
                idle = leaves <= now and not parts.admission.is_used(content_hash(blob.digest), stays)
                gives_way = settle or idle or (last <= squeezed and freed < excess)
                if gives_way and usage.may_go_cold(blob.digest):
                    freed += size
                    until = parts.clock.monotonic() + placement.break_even(IN_WARM, blob.namespace, int(size))
                    parts.regrets[WARM].moved_down(content_hash(blob.digest), until)
                    writer.add(blob.namespace, blob.digest, blob.plaintext, blob.names, run=blob.run)
                    self._commit(writer.take(), sources, DEMOTIONS, point="demote")
                else:
                    until = max(math.ceil(leaves), now + 1)
                    look_again[pack.id] = min(look_again.get(pack.id, until), until)
        self._commit(writer.finish(), sources, DEMOTIONS, point="demote")
        with parts.catalog.write(now) as transaction:
            for pack_id, until in look_again.items():
                transaction.set_due(pack_id, until)

    # -- up, and where the caller asked ----------------------------------------------------------------------

    def _promote(self, pause: Callable[[], None]) -> None:
        parts = self._parts
        wanted, parts.wanted_warm = parts.wanted_warm, set()
        found = parts.catalog.find_blobs(wanted)
        for digest in found:
            parts.regrets[WARM].moved_up(content_hash(digest), parts.clock.monotonic())
        self._carry([blob.blob for blob in found.values() if blob.tier == IN_COLD], IN_WARM, pause)

    def _asked_moves(self, pause: Callable[[], None]) -> None:
        parts = self._parts
        asked = [(row[0], row[1]) for row in parts.catalog.rows("SELECT blob, tier FROM moves")]
        for number, tier in asked:
            if tier == IN_WARM:
                self._note_use(number, parts.wall())  # or the idle rule would undo at once what was asked for
        pinned = pinned_tiers(parts) if parts.pins else {}
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
            self._carry(allowed, tier, pause)
        if asked:  # what did not travel lies there already, is pinned elsewhere, or is gone
            with parts.catalog.write(parts.wall()) as transaction:
                transaction.forget_moves(asked)

    def _carry(self, numbers: Iterable[int], tier: int, pause: Callable[[], None]) -> None:
        """Copy blobs into packs of a tier and commit their new places."""
        parts = self._parts
        places = [blob for number in numbers for blob in parts.catalog.blobs_by_number(number)]
        if not places:
            return
        writer = open_pack_writer(parts, tier, pause)
        sources = frozenset(blob.place.pack for blob in places)
        counter = PROMOTIONS if tier == IN_WARM else DEMOTIONS
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
            except PackGoneError:
                continue  # somebody else moved it since it was looked up
            except ConfigurationError as lacking:
                log.warning("a value stays where it is: %s", lacking)
                continue
            writer.add(blob.namespace, blob.digest, plaintext, names.of(blob))
            self._commit(writer.take(), sources, counter, point="carry")
            pause()
        self._commit(writer.finish(), sources, counter, point="carry")

    def _commit(self, written: list[WrittenPack], sources: frozenset[int], counter: int, *, point: str) -> None:
        """Commit packs that lie whole in their tier: what was moved stays moved, whatever becomes of the rest."""
        if not written:
            return
        parts = self._parts
        parts.at_point(f"{point}-packed")
        moved = [blob[0] for pack in written for blob in pack.blobs]
        tier = written[0].tier
        with parts.catalog.write(parts.wall()) as transaction:
            for pack in written:
                pack.record(transaction, parts.wall(), sources)
            numbers = [transaction.number(digest) for digest in moved]
            transaction.forget_accesses(numbers)
            transaction.forget_moves((number, tier) for number in numbers)
        for number in numbers:
            parts.touched.pop(number, None)
        parts.committed()
        parts.at_point(f"{point}-committed")
        parts.counters.add(counter, len(moved))
        if tier == IN_COLD:
            self.demoted += len(moved)
