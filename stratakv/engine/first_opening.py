"""The first opening: what it makes in a directory, and takes back where it comes to nothing.

A store that never was is none: what a refused first opening made would only stand in the way of a restoration, or of
whatever else the directory was meant for.

Invariant: nothing goes that was there before, nor anything of a store that may own a tier already, since the manifest
there names an id that only this catalog knows. The caller holds the directory's lock.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from stratakv.engine.catalog import Catalog
from stratakv.engine.journal_format import JOURNAL_DIRECTORY
from stratakv.errors import StrataError

if TYPE_CHECKING:
    from pathlib import Path

CATALOG_FILE = "catalog.db"
RESERVE_FILE = "reserve"

_MADE = (
    CATALOG_FILE, f"{CATALOG_FILE}-wal", f"{CATALOG_FILE}-shm", JOURNAL_DIRECTORY, "warm", "cold", RESERVE_FILE,
    "bloom.filter",
)  # fmt: skip


def parts_in(path: Path) -> frozenset[str]:
    """Return the names of what an opening makes, as far as it is there."""
    return frozenset(left.name for left in path.iterdir()).intersection(_MADE)


def take_back(path: Path, before: frozenset[str], catalog_vfs: str | None) -> bool:
    """Remove what an opening that failed has made; return whether there is no store in the directory now.

    Args:
        path: The directory.
        before: What `parts_in` told before.
        catalog_vfs: SQLite's file layer for the catalog.
    """
    made = parts_in(path) - before
    if before & {CATALOG_FILE, JOURNAL_DIRECTORY}:
        return False  # no first opening: what was made beside them may hold what they held
    if CATALOG_FILE in made and _may_own_a_tier(path / CATALOG_FILE, catalog_vfs):
        return False
    for name in made & parts_in(path):
        left = path / name
        with suppress(OSError):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return not made & parts_in(path)


def _may_own_a_tier(path: Path, vfs: str | None) -> bool:
    """Tell whether a claim was begun, whose answer may have been lost on its way."""
    try:
        catalog = Catalog(path, vfs=vfs)
    except (StrataError, OSError):
        return True
    try:
        return catalog.meta("claims") is not None
    except StrataError:
        return True
    finally:
        catalog.close()
