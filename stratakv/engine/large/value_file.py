"""`ValueFile`: a bytes value as a file that is read a few chunks at a time.

Shows the value as it was when it was opened, whatever becomes of its key: a lease keeps its chunks until it is closed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from stratakv.engine.large.chunk_writing import release_all
from stratakv.engine.large.ranges import as_file
from stratakv.engine.pack_source import RETRIES, PackGoneError
from stratakv.engine.serialization.extents import HEAD_BYTES, extent_of
from stratakv.engine.wrapping import MISSING
from stratakv.errors import ClosedError, ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.dirty import Lease
    from stratakv.engine.large.manifest import Manifest
    from stratakv.engine.parts import Parts
    from stratakv.engine.reading import Reader
    from stratakv.engine.state import State

    Buffer = bytearray | memoryview

READ_AHEAD_BYTES = 128 * 1024


class ValueFile(io.RawIOBase):
    """Reads one large value.

    Args:
        parts: The store's pieces.
        reader: Reads chunks.
        manifest: The value's.
        pinned: Where its key is pinned.
        lease: Keeps the manifest, and so its chunks, from being collected.
        check_open: Raises where the store is closed.
        corrupt: Counts damage, and returns the error that names the key.
    """

    def __init__(
        self,
        parts: Parts,
        reader: Reader,
        manifest: Manifest,
        pinned: int,
        lease: Lease,
        check_open: Callable[[], None],
        corrupt: Callable[[CorruptionError], CorruptionError],
    ) -> None:
        super().__init__()
        self._corrupt = corrupt
        self._parts = parts
        self._assembler = reader.assembler
        self._manifest = manifest
        self._pinned = pinned
        self._lease = lease
        self._check_open = check_open
        head = b"".join(self._assembler.part(manifest, 0, min(HEAD_BYTES, manifest.size), pinned))
        extent = extent_of(head, manifest.size)
        if extent is None or extent.width != 1 or extent.make not in (bytes, bytearray):
            raise ConfigurationError("only bytes are opened as a file: read rows of an array with retrieve_range()")
        self._start, self._size = extent.start, extent.items
        self._at = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position: from the start, from here, or from the end; beyond the end there is nothing to read."""
        if self.closed:
            raise ValueError("the file is closed")
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}.get(whence)
        if base is None:
            raise ValueError(f"whence is 0, 1 or 2, not {whence}")
        if base + offset < 0:
            raise ValueError(f"position {base + offset} is before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:  # type: ignore[override]  # any writable buffer
        """Fill a buffer as far as the value reaches; return how many bytes that were.

        Raises:
            ClosedError: The store was closed.
            CorruptionError, TierUnavailableError: A chunk cannot be read.
        """
        if self.closed:
            raise ValueError("the file is closed")
        self._check_open()
        view = memoryview(buffer).cast("B")
        stop = min(self._at + len(view), self._size)
        filled = 0
        if self._at < stop:
            wanted = self._assembler.part(self._manifest, self._start + self._at, self._start + stop, self._pinned)
            try:
                for content in wanted:
                    view[filled : filled + len(content)] = content
                    filled += len(content)
            except CorruptionError as failure:
                raise self._corrupt(failure) from failure
        self._at += filled
        return filled

    def close(self) -> None:
        """Let the value go."""
        if not self.closed:
            release_all(self._parts, [self._lease])
        super().close()


def open_value(parts: Parts, reader: Reader, key: str, check_open: Callable[[], None]) -> io.BufferedReader | None:
    """Open a key's bytes; None where it has none.

    Raises:
        ConfigurationError: Its value is not bytes.
    """
    for _ in range(RETRIES):
        state = reader.live_state(key)
        if state is None or state.digest is None:
            return None
        (lease,) = parts.dirty.hold([state.digest])
        try:
            opened = _opened(parts, reader, key, state, lease, check_open)
        except (PackGoneError, KeyError):
            opened = None
        except CorruptionError as failure:
            release_all(parts, [lease])
            if not reader.has_moved(key, state):
                raise reader.corrupt(failure, key, state) from failure
            continue
        except BaseException:
            release_all(parts, [lease])
            raise
        if opened is not None:
            return opened
        release_all(parts, [lease])
    raise ClosedError(f"{key!r} changed {RETRIES} times while it was opened")


def _opened(
    parts: Parts, reader: Reader, key: str, state: State, lease: Lease, check_open: Callable[[], None]
) -> io.BufferedReader | None:
    """Return the file of a state that is leased; None where the key has changed meanwhile."""
    again = reader.live_state(key)
    if again is None or again.digest != state.digest:
        return None
    manifest = reader.manifest_of(again)
    if manifest is None:
        release_all(parts, [lease])
        return as_file(reader.get(key, MISSING))
    file = ValueFile(
        parts, reader, manifest, again.pin, lease, check_open, lambda failure: reader.corrupt(failure, key, again)
    )
    return io.BufferedReader(file, READ_AHEAD_BYTES)
