"""Read-only views of the tiers' directories: what verification looks through.

Opening `DiskBackend` or `DirectoryBackend` clears away what a crash left behind and writes diskcache's settings. A view
does nothing of the kind: it makes no file or directory, removes none and writes no row. Each needs the directory to
itself, as the backends do.
"""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from diskcache.core import DBNAME

from stratakv.backends.base import ObjectInfo, ObjectNotFoundError
from stratakv.backends.disk_rows import is_value_file
from stratakv.backends.durable import regular_size
from stratakv.backends.failures import translate
from stratakv.backends.names import check_name, is_name
from stratakv.backends.open_files import DEFAULT_OPEN_FILES, FileReads, OpenFile
from stratakv.errors import ClosedError, CorruptionError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator


class _View(FileReads):
    """Objects in files, found by `_find`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(DEFAULT_OPEN_FILES)
        self._root = Path(path)

    @abstractmethod
    def _find(self, name: str) -> Path | None:
        """Return the file of an object, None where no object has the name."""

    def _open_file(self, name: str) -> OpenFile:
        check_name(name)
        self._check_open()
        file = self._find(name)
        try:
            if file is not None:
                return OpenFile(file)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            # The same to a reader as an object that was never there.
            pass
        except OSError as error:
            raise translate(error, f"open {name}", self._root) from error
        raise ObjectNotFoundError(f"no object {name} in {self._root}")

    @property
    def place(self) -> str:
        return str(self._root)

    def size(self, name: str) -> int:
        return self._open_file(name).size

    def bytes_on_disk(self) -> int:
        return sum(info.size for info in self.list())

    def put(self, name: str, content: bytes) -> None:
        raise ClosedError(f"{self._root} is open for reading: {name} of {len(content)} bytes cannot be stored")

    def delete(self, name: str) -> bool:
        raise ClosedError(f"{self._root} is open for reading: {name} cannot be deleted")

    def close(self) -> None:
        self._shut()


class DirectoryView(_View):
    """What a `DirectoryBackend` holds; nothing where the directory does not exist.

    Args:
        path: The directory.
        remote: As of the backend.
    """

    def __init__(self, path: str | os.PathLike[str], *, remote: bool = False) -> None:
        super().__init__(path)
        self.remote = remote

    def _find(self, name: str) -> Path | None:
        return self._root / name

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._check_open()
        for path in sorted(self._root.rglob("*")):
            name = path.relative_to(self._root).as_posix()
            size = regular_size(path)
            if size is not None and is_name(name) and name.startswith(prefix):
                yield ObjectInfo(name, size)


class DiskView(_View):
    """What a `DiskBackend` holds by its rows; nothing where the directory does not exist.

    Raises:
        CorruptionError: The database is missing, damaged or not a diskcache.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(path)
        self._files: dict[str, tuple[str, int]] = {}
        database = self._root / DBNAME
        if self._root.exists():
            if not database.exists():
                raise CorruptionError(f"the database {database} is missing")
            self._files = self._rows(database)

    def _rows(self, database: Path) -> dict[str, tuple[str, int]]:
        log = database.with_name(DBNAME + "-wal")
        # Without a log nothing can come in beside us, and SQLite is told not to make its side files.
        how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
        try:
            connection = sqlite3.connect(f"file:{quote(str(database))}?{how}", uri=True)
            try:
                if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
                    raise CorruptionError(f"the database {database} is damaged: its pages contradict each other")
                rows = connection.execute("SELECT key, filename, size FROM Cache WHERE raw = 1").fetchall()
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            raise CorruptionError(f"{database} is not a usable diskcache database ({error})") from error
        except sqlite3.Error as error:
            raise translate(error, "read the disk cache", self._root) from error
        found = {}
        for key, filename, size in rows:
            if type(key) is not str or type(filename) is not str or not is_value_file(filename):
                raise CorruptionError(f"{self._root} holds a row that stratakv did not write: {key!r}, {filename!r}")
            found[key] = (filename, size)
        return found

    def _find(self, name: str) -> Path | None:
        row = self._files.get(name)
        return None if row is None else self._root / row[0]

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._check_open()
        return (ObjectInfo(name, size) for name, (_, size) in self._files.items() if name.startswith(prefix))
