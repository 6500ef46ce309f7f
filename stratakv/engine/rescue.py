"""Rescue: the warm tier opened so that damage to diskcache's database costs no pack.

The database only maps names to files, and every pack tells by its own index which one it is, so what the database
has lost is found again by content. Owns that comparison; never judges what a pack holds beyond its index.

Opening looks for the row and the file of each pack; all files are listed only where one is lost.

Invariant: no value file is removed before every pack that the catalog names has been looked for among them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratakv.backends.disk import DiskBackend
from stratakv.engine.packs import index_digest
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stratakv.engine.catalog_rows import PackRow
    from stratakv.files import Files

log = logging.getLogger("stratakv")


def open_warm(directory: Path, files: Files, packs: Iterable[PackRow]) -> DiskBackend:
    """Open the warm tier; `packs` are those that the catalog places there. Errors as `DiskBackend`.

    A database that is damaged is made anew. A pack whose file cannot be found stays missing: reading it says so.
    Files that no row names stay; `scrub_warm` removes them.
    """
    try:
        backend = DiskBackend(directory, files=files, scrub=False)
        if not backend.is_sound():
            backend.close()
            raise CorruptionError("its pages contradict each other")
    except CorruptionError as failure:
        log.warning("the database in %s is damaged and made anew from the packs: %s", directory, failure)
        for path in directory.glob("cache.db*"):
            files.unlink(path)
        backend = DiskBackend(directory, files=files, scrub=False)
    try:
        _find_lost(backend, packs)
    except BaseException:
        backend.close()
        raise
    return backend


def scrub_warm(backend: DiskBackend, packs: Iterable[PackRow]) -> None:
    """Remove the value files that no row names, once each of the packs was looked for among them. No put may run."""
    _find_lost(backend, packs)
    backend.scrub()


def _is_there(backend: DiskBackend, pack: PackRow) -> bool:
    try:
        return backend.is_whole(pack.name)
    except CorruptionError:
        return False


def _find_lost(backend: DiskBackend, packs: Iterable[PackRow]) -> None:
    """Store anew, from files that no row names, the packs whose row or file is lost."""
    lost = {pack.index_digest: pack.name for pack in packs if not _is_there(backend, pack)}
    if not lost:
        return
    for path in backend.unnamed_files():
        content = path.read_bytes()
        name = lost.pop(index_digest(content) or b"", None)
        if name is not None:
            backend.put(name, content)
            log.warning("pack %s was found again in %s", name, path)
