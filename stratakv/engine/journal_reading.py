"""Reading many payloads of closed journal segments: each is opened once, and nobody who appends is held up.

For the checkpoint, which is the only one to drop segments and so knows that they stay while it reads.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from stratakv.engine.journal_format import segment_path
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.engine.journal_format import Location


class SegmentReader:
    """Open segments; for one thread, as a context manager.

    Args:
        directory: Where the segments lie.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._descriptors: dict[int, int] = {}

    def read(self, location: Location) -> bytes:
        """Return bytes of a segment.

        Raises:
            CorruptionError: The segment is missing or ends before.
        """
        segment, offset, length = location
        descriptor = self._descriptors.get(segment)
        if descriptor is None:
            descriptor = self._descriptors[segment] = self._open(segment)
        content = os.pread(descriptor, length, offset)
        if len(content) != length:
            raise CorruptionError(f"journal segment {segment} ends before offset {offset + length}")
        return content

    def _open(self, segment: int) -> int:
        try:
            return os.open(segment_path(self._directory, segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as missing:
            raise CorruptionError(f"journal segment {segment} is missing") from missing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()
