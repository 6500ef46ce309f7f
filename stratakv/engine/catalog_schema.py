"""The catalog's SQLite file: its tables, how it is opened, and the page checksums.

Owns the schema of format version 1 and the connections' settings. Every page carries a checksum (SQLite's own
`cksumvfs` extension, 8 reserved bytes a page), so that a changed byte is an error at the read that meets it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import apsw
import apsw.sqlite_extra

from stratakv.errors import (
    CapacityError,
    ConfigurationError,
    CorruptionError,
    StrataError,
    TierUnavailableError,
)

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 1
CHECKSUM_VFS = "cksmvfs"
CACHE_KIB = 2048
LEAST_ROOM_BYTES = 64 * 1024
BUSY_MILLISECONDS = 60_000

# Numbers of packs are never used again (AUTOINCREMENT): a reader may still have the index of one that is gone.
SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE namespaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL, salt BLOB, UNIQUE (name, salt));
CREATE TABLE keys (
    key BLOB PRIMARY KEY, blob INTEGER, version INTEGER NOT NULL, namespace INTEGER NOT NULL,
    pin INTEGER NOT NULL, expires INTEGER, written INTEGER, extra BLOB
) WITHOUT ROWID;
CREATE INDEX keys_expires ON keys (expires) WHERE expires IS NOT NULL;
CREATE INDEX keys_written ON keys (written) WHERE written IS NOT NULL;
CREATE INDEX keys_pinned ON keys (pin) WHERE pin > 0;
CREATE INDEX keys_tombstones ON keys (version) WHERE blob IS NULL;
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL, namespace INTEGER NOT NULL,
    pack INTEGER NOT NULL, block INTEGER NOT NULL, offset INTEGER NOT NULL, size INTEGER NOT NULL,
    refs INTEGER NOT NULL
);
CREATE TABLE displaced (digest BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE accesses (blob INTEGER PRIMARY KEY, last INTEGER NOT NULL, count INTEGER NOT NULL);
CREATE TABLE dead (blob INTEGER PRIMARY KEY, since INTEGER NOT NULL);
CREATE TABLE damaged (blob INTEGER PRIMARY KEY);
CREATE TABLE moves (blob INTEGER PRIMARY KEY, tier INTEGER NOT NULL);
CREATE TABLE packs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, tier INTEGER NOT NULL, name TEXT NOT NULL, bytes INTEGER NOT NULL,
    index_offset INTEGER NOT NULL, index_digest BLOB NOT NULL,
    plaintext INTEGER NOT NULL, live INTEGER NOT NULL, live_blobs INTEGER NOT NULL,
    created INTEGER NOT NULL, due INTEGER NOT NULL, dead_since INTEGER
);
CREATE TABLE pack_dictionaries (pack INTEGER NOT NULL, dictionary INTEGER NOT NULL, PRIMARY KEY (pack, dictionary))
    WITHOUT ROWID;
CREATE TABLE doomed (name TEXT NOT NULL, tier INTEGER NOT NULL, bytes INTEGER NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (tier, name)) WITHOUT ROWID;
CREATE TABLE dictionaries (id INTEGER PRIMARY KEY, namespace INTEGER NOT NULL, created INTEGER NOT NULL,
    content BLOB NOT NULL);
"""

# Tables that catalogs of earlier releases lack. Who only reads must do without them.
LATER_TABLES = """
CREATE TABLE IF NOT EXISTS indexes (pack INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS changed (kind INTEGER NOT NULL, id BLOB NOT NULL, mark INTEGER NOT NULL,
    PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS manifests (blob INTEGER PRIMARY KEY, size INTEGER NOT NULL, stored INTEGER NOT NULL,
    chunks BLOB NOT NULL);
"""
SCHEMA += LATER_TABLES


def _load_checksum_extension() -> None:
    """Register the checksum VFS once, without making it the default of other users of apsw in the process."""
    if CHECKSUM_VFS in apsw.vfs_names():
        return
    if not apsw.sqlite_extra.has("cksumvfs"):
        raise ConfigurationError(
            "the installed apsw carries no cksumvfs extension: install apsw's own wheel with: pip install --force apsw"
        )
    default = apsw.vfs_names()[0]
    connection = apsw.Connection(":memory:")
    try:
        apsw.sqlite_extra.load(connection, "cksumvfs")
    finally:
        connection.close()
    apsw.set_default_vfs(default)


def open_connection(path: Path, *, create: bool, vfs: str | None = None) -> apsw.Connection:
    """Open the catalog for one user at a time; the connection may pass between threads.

    Raises:
        CorruptionError: The file is not a catalog, or is damaged.
        ConfigurationError: It was written by a newer release.
    """
    _load_checksum_extension()
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    fresh = create and (not path.exists() or path.stat().st_size == 0)
    try:
        connection = apsw.Connection(str(path), flags=flags, vfs=vfs or CHECKSUM_VFS)
        try:
            if fresh:
                path.chmod(0o600)
                connection.reserve_bytes("main", 8)
                connection.execute("PRAGMA page_size=4096")
            connection.set_busy_timeout(BUSY_MILLISECONDS)
            # Otherwise a statement with a join is planned anew whenever it gets other values, in case they change
            # what is the best plan. That takes four times as long as the look-up of a key itself.
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
            # Fetched, because statements behind one that returns a row run only when its rows are read.
            settings = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cell_size_check=ON"
            connection.execute(settings).fetchall()
            connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}; PRAGMA journal_size_limit=1048576")
            if not fresh:
                _check_version(connection, path)
        except BaseException:
            connection.close()
            raise
    except apsw.Error as failure:
        raise translate(failure, path) from failure
    return connection


def _check_version(connection: apsw.Connection, path: Path) -> None:
    if not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone():
        return  # its creation was cut short before the schema was committed
    found = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    version = found[0] if found else None
    if version != FORMAT_VERSION:
        raise ConfigurationError(
            f"{path.parent} was written with format version {version}, this release reads {FORMAT_VERSION}: "
            f"update stratakv to open it"
        )


def _is_full(path: Path) -> bool:
    """Tell whether SQLite's nameless input/output error comes from a full disk: its shared index cannot grow there."""
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < LEAST_ROOM_BYTES


def translate(failure: apsw.Error, path: Path) -> StrataError:
    """Map SQLite's errors onto the error tree."""
    if isinstance(failure, apsw.FullError):
        return CapacityError(f"no space left for the catalog {path.name}: free space and try again")
    if isinstance(failure, apsw.BusyError | apsw.LockedError):
        return TierUnavailableError(f"the catalog {path.name} stayed locked for {BUSY_MILLISECONDS // 1000} s")
    if isinstance(failure, apsw.IOError) and _is_full(path):
        return CapacityError(f"no space left beside the catalog {path.name}: free space and try again")
    damage = apsw.CorruptError | apsw.NotADBError | apsw.IOError | apsw.SQLError | apsw.FormatError
    if isinstance(failure, apsw.IOError) and getattr(failure, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA:
        return CorruptionError(f"the catalog {path.name} is damaged: a page does not match its checksum")
    if isinstance(failure, damage):
        return CorruptionError(f"the catalog {path.name} is damaged: {failure}")
    return TierUnavailableError(f"the catalog {path.name} cannot be used: {failure}")
