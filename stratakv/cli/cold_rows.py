"""What `stratakv stats` tells of a remote cold tier: place, health, owner, backup, requests and bill.

Owns the wording alone; the figures are the engine's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.cli.output import counted

if TYPE_CHECKING:
    from collections.abc import Iterator


def cold_rows(cold: dict[str, Any]) -> list[tuple[str, str]]:
    """Return rows of name and figure; nothing for a tier that is a directory of the store's own."""
    return list(_rows(cold)) if cold.get("remote") else []


def _rows(cold: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "place", cold["place"]
    if cold["state"] != "closed":
        yield "does not answer", f"circuit {cold['state']}: {cold['failures']}"
    if cold["no_room"]:
        yield "new values refused", cold["no_room"]
    owner, backup = cold["owner"], cold["backup"]
    if owner["epoch"] is not None:
        yield "owner", f"this store, epoch {owner['epoch']}"
    if owner["lost"]:
        yield "owner", owner["lost"]
    if owner["conditional_write_is_atomic"] is False:
        yield "beware", "its conditional write is not atomic: open the store from one place only"
    if backup["saved"] is None:
        yield "backup", "none yet"
    else:
        yield (
            "backup",
            (
                f"{backup['age_seconds']:,} s old, {counted(backup['parts'], 'part')}, "
                f"{counted(backup['changes_waiting'], 'change')} since"
            ),
        )
    requests = cold["requests"]
    if any(requests.values()):
        told = ", ".join(f"{requests.get(name, 0):,} {name}" for name in ("put", "get", "list", "delete"))
        yield "requests", f"{told}; {requests['sent_bytes']:,} bytes sent, {requests['received_bytes']:,} received"
    yield "a month costs about", _month(cold["monthly_bill"])


def _month(bill: dict[str, Any]) -> str:
    if bill["total"] is None:
        return (
            f"{bill['storage']:.3g} for storage at adaptive.prices; for requests, ask beside a process that has had "
            "the store open for ten minutes"
        )
    return (
        f"{bill['total']:.3g} at adaptive.prices: storage {bill['storage']:.3g}, requests {bill['requests']:.3g}, "
        f"transfer {bill['transfer']:.3g}, as in the last {bill['observed_seconds'] / 60:,.0f} min"
    )
