"""Upkeep on request: collection and compaction of an open store, and what each of them changed, measured.

Owns the measuring. What is removed or rewritten, and in which order, is `collection.py`'s and `compaction.py`'s; when
they run is the mover's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.packs import pack_prefix
from stratakv.engine.records import IN_COLD, IN_WARM
from stratakv.engine.telemetry import COLLECTED, COMPACTIONS, EXPIRED
from stratakv.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.mover import Mover
    from stratakv.engine.store import Store


def _nothing() -> None:
    """Nobody watches."""


def collect(store: Store, *, now: bool = False, on_step: Callable[[], None] = _nothing) -> dict[str, int]:
    """Remove expired and prunable keys, contents that nothing names, emptied packs, and what a crash left behind.

    Args:
        store: Open for writing.
        now: Treat grace periods as elapsed. Time to live and prunable age are kept to in any case.
        on_step: Called after each piece of work.

    Returns:
        `keys_expired`, `keys_pruned`, `contents`, `packs`: what was removed. `disk_bytes_before`, `disk_bytes_after`:
        the store on disk. `contents_waiting`, `pack_bytes_waiting`: what a grace period still keeps.
        `dead_bytes_in_packs`: about what compaction could give back.

    Raises:
        ClosedError: The store is closed or was opened for reading.
        StrataError: The disk is full, a tier cannot be reached, or something is damaged.
    """
    mover = _mover(store)
    before = _measured(store)
    mover.collect(on_step, settle=now, compact=False)
    after = _measured(store)
    expired = after["expired"] - before["expired"]
    return {
        "keys_expired": expired,
        "keys_pruned": max(0, before["keys"] - after["keys"] - expired),
        "contents": after["collected"] - before["collected"],
        "packs": before["packs"] - after["packs"],
        "disk_bytes_before": before["disk_bytes"],
        "disk_bytes_after": after["disk_bytes"],
        **_waiting(store),
    }


def compact(store: Store, *, everything: bool = False, on_step: Callable[[], None] = _nothing) -> dict[str, int]:
    """Rewrite packs with much or old dead space and many small ones, and give the catalog's free pages back.

    Args:
        store: Open for writing.
        everything: Take every pack with a dead byte and any two small ones, and treat grace periods as elapsed.
        on_step: Called after each piece of work.

    Returns:
        `packs_compacted`, `packs_before`, `packs_after`, `disk_bytes_before`, `disk_bytes_after`,
        `catalog_bytes_before`, `catalog_bytes_after`, and what waits as in `collect`.

    Raises:
        ClosedError: The store is closed or was opened for reading.
        StrataError: The disk is full, a tier cannot be reached, or something is damaged.
    """
    mover = _mover(store)
    before = _measured(store)
    mover.collect(on_step, settle=everything, compact=True)
    store.parts.catalog.compact()
    after = _measured(store)
    return {
        "packs_compacted": after["compacted"] - before["compacted"],
        "packs_before": before["packs"],
        "packs_after": after["packs"],
        "disk_bytes_before": before["disk_bytes"],
        "disk_bytes_after": after["disk_bytes"],
        "catalog_bytes_before": before["catalog_bytes"],
        "catalog_bytes_after": after["catalog_bytes"],
        **_waiting(store),
    }


def _mover(store: Store) -> Mover:
    store.flush()  # refuses a store that is closed or open for reading
    if store.mover is None:
        raise ClosedError("the store has no background work")
    # What waits in the journal would otherwise count as having grown.
    store.mover.checkpoint()
    return store.mover


def _measured(store: Store) -> dict[str, int]:
    parts = store.parts
    # Logs of both databases grow with every change and say nothing about what the store holds.
    parts.catalog.compact(rewrite=False)
    parts.rest()
    sizes = store.statistics.sizes()
    return {
        "keys": parts.catalog.live_keys,
        "expired": parts.counters.total(EXPIRED),
        "collected": parts.counters.total(COLLECTED),
        "compacted": parts.counters.total(COMPACTIONS),
        "packs": sum(1 for tier in (IN_WARM, IN_COLD) for _ in parts.backends[tier].list(pack_prefix(parts.store_id))),
        "disk_bytes": sizes["disk_bytes"],
        "catalog_bytes": sizes["catalog_bytes"],
    }


def _waiting(store: Store) -> dict[str, int]:
    catalog = store.parts.catalog
    dead = sum(int(pack.length * (1 - pack.live / pack.plaintext)) for pack in catalog.packs() if pack.plaintext)
    ((contents,),) = catalog.rows("SELECT count(*) FROM dead")
    ((bytes_doomed,),) = catalog.rows("SELECT coalesce(sum(bytes), 0) FROM doomed")
    return {"contents_waiting": contents, "pack_bytes_waiting": bytes_doomed, "dead_bytes_in_packs": dead}
