"""Owns the store that is measured: many small values, a cold tier in a new bucket, and a plain client beside it."""

from __future__ import annotations

import json
import random
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.reduction.corpora import Directory, demo_corpora
from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.engine.records import IN_COLD
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.parts import Parts
    from tests.servers.moto import S3Server

BATCH = 1_000
LARGEST_BYTES = 4096
"""Records from this size on, as text, are left out: they are not small."""


def records(data: str | None, count: int) -> dict[str, Any]:
    """Return so many different small values by key; a record that is used again has another number in it.

    Raises:
        ConfigurationError, RecordFileError: The data cannot be read, or has no small record.
    """
    place = Directory(Path(data)) if data is not None else None
    corpora = place.corpora([], quick=False) if place is not None else demo_corpora([], quick=False)
    found = [
        (corpus.name, value)
        for corpus in corpora
        if corpus.kind == "json"
        for value in corpus.items.values()
        if _is_small_record(value)
    ]
    if not found:
        raise ConfigurationError("there is no small record in this data")
    chance = random.Random(1)
    chosen = (found[number % len(found)] for number in range(count))
    return {
        f"{name}:{number:07d}": {**value, "number": number, "moment": chance.randrange(1 << 40)}
        for number, (name, value) in enumerate(chosen)
    }


def _is_small_record(value: Any) -> bool:
    try:
        return isinstance(value, dict) and len(json.dumps(value)) < LARGEST_BYTES
    except TypeError:
        return False  # something in it is an array


class ColdStore:
    """A store whose cold tier is a new bucket, and a plain client of the same server."""

    def __init__(self, server: S3Server, directory: Path) -> None:
        self.bucket = server.new_bucket()
        self.plain = server.client()
        cold: dict[str, Any] = {
            "backend": "s3",
            "bucket": self.bucket,
            "endpoint_url": server.url,
            "region": "us-east-1",
        }
        # The store's own rounds wait, so that each step's requests are counted by themselves.
        cold["backup_interval_seconds"] = 1e6
        self._settings: dict[str, Any] = {
            "enabled": True,
            "storage": {"path": str(directory / "store")},
            "tiered_storage": {"migration_interval_seconds": 1e6, "cold": cold},
        }
        self.memory = self._open()

    def _open(self) -> OptimizationMiddleware:
        return OptimizationMiddleware(config=OptimizationConfig(**self._settings))

    def reopen(self) -> None:
        self.memory.shutdown()
        self.memory = self._open()

    @property
    def store(self) -> Any:
        return self.memory.tiered_storage._store  # noqa: SLF001 -- the steps of a round are not public by themselves

    @property
    def parts(self) -> Parts:
        parts: Parts = self.store.parts
        return parts

    def requested(self, act: Callable[[], object]) -> dict[str, int]:
        """Return what an act asks of the server."""
        before = self.parts.backends[IN_COLD].requests()
        act()
        after = self.parts.backends[IN_COLD].requests()
        return {kind: after[kind] - before[kind] for kind in after}

    def stored_bytes(self) -> int:
        pages = self.plain.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return sum(entry["Size"] for page in pages for entry in page.get("Contents", ()))

    def fill(self, values: dict[str, Any]) -> None:
        """Store all values."""
        pairs = iter(values.items())
        while batch := dict(islice(pairs, BATCH)):
            self.memory.store_many(batch)
