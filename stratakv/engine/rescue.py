"""Rescue: the warm tier opened so that damage to diskcache's database costs no pack.

The database only maps names to files, and every pack tells by its own index which one it is, so what the database
has lost is found again by content. Owns that comparison; never judges what a pack holds beyond its index.

Invariant: no value file is removed before every pack that the catalog names has been looked for among them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratakv.backends.base import ObjectNotFoundError
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
        lost = {pack.index_digest: pack.name for pack in packs if not _is_there(backend, pack)}
        if lost:
            _find_again(backend, lost)
        backend.scrub()
    except BaseException:
        backend.close()
        raise
    return backend


def _is_there(backend: DiskBackend, pack: PackRow) -> bool:
    try:
        backend.get_range(pack.name, 0, 1)
    except (ObjectNotFoundError, CorruptionError):
        return False
    return True


def _find_again(backend: DiskBackend, lost: dict[bytes, str]) -> None:
    for path in backend.unnamed_files():
        content = path.read_bytes()
        name = lost.pop(index_digest(content) or b"", None)
        if name is not None:
            backend.put(name, content)
            log.warning("pack %s was found again in %s", name, path)
