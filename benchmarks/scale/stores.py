"""Owns opening stores for this benchmark, and the few looks inside them that no public name gives."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import DifferenceError
from benchmarks.reduction.sizes import dictionary_bytes, files_of
from stratakv import OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from benchmarks.scale.records import Records

HOT_MB = 64


def opened(path: Path) -> OptimizationMiddleware:
    """Open a store as a service would, with 64 MB for values in RAM."""
    config = OptimizationConfig(enabled=True)
    config.tiered_storage.hot_capacity_mb = HOT_MB
    return OptimizationMiddleware(config=config, path=path)


def checkpoint(memory: OptimizationMiddleware) -> None:
    """Bring what was acknowledged into packs and catalog; unlike `maintain` that moves and compacts nothing."""
    memory.tiered_storage._store.mover.checkpoint()  # type: ignore[union-attr]  # noqa: SLF001


def fold(memory: OptimizationMiddleware) -> None:
    """Give the catalog's log back to the file system, as a shutdown does, so that files can be measured."""
    memory.tiered_storage._store.parts.catalog.compact(rewrite=False)  # noqa: SLF001


def hot_entries(memory: OptimizationMiddleware) -> dict[str, Any]:
    """Return the table of what RAM holds, by key."""
    entries: dict[str, Any] = memory.tiered_storage._store.parts.hot.entries  # noqa: SLF001
    return entries


def copied(source: Path, target: Path) -> None:
    """Copy a closed store; packs, which never change, only get a second name."""

    def copy(file: str, to: str) -> None:
        if file.endswith(".val"):
            os.link(file, to)
        else:
            shutil.copy2(file, to)

    shutil.copytree(source, target, copy_function=copy)


def held(store: Path) -> dict[str, int]:
    """Return bytes of a store's files by what they are; its catalog has no log, or is closed."""
    files, dictionaries = files_of(store), dictionary_bytes(store)
    packs = files.warm_packs + files.cold_packs
    return {
        "packs": packs,
        "catalog": files.catalog - dictionaries,
        "dictionaries": dictionaries,
        "journal": files.journal,
        "other": files.total - packs - files.catalog - files.journal,
        "files": files.total,
    }


def compare(records: Records, numbers: Iterable[int], found: Iterable[Any]) -> None:
    """Look at values that were read.

    Raises:
        DifferenceError: One is not as it was stored.
    """
    for number, value in zip(numbers, found, strict=True):
        if value != records.value(number):
            raise DifferenceError(f"the value of {records.key(number)} came back changed")
