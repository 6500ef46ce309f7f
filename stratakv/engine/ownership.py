"""Who owns a store's directory: the `LOCK` file, its lock, and what a fork does to them.

Owns `LOCK` and nothing else in the directory. Its text is the process id of who took it last, for people and messages;
only the lock itself decides. The file stays, but for one that an opening made which came to nothing: whoever waits on
that very file finds, once it has the lock, that it is no longer the directory's, and begins anew.

Invariant: at most one `DirectoryLock` on this machine holds a directory, or several that only read; and no child made
by `os.fork` keeps its parent's lock alive.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import weakref
from contextlib import suppress
from pathlib import Path

from stratakv.backends.durable import private_directory
from stratakv.backends.failures import translate
from stratakv.errors import ClosedError, ConfigurationError, StoreLockedError
from stratakv.files import Files

LOCK_FILE = "LOCK"

_MAX_PID_BYTES = 20
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ELOOP})
_TRIES = 100
"""Openings may remove a directory that they made in vain; one that goes away as often under our hands is none."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class DirectoryLock:
    """The right to open the store in a directory.

    Args:
        path: The store's directory. Nothing is touched before `acquire`.

    Attributes:
        forked: Whether this is the copy in a child process. It holds nothing, and `acquire` refuses.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._given = os.fspath(path)
        self.path = Path(path)
        self.forked = False
        self._descriptor: int | None = None
        self._made: list[Path] = []

    def __repr__(self) -> str:
        return f"DirectoryLock({str(self.path)!r}, held={self.held})"

    @property
    def held(self) -> bool:
        """Whether this process holds the directory through this object."""
        return self._descriptor is not None

    def acquire(self, *, shared: bool = False) -> None:
        """Take the directory, making it with mode 0700 if missing.

        Args:
            shared: Beside others that take it so, which only read, and beside nobody else.

        Raises:
            ConfigurationError: The path is a file or not writable, or its file system has no locks. A
                directory that was there is unchanged.
            StoreLockedError: It is held by another process, or by this one already; `pid` names the owner.
            CapacityError: No room for the directory or the file.
            TierUnavailableError: The file system refused otherwise.
            ClosedError: This is a copy in a child process.
        """
        if self.forked:
            raise ClosedError(f"this lock on {self.path} belongs to the parent process: open the store anew")
        if self._descriptor is not None:
            raise self._locked_error()
        absolute = Path(os.path.abspath(self._given))
        missing = [folder for folder in (absolute, *absolute.parents) if not os.path.lexists(folder)]
        descriptor, created = self._lock_file(fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        place = absolute / LOCK_FILE
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            # The number is for people; the lock itself needs no room, and a full disk must not keep the owner out.
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                os.close(descriptor)
                raise translate(error, "write the lock file", place) from error
        self._descriptor = descriptor
        self._made = [place, *missing] if created else []
        _held.add(self)

    def release(self) -> None:
        """Give the directory back. Idempotent; in a child process it does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        _held.discard(self)
        if descriptor is None:
            return
        try:
            if read_owner_pid(self.path) == os.getpid():  # another reader's stays
                with suppress(OSError):  # An old process id in the file harms nobody: only the lock counts.
                    os.ftruncate(descriptor, 0)
            # Not left to close: a copy of the descriptor in another process would keep the lock.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def withdraw(self) -> None:
        """Give the directory back as it was found: without the file and the empty folders that `acquire` made."""
        made, self._made = self._made, []
        if made and self._descriptor is not None and self._is_alone(self._descriptor, made[0]):
            with suppress(OSError):  # not empty, say: somebody has begun to use it
                made[0].unlink()
                for folder in made[1:]:
                    folder.rmdir()
        self.release()

    def _is_alone(self, descriptor: int, place: Path) -> bool:
        """Tell whether nobody else holds the file that `place` names now. It is on its way out: a lock may be lost."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return _is_same_file(descriptor, place)

    def _lock_file(self, how: int) -> tuple[int, bool]:
        """Return a descriptor that holds the lock on the directory's `LOCK`, and whether this made the file."""
        tries = 0
        while True:
            place = private_directory(self._given, Files()) / LOCK_FILE
            try:
                descriptor, created = _open_or_create(place)
            except OSError as error:
                tries += 1
                if error.errno == errno.ENOENT and tries < _TRIES:
                    continue  # removed in this moment, by who made it in vain
                if error.errno in _REFUSED:
                    raise ConfigurationError(f"{place} cannot be written: change its permissions ({error})") from error
                raise translate(error, "open the lock file", place) from error
            try:
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
                if _is_same_file(descriptor, place):
                    return descriptor, created
            except BlockingIOError:
                os.close(descriptor)
                raise self._locked_error() from None
            except OSError as error:
                os.close(descriptor)
                if error.errno in _NO_LOCKS:
                    raise ConfigurationError(f"the file system of {place} has no locks: use a local disk") from error
                raise translate(error, "lock the directory", place) from error
            # Somebody removed the file between our opening and our locking it.
            os.close(descriptor)

    def _locked_error(self) -> StoreLockedError:
        pid = read_owner_pid(self.path)
        if pid == os.getpid():
            owner = f"open already in this process (pid {pid})"
        elif pid is None:
            owner = "in use by another process whose pid could not be read"
        else:
            owner = f"in use by process {pid}"
        return StoreLockedError(f"the store in {self.path} is {owner}: close it there first", pid)

    def _leave_to_parent(self) -> None:
        """In a child: close our copy of the descriptor; to unlock it would unlock the parent's."""
        descriptor, self._descriptor = self._descriptor, None
        self.forked = True
        if descriptor is not None:
            os.close(descriptor)


_held: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()
"""Locks held by this process; weak, so that a forgotten store is not kept alive."""


def _after_fork_in_child() -> None:
    for lock in tuple(_held):
        lock._leave_to_parent()  # noqa: SLF001  # the class's own other half; nobody else may call it
    _held.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _open_or_create(place: Path) -> tuple[int, bool]:
    """Return a descriptor, and whether the file was made."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(place, flags | os.O_CREAT | os.O_EXCL, 0o600), True
    except FileExistsError:
        return os.open(place, flags), False


def _is_same_file(descriptor: int, place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), place.lstat())
    except FileNotFoundError:
        return False


def read_owner_pid(path: str | os.PathLike[str]) -> int | None:
    """Return the process id written in a directory's `LOCK`; None where none can be read.

    After `kill -9` it is the dead owner's until the next one opens the store, so it names an owner and proves
    none.
    """
    try:
        descriptor = os.open(Path(path) / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        # Missing or unreadable: there is no id to name, which is all that was asked.
        return None
    try:
        text = os.read(descriptor, _MAX_PID_BYTES).strip()
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return int(text) if text.isdigit() else None


def remove_store(path: Path) -> None:
    """Remove a store's directory, though a reader that comes late may be closing its catalog in it."""
    while path.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(path)
