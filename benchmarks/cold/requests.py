"""Owns counting: what each kind of work asks of the server, and the bill that follows from it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from stratakv.engine.remote_statistics import SECONDS_PER_MONTH
from stratakv.engine.worker import no_pause

if TYPE_CHECKING:
    from benchmarks.cold.store import ColdStore

DELETED = 0.8
"""The share of the values that is deleted before a round of compaction: with less it would not pay."""


def economy(bench: ColdStore, values: dict[str, Any]) -> dict[str, Any]:
    """Store and demote all values; return the requests of each step."""
    bench.fill(values)
    carrier = bench.store.mover.carrier
    bench.store.mover.checkpoint()
    carrier.leave_hot(settle=True)
    return {
        "demotion": bench.requested(lambda: carrier.move(no_pause, settle=True)),
        "backup": bench.requested(lambda: carrier.save(no_pause, settle=True)),
    }


def many_reads(bench: ColdStore, values: dict[str, Any], reads: int) -> dict[str, dict[str, int]]:
    """Return the requests of random reads one by one, and of as many other keys at once."""
    chosen = random.Random(3).sample(list(values), min(2 * reads, len(values)))
    half = len(chosen) // 2

    def one_by_one() -> None:
        for key in chosen[:half]:
            bench.memory.retrieve(key)

    return {
        f"{half} reads, one by one": bench.requested(one_by_one),
        f"{len(chosen) - half} reads, retrieve_many": bench.requested(
            lambda: bench.memory.retrieve_many(chosen[half:])
        ),
    }


def compaction(bench: ColdStore, values: dict[str, Any]) -> dict[str, int]:
    """Delete most values; return the requests of compacting what they leave and removing the old packs."""
    mover = bench.store.mover
    bench.memory.delete_many(random.Random(4).sample(list(values), int(DELETED * len(values))))
    mover.checkpoint()
    mover.collection.run(no_pause, settle=True)

    def compact() -> None:
        mover.carrier.compact(no_pause, settle=False)
        mover.collection.run(no_pause, settle=True)
        mover.carrier.save(no_pause, settle=True)
        mover.carrier.dispose(no_pause, settle=True)

    return bench.requested(compact)


def bill(bench: ColdStore) -> dict[str, Any]:
    """Return the bill that the statistics estimate, and the same by arithmetic on what is listed and was counted."""
    told = bench.memory.get_statistics()["tiered_storage"]["cold"]
    prices = bench.parts.config.adaptive.prices
    asked, months = told["requests"], told["monthly_bill"]["observed_seconds"] / SECONDS_PER_MONTH
    writing = (asked["put"] + asked["list"]) / 1000 * prices.put_per_1000
    reading = asked["get"] / 1000 * prices.get_per_1000 + asked["received_bytes"] / 1e9 * prices.transfer_gb
    storage = bench.stored_bytes() / 1e9 * prices.object_gb_month
    own = storage + (writing + reading) / months
    return {
        "told": told["monthly_bill"]["total"],
        "own": own,
        "storage_told": told["monthly_bill"]["storage"],
        "storage_own": storage,
    }
