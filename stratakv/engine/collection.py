"""Collection: takes out of the catalog what nothing refers to and what is past its time.

Deletion runs in the reverse order of writing, each step committed before the next: key rows, then blob rows without
references after their grace period, then packs without live blobs; their objects are `disposal`'s.
Only what was stored with a ttl or as prunable is removed by time, and not at all while the wall clock is in doubt.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from stratakv.engine.catalog_rows import whole_digest
from stratakv.engine.records import decode_key
from stratakv.engine.telemetry import COLLECTED, EXPIRED

if TYPE_CHECKING:
    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

BATCH = 5000
CLOCK_DOUBT_SECONDS = 86_400

ConfirmGone = Callable[[str], bool]
"""Asks the wrapped engine to delete its copy of a key; True once it has none."""


class Collection:
    """Collects what is due.

    Args:
        parts: The store's pieces.
        confirm_gone: What a wrapped engine has to say before a deleted or expired key may be forgotten.

    Attributes:
        pruning_paused: Why removal by time is suspended, or None.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.confirm_gone: ConfirmGone | None = None
        self.pruning_paused: str | None = None
        self._grace = parts.config.storage.grace_seconds
        self._wall_at_start = parts.clock.now()
        self._monotonic_at_start = parts.clock.monotonic()

    def run(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Remove everything that is due; with `settle` grace periods count as elapsed."""
        self._watch_clock()
        if self.pruning_paused is None:
            self._remove_expired(pause)
            self._prune(pause)
        self._confirm_tombstones(pause)
        self._remove_dead_blobs(pause, settle=settle)
        with self._parts.shelf.removals:
            self._doom_empty_packs()
        self._remove_dictionaries(settle=settle)

    def _watch_clock(self) -> None:
        parts = self._parts
        wall = parts.clock.now() - self._wall_at_start
        drift = wall - (parts.clock.monotonic() - self._monotonic_at_start)
        if abs(drift) > CLOCK_DOUBT_SECONDS:
            self.pruning_paused = (
                f"the wall clock moved by {drift / 86400:.1f} days against the monotonic clock: nothing is removed by "
                f"age until it agrees again or the store is reopened"
            )
        else:
            self.pruning_paused = None

    # -- by time ---------------------------------------------------------------------------------------------

    def _remove_expired(self, pause: Callable[[], None]) -> None:
        while True:
            now = self._parts.wall_ms()
            keys = self._parts.catalog.expired_keys(now, BATCH)
            removed = self._remove_keys(keys, now)
            pause()
            if removed < len(keys) or len(keys) < BATCH:
                return

    def _prune(self, pause: Callable[[], None]) -> None:
        parts = self._parts
        for name in parts.labels.prunable_names:
            days = parts.config.effective_prune_days(name)
            moment = parts.wall_ms() - int(days * 86_400_000)
            for number in parts.labels.numbers(name):
                while True:
                    keys = parts.catalog.keys_written_before(moment, number, BATCH)
                    removed = self._remove_keys(keys, None)
                    pause()
                    if removed < len(keys) or len(keys) < BATCH:
                        break

    def _remove_keys(self, keys: list[bytes], expired_at: int | None) -> int:
        """Remove key rows that no newer write shadows, once a wrapped engine has let go of them."""
        parts = self._parts
        gone = []
        for stored in keys:
            key = decode_key(stored)
            if parts.dirty.get(key) is None and (self.confirm_gone is None or self.confirm_gone(key)):
                gone.append(stored)
        if not gone:
            return 0
        with parts.catalog.write(parts.wall()) as transaction:
            removed = transaction.remove_keys(gone)
        parts.removals += 1
        for stored in gone:
            key = decode_key(stored)
            parts.pins.pop(key, None)
            record = parts.dirty.get(key)
            if record is None:
                # RAM must not go on offering a content that the catalog is about to forget.
                parts.hot.remove(key)
            elif record.pin:  # stored again meanwhile
                parts.pins[key] = record.pin
        if expired_at is not None:
            parts.counters.add(EXPIRED, removed)
        return removed

    def _confirm_tombstones(self, pause: Callable[[], None]) -> None:
        if self.confirm_gone is None:
            return
        tombstones = self._parts.catalog.tombstones(BATCH)
        if tombstones:
            self._remove_keys(tombstones, None)
            pause()

    # -- by reference ----------------------------------------------------------------------------------------

    def _remove_dead_blobs(self, pause: Callable[[], None], *, settle: bool) -> None:
        parts = self._parts
        before = parts.wall() - (0 if settle else int(self._grace))
        start = -(1 << 63)
        while True:
            rows = parts.catalog.rows(
                "SELECT d.blob, b.digest FROM dead d JOIN blobs b ON b.id = d.blob WHERE d.since <= ? AND d.blob > ? "
                "ORDER BY d.blob LIMIT ?",
                (before, start, BATCH),
            )
            if not rows:
                return
            start = rows[-1][0]
            by_digest = {whole_digest(number, stored): number for number, stored in rows}
            free = parts.dirty.condemn(set(by_digest))
            parts.at_point("collection-condemned")
            try:
                with parts.catalog.write(parts.wall()) as transaction:
                    removed = transaction.remove_blobs(by_digest[digest] for digest in free)
            finally:
                parts.dirty.pardon()
            parts.at_point("collection-committed")
            parts.counters.add(COLLECTED, removed)
            pause()

    def _doom_empty_packs(self) -> None:
        parts = self._parts
        empty = parts.catalog.packs("live_blobs = 0")
        if not empty:
            return
        with parts.catalog.write(parts.wall()) as transaction:
            transaction.doom_packs([pack.id for pack in empty], parts.wall())
        for pack in empty:
            parts.shelf.forget(pack.id)

    def _remove_dictionaries(self, *, settle: bool) -> None:
        """Remove dictionaries and rotations that no pack, journaled payload or blob in RAM needs, nor any new one."""
        parts = self._parts
        before = parts.wall() - (0 if settle else int(self._grace))
        rows = parts.catalog.rows(
            "SELECT id FROM dictionaries WHERE created <= ? AND id NOT IN (SELECT dictionary FROM pack_dictionaries)",
            (before,),
        )
        if not rows:
            return
        with parts.dirty.lock:
            generations = (parts.dirty.current, parts.dirty.frozen)
            needed = {blob.dictionary for g in generations if g is not None for blob in g.blobs.values()}
        needed |= parts.hot.dictionaries()
        loaded = parts.dictionaries.ids()  # not those found damaged
        needed |= {parts.dictionaries.current(parts.dictionaries.namespace_of(number)) for number in loaded}
        needed |= parts.compression.rotations.in_use()
        unneeded = [number for (number,) in rows if number not in needed]
        if unneeded:
            with parts.catalog.write(parts.wall()) as transaction:
                for number in unneeded:
                    transaction.remove_dictionary(number)
            for number in unneeded:
                parts.dictionaries.discard(number)
                parts.compression.rotations.discard(number)
