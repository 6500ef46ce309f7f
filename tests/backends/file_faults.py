"""File layers that fail on request, for the tests of backends."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from stratakv.files import Files

if TYPE_CHECKING:
    from pathlib import Path


class FaultyFiles(Files):
    """Fails while `failing` names the operation: write (half of the bytes arrive), sync or sync_directory.

    Attributes:
        failing: Operation to errno.
        events: What was done to which path's last part, in order.
    """

    def __init__(self) -> None:
        self.failing: dict[str, int] = {}
        self.events: list[tuple[str, str]] = []

    def _fail(self, operation: str) -> None:
        if operation in self.failing:
            number = self.failing[operation]
            raise OSError(number, os.strerror(number))

    def write(self, descriptor: int, parts: list[bytes]) -> int:
        if "write" in self.failing:
            super().write(descriptor, [part[: len(part) // 2] for part in parts])
        self._fail("write")
        return super().write(descriptor, parts)

    def sync(self, descriptor: int) -> None:
        self._fail("sync")
        self.events.append(("sync", ""))
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self._fail("sync_directory")
        self.events.append(("sync_directory", path.name))
        super().sync_directory(path)

    def replace(self, source: Path, target: Path) -> None:
        self._fail("replace")
        self.events.append(("replace", target.name))
        super().replace(source, target)

    def unlink(self, path: Path) -> None:
        self._fail("unlink")
        self.events.append(("unlink", path.suffix))
        super().unlink(path)


class ShortWrites(Files):
    """Takes at most seven bytes a write."""

    def write(self, descriptor: int, parts: list[bytes]) -> int:
        return super().write(descriptor, [parts[0][:7]])


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
