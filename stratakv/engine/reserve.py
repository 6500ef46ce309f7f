"""The reserve: a small preallocated file that is given back when the disk is full.

It lets deletions be journaled and a checkpoint and a compaction run, so that space can return; writes of new values
do not get it. Invariant: the file is either there at full size, with its blocks allocated, or gone.
"""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Reserve:
    """The reserve of one store.

    Args:
        path: The file.
        size: Its length in bytes; 0 for no reserve.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._lock = threading.Lock()
        self._held = path.exists() and path.stat().st_size == size

    def fill(self) -> bool:
        """Allocate the file if it is not there; False while there is no room for it."""
        with self._lock:
            if self._held or not self._size:
                return True
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self._size)
            except OSError as failure:
                self._path.unlink()
                if failure.errno in (errno.ENOSPC, errno.EDQUOT):
                    return False
                raise
            finally:
                os.close(descriptor)
            self._held = True
            return True

    def give_back(self) -> bool:
        """Free the file's blocks; False if they were free already."""
        with self._lock:
            if not self._held:
                return False
            self._path.unlink()
            self._held = False
            return True

    @property
    def lent(self) -> bool:
        """Whether the room is in other use now, so that new values must wait until it can be taken back."""
        return self._size > 0 and not self._held

    @property
    def bytes_on_disk(self) -> int:
        """Length of the file now."""
        return self._size if self._held else 0
