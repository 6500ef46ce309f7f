"""`DirectoryBackend`: one file an object, in the folders that the object's name spells.

Owns everything under its directory; one process opens it at a time (the store's lock sees to that), but for a `remote`
one, which others may reach too. Partial files lie in `.partial/`, which no name can reach, and are removed at the next
opening, where others may be writing once they are a day old.

Invariant: a file under an object's name is whole and, with `fsync`, durable: it was synced before it was
renamed there, and `put` returns after the folders that lead to it are synced, too.
"""

from __future__ import annotations

import errno
import itertools
import os
import secrets
import stat
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from stratakv.backends.base import ObjectInfo, ObjectNotFoundError
from stratakv.backends.durable import make_folder, private_directory, regular_size, write_file
from stratakv.backends.failures import translate
from stratakv.backends.names import check_name, is_name
from stratakv.backends.open_files import DEFAULT_OPEN_FILES, FileReads, OpenFile
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.files import Files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PARTIAL = ".partial"

ABANDONED_SECONDS = 86_400.0
"""A partial file in a directory that others reach as well is left over after so long."""
_NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


class DirectoryBackend(FileReads):
    """Objects as files.

    Args:
        path: The directory; made, with mode 0700, if missing.
        fsync: Whether a put or a delete is durable on return. If not, power loss may lose or cut objects.
        open_files: Most files kept open for reading.
        files: The file layer; tests pass one that fails or forgets.
        remote: Whether it is to be treated as a place that outlives this machine, as a mounted one may.

    Raises:
        ConfigurationError: The path cannot be a private directory. Nothing was changed.
        CapacityError: No room.
        TierUnavailableError: The file system refused.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fsync: bool = True,
        open_files: int = DEFAULT_OPEN_FILES,
        files: Files | None = None,
        remote: bool = False,
    ) -> None:
        super().__init__(open_files)
        self.remote = remote
        self._files = files or Files()
        self._fsync = fsync
        self._root = private_directory(path, self._files)
        self._lock = threading.Lock()
        self._synced: set[str] = set()
        self._bytes: int | None = None
        """Length of all objects, kept as they come and go; None until first asked for: it takes a look at each."""
        self._writer = secrets.token_hex(8)  # no process id: other machines, and other backends here, have the same
        self._numbers = itertools.count()
        try:
            self._remove_leftovers()
        except OSError as error:
            raise translate(error, "open the directory", self._root) from error

    def __repr__(self) -> str:
        return f"DirectoryBackend({str(self._root)!r})"

    @property
    def place(self) -> str:
        return str(self._root)

    # -- writing ---------------------------------------------------------------------------------------------

    def put(self, name: str, content: bytes) -> None:
        self._store(name, content, fresh=False)

    def create(self, name: str, content: bytes) -> bool:
        try:
            self._store(name, content, fresh=True)
        except FileExistsError:
            return False
        return True

    def _store(self, name: str, content: bytes, *, fresh: bool) -> None:
        """Store an object; with `fresh` FileExistsError where there is one of that name."""
        check_name(name)
        self._check_open()
        partial = self._root / _PARTIAL / f"{self._writer}-{next(self._numbers)}"
        target = self._root / name
        try:
            write_file(self._files, partial, content, sync=self._fsync)
            try:
                self._publish(name, partial, target, len(content), fresh=fresh)
            except BaseException:
                with suppress(FileNotFoundError):
                    self._files.unlink(partial)
                raise
        except FileExistsError:
            raise
        except OSError as error:
            raise translate(error, f"store {name}", target) from error
        self._forget(name)

    def _publish(self, name: str, partial: Path, target: Path, size: int, *, fresh: bool) -> None:
        """Give a synced file its name."""
        with self._lock:
            self._check_open()
            self._make_folders(name)
            if self._is_folder(target, links=True):
                self._remove_folder(name, target)
            before = regular_size(target)
            if fresh:
                self._files.link(partial, target)  # the one call that other processes cannot come before
                self._files.unlink(partial)
            else:
                self._files.replace(partial, target)
            if self._bytes is not None:
                self._bytes += size - (before or 0)
        if self._fsync:
            try:
                self._files.sync_directory(target.parent)
            except BaseException:
                if before is None:
                    # The put fails, so nothing of it may stay visible; one put again was acknowledged before.
                    self._unlink(target)
                raise

    def delete(self, name: str) -> bool:
        check_name(name)
        self._check_open()
        target = self._root / name
        try:
            found = self._has_folders(name) and self._unlink(target)
            if found:
                self._forget(name)
                if self._fsync:
                    self._files.sync_directory(target.parent)
        except OSError as error:
            raise translate(error, f"delete {name}", target) from error
        return found

    def _unlink(self, target: Path) -> bool:
        with self._lock:
            size = regular_size(target)
            if size is None:
                return False
            self._files.unlink(target)
            if self._bytes is not None:
                self._bytes -= size
        return True

    # -- folders ---------------------------------------------------------------------------------------------

    def _make_folders(self, name: str) -> None:
        """Make the folders of an object, durably. The lock is held, so that no put overtakes a sync."""
        folder = name.rpartition("/")[0]
        if self._has_folders(name) and (not folder or folder in self._synced):
            return
        place = self._root
        for part in folder.split("/"):
            parent, place = place, place / part
            make_folder(place)
            if not self._is_folder(place):
                shown = place.relative_to(self._root)
                raise ConfigurationError(f"{shown} is an object, so no folder of others: choose another name")
            if self._fsync:
                # Also where it was there: a process that died may have made it and not synced it.
                self._files.sync_directory(parent)
        self._synced.add(folder)

    def _remove_folder(self, name: str, place: Path) -> None:
        """Make way for an object whose name was a folder's, which only an empty one does."""
        try:
            place.rmdir()
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            raise ConfigurationError(f"{name} is a folder of other objects: choose another name") from error

    def _has_folders(self, name: str) -> bool:
        """Return whether the folders of an object exist. Asked each time, so that no link slips in later.

        Raises:
            CorruptionError: One of them is a link.
        """
        end = name.find("/")
        while end > 0:
            if not self._is_folder(f"{self._root}/{name[:end]}"):
                return False
            end = name.find("/", end + 1)
        return True

    def _is_folder(self, place: str | os.PathLike[str], *, links: bool = False) -> bool:
        try:
            mode = os.lstat(place).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if stat.S_ISLNK(mode) and not links:
            raise CorruptionError(f"{place} is a symbolic link: stratakv follows none inside {self._root}")
        return stat.S_ISDIR(mode)

    # -- reading ---------------------------------------------------------------------------------------------

    def _open_file(self, name: str) -> OpenFile:
        check_name(name)
        self._check_open()
        path = f"{self._root}/{name}"
        try:
            if self._has_folders(name):
                return OpenFile(path)
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise translate(error, f"open {name}", path) from error
        raise ObjectNotFoundError(f"no object {name} in {self._root}")

    def size(self, name: str) -> int:
        check_name(name)
        self._check_open()
        path = self._root / name
        try:
            size = regular_size(path) if self._has_folders(name) else None
        except OSError as error:
            raise translate(error, f"find the size of {name}", path) from error
        if size is None:
            raise ObjectNotFoundError(f"no object {name} in {self._root}")
        return size

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._check_open()
        folder = prefix.rpartition("/")[0]
        if folder and not is_name(folder):
            return iter(())
        return self._listing(folder, prefix)

    def _listing(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        try:
            if self._has_folders(f"{folder}/"):
                yield from self._walk(folder, prefix)
        except OSError as error:
            raise translate(error, "list objects", self._root) from error

    def _walk(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        """Yield the objects below a folder. Links, and files that no name spells, are not objects."""
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(f"{self._root}/{folder}") as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in found:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if not is_name(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(name)
                elif name.startswith(prefix):
                    size = regular_size(entry.path)
                    if size is not None:
                        yield ObjectInfo(name, size)

    def bytes_on_disk(self) -> int:
        self._check_open()
        try:
            with self._lock:  # nothing may come or go between the count and its first change
                if self._bytes is None:
                    self._bytes = sum(info.size for info in self._walk("", ""))
                return self._bytes
        except OSError as error:
            raise translate(error, "count the objects", self._root) from error

    def close(self) -> None:
        self._shut()

    def _remove_leftovers(self) -> None:
        """Empty the folder of partial files: none of them was acknowledged."""
        place = self._root / _PARTIAL
        make_folder(place)
        if not self._is_folder(place):
            raise ConfigurationError(f"{place} is a file: give a directory of the backend's own")
        os.utime(place)
        now = place.stat().st_mtime  # by the clock that the files have theirs from
        for path in tuple(place.iterdir()):
            with suppress(FileNotFoundError):  # another one that opens it may be as far
                # Where others write as well, a young one may be a put of theirs.
                if not self.remote or now - path.lstat().st_mtime > ABANDONED_SECONDS:
                    self._files.unlink(path)
