"""Small stores in which values of some KB are large already."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from stratakv import OptimizationConfig, OptimizationMiddleware
from stratakv.clock import ManualClock
from stratakv.engine.catalog_manifests import numbers_in

if TYPE_CHECKING:
    from pathlib import Path


def opened(
    path: Path, *, small: bool = True, clock: ManualClock | None = None, **sections: Any
) -> OptimizationMiddleware:
    """Open a store; with `small` values of 4 KB are large, and those of 16 KB bypass the journal."""
    storage, deduplication = sections.pop("storage", {}), sections.pop("deduplication", {})
    if small:
        storage = {"journaled_value_kb": 16, **storage}
        deduplication = {"large_value_kb": 4, "chunk_kb": 0.25, **deduplication}
    config = OptimizationConfig(
        enabled=True, storage={"path": str(path), **storage}, deduplication=deduplication, **sections
    )
    return OptimizationMiddleware(config=config, clock=clock or ManualClock())


def rows(memory: OptimizationMiddleware, sql: str) -> list[tuple[Any, ...]]:
    """Return rows of the catalog."""
    return memory.dedup_engine._store.parts.catalog.rows(sql)


def check_references(memory: OptimizationMiddleware) -> None:
    """Assert that each content has the references that keys and manifests give it, and the dead are marked."""

    named: Counter[int] = Counter(row[0] for row in rows(memory, "SELECT blob FROM keys WHERE blob IS NOT NULL"))
    for _, _, stored, chunks in rows(memory, "SELECT blob, size, stored, chunks FROM manifests"):
        numbers = numbers_in(chunks)
        named.update(numbers)
        sizes = dict(rows(memory, "SELECT id, size FROM blobs"))
        assert stored == sum(sizes[number] for number in numbers)
    held = dict(rows(memory, "SELECT id, refs FROM blobs"))
    assert {number: named[number] for number in held} == held
    assert set(named) <= set(held)
    assert {row[0] for row in rows(memory, "SELECT blob FROM dead")} == {n for n, refs in held.items() if not refs}
    assert not rows(memory, "SELECT blob FROM manifests WHERE blob NOT IN (SELECT id FROM blobs)")
