"""diskcache made safe for packs: its `Disk` and `Cache`, with the parts replaced that could lose or leak.

`ValueFiles` owns the value files; `ObjectRows` owns the rows and the SQLite connections. diskcache keeps
naming, schema and the order "file, row, and on removal row, file".

Invariants: a committed row's file is whole and durable; nothing is ever unpickled (CVE-2025-69872); a file
name out of the database is used only if diskcache could have made it.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diskcache
from diskcache.core import DBNAME, MODE_BINARY, UNKNOWN

from stratakv.backends.base import ObjectInfo
from stratakv.backends.durable import make_folder, regular_size, write_file
from stratakv.backends.failures import is_no_room
from stratakv.backends.open_files import OpenFile
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = {
    "eviction_policy": "none",
    "cull_limit": 0,
    "statistics": 0,
    "tag_index": 0,
    "size_limit": 2**62,
    "disk_min_file_size": 0,
    "sqlite_journal_mode": "wal",
    "sqlite_synchronous": 2,
    "sqlite_cache_size": 512,
    # A database cut short under a mapping kills the process; an ordinary read returns an error.
    "sqlite_mmap_size": 0,
}
"""No eviction, no writes by reads, full sync, every object a file."""

_PAGE_ROWS = 512
_ROW = "SELECT mode, filename, value, size FROM Cache WHERE key = ? AND raw = 1"
is_value_file = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val").fullmatch

_inherited: list[sqlite3.Connection] = []
"""A parent's connections, kept in a forked child so that no finaliser closes them there."""


