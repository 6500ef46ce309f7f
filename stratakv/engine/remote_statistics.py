"""What the statistics say of the cold tier as a place far away: its health, its owner, its backups and its bill.

Asks the tier nothing: bytes are those that the catalog committed, requests those that the backend counted.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stratakv.engine.guarded import GuardedBackend
from stratakv.engine.records import IN_COLD

if TYPE_CHECKING:
    from stratakv.engine.manifest import Manifest
    from stratakv.engine.parts import Parts

SECONDS_PER_MONTH = 30 * 86_400
GB = 1e9
LEAST_SECONDS = 600.0
"""A shorter time says nothing of a month."""


def remote_bytes(parts: Parts) -> int:
    """Return the bytes of a remote cold tier as the catalog knows them: packs, dead ones too, backup and manifest."""
    ((packs,),) = parts.catalog.rows("SELECT coalesce(sum(bytes), 0) FROM packs WHERE tier = ?", (IN_COLD,))
    ((dead,),) = parts.catalog.rows("SELECT coalesce(sum(bytes), 0) FROM doomed WHERE tier = ?", (IN_COLD,))
    ((dictionaries,),) = parts.catalog.rows("SELECT coalesce(sum(length(content)), 0) FROM dictionaries")
    saved = parts.catalog.meta("backup")
    backup = json.loads(saved).get("bytes", 0) if saved is not None else 0
    held: Manifest | None = parts.claim.held if parts.claim is not None else None
    return int(packs + dead + (dictionaries if backup else 0) + backup + (len(held.to_bytes()) if held else 0))


def cold_statistics(parts: Parts, stored_bytes: int, seconds: float) -> dict[str, Any]:
    """Return the section `tiered_storage.cold`.

    Args:
        parts: The store's pieces.
        stored_bytes: What the tier holds.
        seconds: How long the store has been open.
    """
    cold = parts.backends[IN_COLD]
    section: dict[str, Any] = {"place": cold.place, "remote": cold.remote, "state": "closed", "failures": None}
    if isinstance(cold, GuardedBackend):
        breaker = cold.breaker
        section.update(state=breaker.state, opened=breaker.opened, failures=breaker.last_failure)
    section["no_room"] = parts.no_room
    if not cold.remote:
        return section
    claim = parts.claim
    section["owner"] = {
        "epoch": claim.held.epoch if claim is not None and claim.held is not None else None,
        "lost": claim.lost if claim is not None else None,
        "conditional_write_is_atomic": claim.atomic if claim is not None else None,
    }
    section["backup"] = _backup(parts)
    requests = cold.requests()
    section["requests"] = requests
    section["monthly_bill"] = _bill(parts, requests, stored_bytes, seconds)
    return section


def _backup(parts: Parts) -> dict[str, Any]:
    saved = parts.catalog.meta("backup")
    state = json.loads(saved) if saved is not None else {}
    noted = parts.catalog.rows("SELECT 1 FROM sqlite_schema WHERE name = 'changed'")  # a read-only one may lack it
    waiting = parts.catalog.rows("SELECT count(*) FROM changed")[0][0] if noted else 0
    when = state.get("saved")
    return {
        "saved": when,
        "age_seconds": max(0, parts.wall() - when) if when is not None else None,
        "parts": len(state.get("chain", ())),
        "bytes": state.get("bytes", 0),
        "changes_waiting": waiting,
    }


def _bill(parts: Parts, requests: dict[str, int], stored_bytes: int, seconds: float) -> dict[str, float | None]:
    """Estimate a month at the configured prices: what is stored now, and requests at the rate since the opening.

    Right after an opening, whose own requests say nothing of a month, only the storage is told.
    """
    prices = parts.config.adaptive.prices
    known = seconds >= LEAST_SECONDS
    months = max(seconds, LEAST_SECONDS) / SECONDS_PER_MONTH
    writing = requests.get("put", 0) + requests.get("list", 0)  # deletes are free
    storage = stored_bytes / GB * prices.object_gb_month
    requested = (writing * prices.put_per_1000 + requests.get("get", 0) * prices.get_per_1000) / 1000
    transferred = requests.get("received_bytes", 0) / GB * prices.transfer_gb
    return {
        "storage": storage,
        "requests": requested / months if known else None,
        "transfer": transferred / months if known else None,
        "total": storage + (requested + transferred) / months if known else None,
        "observed_seconds": seconds,
    }
