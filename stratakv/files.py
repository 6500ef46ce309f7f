"""The file layer: the few operations whose order and durability the store's promises rest on.

`Files` calls the operating system. A test may pass a subclass that forgets what was not synced, which is how power
loss is rehearsed. Nothing here interprets bytes, and no error is softened.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


MOST_PARTS = 1024
"""More parts in one call are refused by Linux and macOS (IOV_MAX)."""


class Files:
    """Durable file operations on a POSIX system. Stateless, so one instance serves all threads."""

    def open_append(self, path: Path) -> int:
        """Open, creating it with mode 0600 if missing, a file that every write extends; return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, parts: list[bytes]) -> int:
        """Write the parts one behind the other; return how many bytes were taken, which may be fewer than all."""
        if len(parts) > MOST_PARTS:
            parts = [b"".join(parts)]
        return os.writev(descriptor, parts)

    def write_all(self, descriptor: int, parts: list[bytes], total: int) -> None:
        """Write the parts whole; `total` is their length. Where it raises, some of the bytes may have been written."""
        taken = self.write(descriptor, parts)
        while taken < total:
            # A short write on a regular file: the disk filled up, or a signal came in between.
            more = self.write(descriptor, [b"".join(parts)[taken:]])
            if not more:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            taken += more

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file to `length` bytes."""
        os.ftruncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        """Return when the file's bytes and length are on the medium."""
        os.fdatasync(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Return when the directory's entries are on the medium."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """Rename over an existing file, atomically. Durable only after `sync_directory`."""
        source.replace(target)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name. FileExistsError where the name is taken. Durable only after `sync_directory`."""
        os.link(source, target)

    def unlink(self, path: Path) -> None:
        """Remove a file. Durable only after `sync_directory`."""
        path.unlink()
