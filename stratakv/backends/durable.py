"""Making private directories and whole files that survive power loss. Knows nothing of objects or names.

Invariant: what these functions return from is on the medium, if the file layer's `sync` tells the truth; a
function that raises leaves no file behind.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stratakv.backends.failures import translate
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from stratakv.files import Files

_EFFECTIVE = os.access in os.supports_effective_ids
_NO_PLACE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG})

TRIES = 20
"""So often a directory is made whose parents go while it is made."""


class _VanishedError(Exception):
    """A folder that was there has gone."""


def private_directory(path: str | os.PathLike[str], files: Files) -> Path:
    """Return the absolute path of a writable directory; a missing one is made, with its parents, mode 0700.

    Raises:
        ConfigurationError: The path is empty, a file, or not writable. Nothing was changed.
        CapacityError: No room.
        TierUnavailableError: The file system refused otherwise.
    """
    text = os.fspath(path)
    if not text or "\0" in text:
        raise ConfigurationError(f"{text!r} is no path of a directory: give one")
    place = Path(os.path.abspath(text))
    vanished: _VanishedError | None = None
    for _ in range(TRIES):
        # An opening that comes to nothing elsewhere removes the folders that it made, maybe those just seen here.
        try:
            _make_missing(place, files)
        except _VanishedError as gone:
            vanished = gone
        else:
            return place
    raise ConfigurationError(f"{place} cannot be made: give another path ({vanished})") from vanished


def _make_missing(place: Path, files: Files) -> None:
    missing: list[Path] = []
    existing = place
    while not os.path.lexists(existing):
        missing.append(existing)
        existing = existing.parent
    if not existing.is_dir():
        _raise_where_gone(existing)
        raise ConfigurationError(f"{existing} is not a directory: give a path where one can be")
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE):
        _raise_where_gone(existing)
        raise ConfigurationError(f"{existing} is not writable: change its permissions or give another path")
    for folder in reversed(missing):
        try:
            make_folder(folder)
            files.sync_directory(folder.parent)
        except FileNotFoundError as error:
            raise _VanishedError(error) from error
        except OSError as error:
            if error.errno in _NO_PLACE:
                raise ConfigurationError(f"{folder} cannot be made: give another path ({error})") from error
            raise translate(error, f"make the directory {folder}", existing) from error


def _raise_where_gone(folder: Path) -> None:
    if not os.path.lexists(folder):
        raise _VanishedError(f"{folder} is gone")


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make one directory, mode 0700. One that is there already is fine, whoever made it."""
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)


def write_file(files: Files, path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write a file of mode 0600 whole and sync it; its directory entry is the caller's to sync.

    Raises:
        OSError: As the file layer raised it; the file is removed.
    """
    try:
        descriptor = files.open_append(path)
        try:
            taken = files.write(descriptor, [content]) if content else 0
            while taken < len(content):
                # A write may be short: at 2 GiB always, on a nearly full disk before the error.
                taken += files.write(descriptor, [content[taken:]])
            if sync:
                files.sync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        with suppress(FileNotFoundError):
            files.unlink(path)
        raise


def regular_size(path: str | os.PathLike[str]) -> int | None:
    """Return the length of a regular file in bytes, links not followed; None where there is none."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
