"""Reading ranges of files that stay open: what the directory and the disk backend share.

`OpenFile` owns one descriptor; `FileReads` owns a bounded table of them and the read side of a backend. It
never writes and does not know where files lie: subclasses open them.

Invariant: a descriptor is closed only when nobody can be reading from it. The table and each reader hold
references to the `OpenFile`, and its finaliser closes the descriptor with the last of them, so a number that
the system hands out again is never read by mistake, and the warm path needs no lock.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from abc import abstractmethod
from typing import TYPE_CHECKING

from stratakv.backends.base import Backend
from stratakv.backends.failures import translate
from stratakv.errors import ClosedError, ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_OPEN_FILES = 128

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""No link is followed, and a FIFO put in a file's place does not block."""

_pread = os.pread


class OpenFile:
    """A regular file open for reading.

    Args:
        path: The file.

    Attributes:
        descriptor: Its number, valid as long as this object lives.
        size: Its length in bytes.
        used: Set by each read, cleared by the table's sweep.

    Raises:
        CorruptionError: It is a link or another thing that is no regular file.
        OSError: It cannot be opened.
    """

    __slots__ = ("_path", "descriptor", "size", "used")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self.used = False
        self.descriptor = -1
        try:
            self.descriptor = os.open(path, _FLAGS)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise CorruptionError(f"{os.fspath(path)} is a symbolic link: objects are never links") from error
        status = os.fstat(self.descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(status.st_mode):
            raise CorruptionError(f"{os.fspath(path)} is not a regular file")
        self.size = status.st_size

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self.descriptor >= 0:
            close(self.descriptor)

    def read(self, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, fewer only past the end.

        Raises:
            ConfigurationError: A negative start or length.
            CorruptionError: The file has become shorter since it was opened.
            TierUnavailableError: The medium failed.
        """
        if start < 0 or length < 0:
            raise ConfigurationError(f"a range starts at 0 or later and is not negative: {start}, {length}")
        end = min(start + length, self.size)
        self.used = True
        parts: list[bytes] = []
        while start < end:
            try:
                part = _pread(self.descriptor, end - start, start)
            except OSError as error:
                raise translate(error, f"read {end - start} bytes at {start}", self._path) from error
            if not part:
                raise CorruptionError(f"{os.fspath(self._path)} ends at {start}, before its {self.size} bytes")
            parts.append(part)
            start += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class FileReads(Backend):
    """The read side of a backend whose objects are files.

    Args:
        open_files: Most files kept open; those not read since the last sweep close first (second chance).
    """

    def __init__(self, open_files: int) -> None:
        if open_files < 1:
            raise ConfigurationError(f"open_files is {open_files}: at least 1 is needed")
        self._limit = open_files
        self._table: dict[str, OpenFile] = {}
        self._table_lock = threading.Lock()
        self._drops = 0
        self._closed = False

    @abstractmethod
    def _open_file(self, name: str) -> OpenFile:
        """Open the file of an object, mapping every error, `ClosedError` included."""

    def get(self, name: str) -> bytes:
        file = self._table.get(name) or self._keep_open(name)
        return file.read(0, file.size)

    def get_range(self, name: str, start: int, length: int) -> bytes:
        file = self._table.get(name) or self._keep_open(name)
        if 0 <= start <= start + length <= file.size:
            file.used = True
            try:
                part = _pread(file.descriptor, length, start)
            except OSError as error:
                raise translate(error, f"read {length} bytes of {name} at {start}", name) from error
            if len(part) == length:
                return part
        return file.read(start, length)

    def _keep_open(self, name: str) -> OpenFile:
        drops = self._drops
        file = self._open_file(name)
        with self._table_lock:
            # An object deleted since we began must not come back into the table: it would be served for ever.
            if drops == self._drops and not self._closed:
                self._make_room()
                self._table[name] = file
        return file

    def _make_room(self) -> None:
        table = self._table
        for _ in range(2 * self._limit):
            if len(table) < self._limit:
                return
            oldest = next(iter(table))
            file = table.pop(oldest)
            if file.used:
                file.used = False
                table[oldest] = file
        del table[next(iter(table))]

    def _forget(self, name: str) -> None:
        """Drop an object from the table, AFTER it has been removed or replaced where `_open_file` looks."""
        with self._table_lock:
            self._drops += 1
            self._table.pop(name, None)

    def _shut(self) -> None:
        """Refuse further openings and drop the table; files being read close after their reads."""
        with self._table_lock:
            self._closed = True
            self._table.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{type(self).__name__} is closed")
