"""Disposal: removes objects from the tiers, packs that died and packs that a crash left without an owner.

Only objects that the catalog has committed as dead, or never named, are touched. In a remote tier the owner's right to
it is checked before each batch, and a pack stays until a backup that no longer names it is durable: whoever restores
from the last backup finds every pack of it.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from stratakv.engine.catalog_changes import PACK
from stratakv.engine.packs import pack_prefix
from stratakv.engine.records import TIERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

BATCH = 1000
"""Objects in one batch: as many as S3 deletes with one request."""


class Disposal:
    """Removes what is dead.

    Args:
        parts: The store's pieces.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._grace = parts.config.storage.grace_seconds
        self._scrubbed: set[int] = set()

    def run(self, tier: int, pause: Callable[[], None], *, settle: bool) -> None:
        """Remove a tier's dead packs past their grace period, and what a crash left, once after each opening."""
        self._remove_doomed(tier, pause, settle=settle)
        if settle or tier not in self._scrubbed:
            self.remove_orphans(tier)
            self._scrubbed.add(tier)

    def suspect(self, tier: int) -> None:
        """Have the next run look again for what a failure left."""
        self._scrubbed.discard(tier)

    def _remove_doomed(self, tier: int, pause: Callable[[], None], *, settle: bool) -> None:
        parts = self._parts
        before, after = parts.wall() - (0 if settle else int(self._grace)), ""
        while True:
            rows = parts.catalog.rows(
                "SELECT name FROM doomed WHERE tier = ? AND since <= ? AND name > ? AND NOT EXISTS "
                "(SELECT 1 FROM changed WHERE kind = ? AND id = CAST(name AS BLOB)) ORDER BY name LIMIT ?",
                (tier, before, after, PACK, BATCH),
            )
            names = [row[0] for row in rows]
            if not names:
                return
            after = names[-1]
            granted = self._granted(tier, names)
            parts.backends[tier].delete_many(granted)
            parts.at_point("collection-deleted")
            with parts.catalog.write(parts.wall()) as transaction:
                for name in granted:
                    transaction.forget_doomed(tier, name)
            pause()

    def _granted(self, tier: int, names: list[str]) -> list[str]:
        claim = self._parts.claim
        if claim is None or not self._parts.backends[tier].remote:
            return names
        claim.check()
        granted = [name for name in names if claim.grants(name)]
        if len(granted) < len(names):
            log.info("%d dead packs that another directory wrote stay for now", len(names) - len(granted))
        return granted

    def remove_orphans(self, tier: int) -> int:
        """Remove packs that no transaction ever named: the store stopped between writing and committing them.

        The calling thread has no pack under way; what others have is spared.
        """
        parts = self._parts
        parts.under_way.pop(threading.get_ident(), None)
        if self._lacks_packs(tier):
            # The catalog may have lost its last transactions, then an orphan is the only copy left; or a list lags.
            log.warning("packs are missing: nothing without an owner is removed from the %s tier", TIERS[tier].value)
            return 0
        found = {info.name for info in parts.backends[tier].list(pack_prefix(parts.store_id))}
        # In this order: a pack leaves this set only after its commit, which the catalog then shows.
        writing = {name for names in list(parts.under_way.values()) for name in list(names)}
        named = self._named(tier)
        doomed = {row[0] for row in parts.catalog.rows("SELECT name FROM doomed WHERE tier = ?", (tier,))}
        orphans = sorted(found - named - doomed - writing)
        if parts.claim is not None and parts.backends[tier].remote and orphans:
            parts.claim.check()
            orphans = [name for name in orphans if parts.claim.wrote(name)]
        if orphans:
            # A commit that failed may still be on the medium and come back after a crash; this one supersedes it.
            with parts.catalog.write(parts.wall()) as transaction:
                transaction.set_meta("scrubbed", parts.wall())
        for start in range(0, len(orphans), BATCH):
            parts.backends[tier].delete_many(orphans[start : start + BATCH])
        return len(orphans)

    def _lacks_packs(self, tier: int) -> bool:
        """Tell whether a pack that the catalog names is not there; a remote tier is not asked for another's sake."""
        for other, backend in self._parts.backends.items():
            if other == tier or not backend.remote:
                before = self._named(other)
                found = {info.name for info in backend.list(pack_prefix(self._parts.store_id))}
                if not before & self._named(other) <= found:
                    return True
        return False

    def _named(self, tier: int) -> set[str]:
        return {row[0] for row in self._parts.catalog.rows("SELECT name FROM packs WHERE tier = ?", (tier,))}
