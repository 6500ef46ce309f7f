"""What a crashing store's life consists of: its settings, its values, and random steps that all crash tests share."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, NamedTuple

from stratakv.config import OptimizationConfig
from stratakv.engine.terms import DEFAULTS
from stratakv.types import StorageTier
from tests.large.documents import Pipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stratakv.engine.store import Store

Model = dict[str, int]
"""Key -> number of its value, see `value_of`."""

KEYS = 60
NUMBERS = 90
POINTS = (
    "checkpoint-frozen", "checkpoint-packed", "checkpoint-committed", "checkpoint-dropped",
    "demote-packed", "demote-committed", "carry-packed", "carry-committed",
    "compaction-packed", "compaction-committed",
    "collection-condemned", "collection-committed", "collection-deleted",
)  # fmt: skip
CALLER_POINTS = ("chunks-packed", "chunks-committed")
"""Passed by a caller who stores a large value, ahead of the journal."""

BACKUP_POINTS = ("backup-based", "backup-made", "backup-put")
"""Passed only with a cold tier that is remote."""


class Bucket(NamedTuple):
    """A cold tier on an S3 server."""

    url: str
    name: str


def settings(
    path: Path,
    *,
    durability: str = "process",
    warm: str = "disk",
    hot_mb: float = 0.02,
    bucket: Bucket | None = None,
) -> OptimizationConfig:
    """Return the settings of a small store whose background is always busy, backups included."""
    config = OptimizationConfig()
    config.storage.path = str(path)
    config.storage.durability = durability  # type: ignore[assignment]  # the caller gives one of the literals
    config.storage.checkpoint_interval_seconds = 0.02
    config.storage.sync_interval_ms = 20.0
    config.storage.grace_seconds = 0.05
    config.storage.pack_size_mb = 0.02
    config.storage.reserve_kb = 16
    config.storage.journaled_value_kb = 2
    config.deduplication.large_value_kb = 1
    config.deduplication.chunk_kb = 0.25
    config.compression.cold_block_kb = 16
    config.tiered_storage.hot_capacity_mb = hot_mb
    config.tiered_storage.hot_to_warm_idle_hours = 0.00001
    config.tiered_storage.warm_to_cold_idle_hours = 0.00001
    config.tiered_storage.promote_to_warm_accesses = 1
    config.tiered_storage.promote_to_hot_accesses = 2
    config.tiered_storage.migration_interval_seconds = 0.05
    config.tiered_storage.warm.backend = warm  # type: ignore[assignment]  # the caller gives one of the literals
    if bucket is not None:
        cold = config.tiered_storage.cold
        cold.backend, cold.bucket, cold.prefix = "s3", bucket.name, "crash"
        cold.endpoint_url, cold.region = bucket.url, "us-east-1"
        cold.backup_interval_seconds = 0.05
        config.storage.erase_within_days = 0.0001  # so that bases are begun anew every few seconds
    config.validate()
    return config


def value_of(number: int) -> object:
    """Return a value of its own for each number: small and large, plain and nested, whole and in chunks.

    Every fifth is a version of a document, which shares chunks with the others, and with itself.
    """
    chance = random.Random(number)
    if number % 5 == 0:
        page = random.Random(number // 30).randbytes(1500)
        edit = number.to_bytes(4, "big") * 3
        at = chance.randrange(len(page))
        return page[:at] + edit + page[at:] + page if number % 2 else {"pages": [page, page + edit, page]}
    size = chance.choice((3, 40, 400, 3000))
    if number % 3:
        return {"number": number, "text": "".join(chance.choices("abcdefgh ", k=size)), "tags": (number, None)}
    return chance.randbytes(size) + number.to_bytes(4, "big")


class Step(NamedTuple):
    """One call to a store.

    Attributes:
        call: store, store_many, delete, delete_many, move, retrieve, checkpoint, maintain or settle.
        changes: Key -> number of its new value, None for a deletion; for other calls the keys meant.
    """

    call: str
    changes: Mapping[str, int | None]


def random_step(chance: random.Random, *, upkeep: float) -> Step:
    """Return a step; `upkeep` is the share of background work on the caller's thread."""
    if chance.random() < upkeep:
        return Step(chance.choice(("checkpoint", "maintain", "maintain", "settle")), {})
    kind = chance.random()
    key = f"key:{chance.randrange(KEYS)}"
    if kind < 0.5:
        return Step("store", {key: chance.randrange(NUMBERS)})
    if kind < 0.62:
        return Step("delete", {key: None})
    keys = [f"key:{number}" for number in chance.sample(range(KEYS), chance.randint(2, 8))]
    if kind < 0.74:
        return Step("store_many", {key: chance.randrange(NUMBERS) for key in keys})
    if kind < 0.78:
        return Step("delete_many", dict.fromkeys(keys))
    return Step("retrieve" if kind < 0.88 else "move", dict.fromkeys(keys[:2]))


def take(store: Store, step: Step, chance: random.Random) -> None:
    """Make the call of a step."""
    keys = list(step.changes)
    values = {key: value_of(number) for key, number in step.changes.items() if number is not None}
    match step.call:
        case "store":
            value = values[keys[0]]
            if type(value) is bytes and chance.random() < 0.3:
                store.put_stream(keys[0], Pipe(value) if chance.random() < 0.5 else io.BytesIO(value), DEFAULTS)
            else:
                store.put(keys[0], value)
        case "store_many":
            store.put_many(values)
        case "delete":
            store.delete(keys[0])
        case "delete_many":
            store.delete_many(keys)
        case "retrieve":
            store.get_many(keys)
        case "move":
            for key in keys:
                store.move(key, chance.choice((StorageTier.WARM, StorageTier.COLD, StorageTier.COLD)))
        case "checkpoint":
            if store.mover is not None:
                store.mover.checkpoint()
        case _:
            store.maintain(settle=step.call == "settle")


def changes_values(step: Step) -> bool:
    """Tell whether the step changes what a reader sees."""
    return step.call in {"store", "store_many", "delete", "delete_many"}


def after(model: Model, step: Step) -> Model:
    """Return the model once the step is done."""
    if not changes_values(step):
        return model
    changed = {**model, **step.changes}
    return {key: number for key, number in changed.items() if number is not None}
