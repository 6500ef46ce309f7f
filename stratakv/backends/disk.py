"""`DiskBackend`: objects on SSD through diskcache, read through a table of open files.

Owns one directory; one process opens it at a time (the store's lock sees to that). Writes and look-ups go
through diskcache; a warm read is one dictionary look-up and one `pread`.

Invariants: a put returns after file, folders and row are durable; a delete commits the row's removal before
the file goes. A file without a row was never acknowledged and is removed by `scrub`; a row without a file is
damage, stays listed, and is named by the read.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import diskcache
from diskcache.core import DBNAME

from stratakv.backends.base import ObjectInfo, ObjectNotFoundError
from stratakv.backends.disk_rows import ObjectRows
from stratakv.backends.durable import private_directory, regular_size
from stratakv.backends.failures import translate
from stratakv.backends.names import check_name
from stratakv.backends.open_files import DEFAULT_OPEN_FILES, FileReads, OpenFile
from stratakv.errors import ClosedError, ConfigurationError, CorruptionError
from stratakv.files import Files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOREIGN = (OSError, sqlite3.Error, diskcache.Timeout)


class DiskBackend(FileReads):
    """Objects as value files of a diskcache.

    Args:
        path: The directory; made, with mode 0700, if missing.
        timeout: Seconds to wait for the database where another process holds it.
        open_files: Most files kept open for reading.
        files: The file layer; tests pass one that fails or forgets.
        scrub: Remove at once the value files that no row names, which takes a look at every file. Else the caller owes
            a call of `scrub`, and `bytes_on_disk` looks at every file until then.

    Raises:
        ConfigurationError: The path cannot be a private directory, or contains `$`. Nothing was changed.
        CorruptionError: The database is damaged or not a diskcache.
        CapacityError: No room.
        TierUnavailableError: The file system refused, or the database stayed locked.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        timeout: float = 10.0,
        open_files: int = DEFAULT_OPEN_FILES,
        files: Files | None = None,
        scrub: bool = True,
    ) -> None:
        super().__init__(open_files)
        if "$" in os.path.abspath(path):
            raise ConfigurationError(f"{os.fspath(path)} contains '$', which diskcache would expand: rename it")
        layer = files or Files()
        self._root = private_directory(path, layer)
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._active: set[int] = set()
        """Threads in a call. What an interrupt has left behind its thread's next call puts right, or its `close`."""
        try:
            self._rows = ObjectRows(str(self._root), timeout, layer)
            if scrub:
                self._rows.scrub()
        except _FOREIGN as error:
            raise translate(error, "open the disk cache", self._root) from error
        except (TypeError, ValueError, AttributeError) as error:
            # What diskcache stumbles over when its settings table holds something else.
            raise CorruptionError(f"{self._root / DBNAME} is not a usable diskcache database ({error})") from error
        self._database = tuple(f"{self._root}/{DBNAME}{suffix}" for suffix in ("", "-wal", "-shm"))

    def __repr__(self) -> str:
        return f"DiskBackend({str(self._root)!r})"

    @property
    def place(self) -> str:
        return str(self._root)

    def put(self, name: str, content: bytes) -> None:
        check_name(name)
        with self._working(f"store {name}"):
            self._rows.set(name, content)
            self._forget(name)

    def delete(self, name: str) -> bool:
        check_name(name)
        with self._working(f"delete {name}"):
            try:
                return self._rows.remove_object(name)
            finally:
                # Also when removing the file failed: the row, and so the object, may be gone.
                self._forget(name)

    def _open_file(self, name: str) -> OpenFile:
        check_name(name)
        with self._working(f"read {name}"):
            file = self._rows.locate(name)
        if file is None:
            raise ObjectNotFoundError(f"no object {name} in {self._root}")
        return file

    def size(self, name: str) -> int:
        check_name(name)
        with self._working(f"find the size of {name}"):
            size = self._rows.size_of(name)
        if size is None:
            raise ObjectNotFoundError(f"no object {name} in {self._root}")
        return size

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._check_open()
        return self._listing(prefix)

    def _listing(self, prefix: str) -> Iterator[ObjectInfo]:
        after = 0
        while True:
            with self._working("list objects"):
                after, found = self._rows.page(after)
            if not found:
                return
            for info in found:
                if info.name.startswith(prefix):
                    yield info

    def scrub(self) -> None:
        """Remove value files that no row names: their put was never acknowledged. Count the rest. No put may run."""
        with self._working("remove what no row names"):
            self._rows.scrub()

    def is_sound(self) -> bool:
        """Return whether SQLite finds nothing wrong with the database."""
        with self._working("check the database"):
            return self._rows.is_sound()

    def is_whole(self, name: str) -> bool:
        """Return whether an object has a row, and a file of the length that the row states; opens no file."""
        check_name(name)
        with self._working(f"look for {name}"):
            return self._rows.is_whole(name)

    def unnamed_files(self) -> tuple[Path, ...]:
        """Return the value files that no row names."""
        with self._working("list files"):
            return self._rows.unnamed_files()

    def tidy(self) -> None:
        with self._working("fold the database's log"):
            self._rows.fold_log()

    def bytes_on_disk(self) -> int:
        self._check_open()
        with self._working("count the files"):
            files = self._rows.file_bytes()
        return files + sum(regular_size(path) or 0 for path in self._database)

    def close(self) -> None:
        """Wait for running calls, then close every thread's connection. In a forked child, close nothing."""
        if os.getpid() != self._pid:
            self._closed = True
            return
        with self._lock:
            if self._closed:
                return
            self._shut()
            self._active.discard(threading.get_ident())
            self._idle.wait_for(lambda: not self._active)
        self._rows.close_all()

    @contextmanager
    def _working(self, doing: str) -> Iterator[None]:
        """Map foreign errors, and hold off `close`: no connection may be closed under a statement."""
        if os.getpid() != self._pid:
            raise ClosedError(f"{self!r} belongs to process {self._pid}: open one after the fork")
        thread = threading.get_ident()
        with self._lock:
            self._check_open()
            self._active.add(thread)
        try:
            yield
        except _FOREIGN as error:
            raise translate(error, doing, self._root) from error
        finally:
            with self._lock:
                self._active.discard(thread)
                if self._closed:
                    self._idle.notify_all()