class ValueFiles(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Value files: bytes only, durable before `store` returns.

    Attributes:
        files: The file layer.
        held_bytes: Length of all value files, kept as they come and go; None until `scrub` has counted them.
    """

    def __init__(self, directory: str, **settings: Any) -> None:
        super().__init__(directory, **settings)
        self.files = Files()
        self.held_bytes: int | None = None
        self._root = Path(directory)
        self._lock = threading.Lock()

    def put(self, key: object) -> tuple[str, bool]:
        if type(key) is not str:
            raise ConfigurationError(f"an object's name is a str, not {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or type(key) is not str:
            raise CorruptionError(f"{self._root} holds a row that stratakv did not write: its key is no plain text")
        return key

    def store(self, value: object, read: bool, key: object = UNKNOWN) -> tuple[int, int, str, None]:
        if type(value) is not bytes or read:
            raise ConfigurationError(f"an object's content is bytes, not {type(value).__name__}")
        filename, full_path = self.filename(key, value)
        path = Path(full_path)
        with self._lock:
            # Made under the lock that removes empty folders, so that they cannot vanish in between.
            make_folder(path.parent.parent)
            make_folder(path.parent)
            os.close(self.files.open_append(path))
        write_file(self.files, path, value)
        with self._lock:
            if self.held_bytes is not None:
                self.held_bytes += len(value)
        try:
            # All three, always: another thread may have made a folder and not synced it yet.
            for folder in (path.parent, path.parent.parent, self._root):
                self.files.sync_directory(folder)
        except BaseException:
            self.remove(filename)
            raise
        return len(value), MODE_BINARY, filename, None

    def fetch(self, mode: int, filename: object, value: object, read: bool) -> OpenFile | bytes:
        if mode != MODE_BINARY or value is not None or not isinstance(filename, str) or not is_value_file(filename):
            raise CorruptionError(
                f"{self._root} holds a row that stratakv did not write (mode {mode!r}, file "
                f"{filename!r}); it is not read, because such a row may hold a pickle"
            )
        file = OpenFile(self._root / filename)
        return file if read else file.read(0, file.size)

    def remove(self, file_path: str) -> None:
        if not is_value_file(file_path):
            raise CorruptionError(f"{self._root} holds a row with a file name that is not its own: {file_path!r}")
        path = self._root / file_path
        with self._lock:
            size = regular_size(path)
            if size is not None:
                self.files.unlink(path)
                if self.held_bytes is not None:
                    self.held_bytes -= size
            with suppress(OSError):  # Not empty, or gone already; an empty folder does no harm either way.
                path.parent.rmdir()
                path.parent.parent.rmdir()

    def scrub(self, wanted: set[str]) -> None:
        """Remove value files that no row names: their put was never acknowledged. Count the rest. No put may run.

        Only paths that diskcache could have made are looked at; anything else is not ours to judge.
        """
        found = tuple(self._value_files())
        self.held_bytes = sum(size for _, _, size in found)
        for _, filename, _ in found:
            if filename not in wanted:
                self.remove(filename)

    def file_bytes(self) -> int:
        """Return the length of all value files: as it was kept, or by looking at each as long as none has counted."""
        with self._lock:  # no folder may go while it is looked into
            return sum(size for _, _, size in self._value_files()) if self.held_bytes is None else self.held_bytes

    def is_whole(self, mode: object, filename: object, value: object, size: object) -> bool:
        """Return whether a row is one of ours and its file there at its full length. `fetch` says what is wrong."""
        if mode != MODE_BINARY or value is not None or not isinstance(filename, str) or not is_value_file(filename):
            return False
        return regular_size(self._root / filename) == size

    def unnamed(self, wanted: set[str]) -> tuple[Path, ...]:
        """Return the value files that are not wanted."""
        return tuple(path for path, filename, _ in self._value_files() if filename not in wanted)

    def _value_files(self) -> Iterator[tuple[Path, str, int]]:
        for path in self._root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*.val"):
            filename = path.relative_to(self._root).as_posix()
            size = regular_size(path)
            if size is not None and is_value_file(filename):
                yield path, filename, size


class _Lease:
    """A thread's hold on its connection: lies in the thread's locals and closes the connection when they go.

    A connection is part of a reference cycle, so without this it would outlive its thread until some
    collection.
    """

    __slots__ = ("__weakref__", "connection", "owner")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.owner = os.getpid()

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:
        if self.owner == getpid():
            self.connection.close()
        else:
            _inherited.append(self.connection)


class ObjectRows(diskcache.Cache):  # type: ignore[misc]  # diskcache has no types
    """Rows of name, size and file name, each thread with its own connection.

    Args:
        directory: An absolute path without `$`, which diskcache would expand.
        timeout: Seconds to wait for a lock that another process holds.
        files: The file layer.
    """

    def __init__(self, directory: str, timeout: float, files: Files) -> None:
        self._leases: weakref.WeakSet[_Lease] = weakref.WeakSet()
        self._writing = threading.RLock()
        # SQLite would make it readable to everyone; its -wal and -shm take the mode over.
        os.close(os.open(os.path.join(directory, DBNAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        super().__init__(directory, timeout=timeout, disk=ValueFiles, **SETTINGS)
        self._disk.files = files

    def _named(self) -> set[str]:
        return {row[0] for row in self._sql("SELECT filename FROM Cache")}

    def scrub(self) -> None:
        """Remove value files that no row names, and count the rest."""
        self._disk.scrub(self._named())

    def file_bytes(self) -> int:
        """Return the bytes of all value files."""
        held: int = self._disk.file_bytes()
        return held

    def is_whole(self, name: str) -> bool:
        """Return whether an object has a row, and that its file."""
        row = self._sql(_ROW, (name,)).fetchone()
        return row is not None and self._disk.is_whole(*row)

    def unnamed_files(self) -> tuple[Path, ...]:
        """Return the value files that no row names."""
        unnamed: tuple[Path, ...] = self._disk.unnamed(self._named())
        return unnamed

    def is_sound(self) -> bool:
        """Return whether SQLite finds nothing wrong with the database."""
        try:
            return bool(self._sql("PRAGMA integrity_check(1)").fetchone() == ("ok",))
        except sqlite3.DatabaseError as error:
            if is_no_room(error) or isinstance(error, sqlite3.OperationalError):
                raise
            return False

    @property
    def _con(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "con", None)
        if connection is None:
            connection = sqlite3.connect(
                os.path.join(self._directory, DBNAME),
                timeout=self._timeout,
                isolation_level=None,
                # Used by its own thread; only closing may come from another, when no call is under way.
                check_same_thread=False,
            )
            self._local.con = connection
            lease = self._local.lease = _Lease(connection)
            self._leases.add(lease)
            for key, value in SETTINGS.items():
                if key.startswith("sqlite_"):
                    self.reset(key, value, update=False)
        return connection

    @contextmanager
    def _transact(self, retry: bool = False, filename: str | None = None) -> Iterator[Any]:
        # One writer at a time waits on a lock here, where SQLite would make it sleep and poll.
        with self._writing:
            try:
                with super()._transact(retry) as pair:
                    yield pair
            except BaseException:
                self._undo(filename)
                raise

    def _undo(self, filename: str | None) -> None:
        """Leave no open transaction, as diskcache does after a failed COMMIT, and no file without a row."""
        connection = self._con
        if connection.in_transaction:
            connection.rollback()
        if filename is not None:
            # The failure may have come after the commit; then the file is the object.
            named = connection.execute("SELECT 1 FROM Cache WHERE filename = ?", (filename,)).fetchone()
            if named is None:
                self._disk.remove(filename)

    def locate(self, name: str) -> OpenFile | None:
        """Open the file of an object; None where there is no row.

        Raises:
            CorruptionError: The row is not ours, or its file is missing or of another size.
        """
        missed = None
        while True:
            row = self._sql(_ROW, (name,)).fetchone()
            if row is None:
                return None
            mode, filename, value, size = row
            try:
                file: OpenFile = self._disk.fetch(mode, filename, value, True)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                # Replaced or deleted since the query, so ask again; the same answer twice is damage.
                if filename == missed:
                    raise CorruptionError(f"object {name}: its file {filename} is missing") from None
                missed = filename
                continue
            if file.size != size:
                raise CorruptionError(f"object {name}: its file {filename} has {file.size} bytes, not {size}")
            return file

    def remove_object(self, name: str) -> bool:
        """Remove an object: its row durably, then its file. Return whether there was one."""
        try:
            return bool(self.delete(name))
        except sqlite3.Error as error:
            if not is_no_room(error):
                raise
        # The write-ahead log cannot grow. Checkpointed, it is written again from its start.
        self._sql("PRAGMA wal_checkpoint(RESTART)").fetchall()
        return bool(self.delete(name))

    def fold_log(self) -> None:
        """Empty the write-ahead log into the database; a statement under way keeps it as it is."""
        self._sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def size_of(self, name: str) -> int | None:
        """Return the size a row states; None where there is no row."""
        row = self._sql("SELECT size FROM Cache WHERE key = ? AND raw = 1", (name,)).fetchone()
        return None if row is None else int(row[0])

    def page(self, after: int) -> tuple[int, tuple[ObjectInfo, ...]]:
        """Return the objects in some rows behind row `after`, and the last row seen; none at the end."""
        query = "SELECT rowid, key, raw, size FROM Cache WHERE rowid > ? ORDER BY rowid LIMIT ?"
        rows = self._sql(query, (after, _PAGE_ROWS)).fetchall()
        last = rows[-1][0] if rows else after
        return last, tuple(ObjectInfo(self._disk.get(key, raw), size) for _, key, raw, size in rows)

    def close_all(self) -> None:
        """Close the connections of all threads. No call may be under way."""
        for lease in tuple(self._leases):
            lease.connection.close()
