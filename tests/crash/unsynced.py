"""A medium for kills without power loss: the system keeps what a killed process wrote, so nothing is synced.

Only time is saved. What depends on syncing is rehearsed in `power.py`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import apsw

from stratakv.engine.catalog_schema import CHECKSUM_VFS, _load_checksum_extension
from stratakv.engine.store import Store
from stratakv.files import Files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stratakv.backends import Backend
    from stratakv.clock import Clock
    from stratakv.config import OptimizationConfig
    from stratakv.types import StorageTier


class UnsyncedFiles(Files):
    """Leaves everything to the system."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


class _UnsyncedFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__(CHECKSUM_VFS, name, flags)

    def xSync(self, flags: int) -> None:
        pass


class UnsyncedSQLite(apsw.VFS):
    """SQLite's file layer, checksums included, that leaves everything to the system."""

    def __init__(self, name: str) -> None:
        super().__init__(name, base=CHECKSUM_VFS)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _UnsyncedFile:
        return _UnsyncedFile(name, flags)


@cache
def _sqlite() -> tuple[str, UnsyncedSQLite]:
    _load_checksum_extension()
    return "unsynced", UnsyncedSQLite("unsynced")


def open_unsynced(
    config: OptimizationConfig, clock: Clock, backends: Mapping[StorageTier, Backend] | None = None
) -> Store:
    """Open a store that syncs nothing."""
    return Store(config, clock=clock, backends=backends, files=UnsyncedFiles(), catalog_vfs=_sqlite()[0])
