"""Upkeep of the catalog's file: free pages given back, and the write-ahead log kept short.

Works on the writer's connection, which the caller holds, and never on rows. What a reader at work prevents is done in
the next round.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import apsw

from stratakv.engine.catalog_schema import BUSY_MILLISECONDS

if TYPE_CHECKING:
    from pathlib import Path

WASTE_SHARE = 0.05
"""Rows in random order leave the tree's pages a third empty; a file with more than this unused is written anew."""

LONGEST_LOG_BYTES = 1 << 20
"""A log is folded from here on. Who opens the catalog after a crash reads all of it, and the more keys there are, the
more pages the same few rows touch."""

_WASTEFUL = """
SELECT sum(unused) + free > ?1 * (sum(pgsize) + free)
FROM dbstat, (SELECT f.freelist_count * p.page_size AS free FROM pragma_freelist_count f, pragma_page_size p)
"""


def compact(connection: apsw.Connection, *, rewrite: bool) -> None:
    """Fold the log and, with `rewrite`, write the file anew where too much of it is unused."""
    with contextlib.suppress(apsw.BusyError):
        if rewrite and any(wasteful for (wasteful,) in connection.execute(_WASTEFUL, (WASTE_SHARE,))):
            # Without the room for a second copy the free pages wait to be used again.
            with contextlib.suppress(apsw.FullError):
                connection.execute("VACUUM")
        _fold(connection)


def fold_long_log(connection: apsw.Connection, path: Path) -> None:
    """Fold the log of the catalog in `path` if it is long, at once or not at all."""
    log = path.with_name(path.name + "-wal")
    if not log.exists() or log.stat().st_size <= LONGEST_LOG_BYTES:
        return
    connection.set_busy_timeout(0)
    try:
        # On a full disk the log stays as it is: folding it is no reason to fail for what is committed already.
        with contextlib.suppress(apsw.BusyError, apsw.FullError):
            _fold(connection)
    finally:
        connection.set_busy_timeout(BUSY_MILLISECONDS)


def _fold(connection: apsw.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
