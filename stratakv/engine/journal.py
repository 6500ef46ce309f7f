"""The journal: an append-only log of acknowledged writes, and the order in which they become visible.

Owns the files `journal/NNNNNNNNNNNNNNNN.log` (segments, named by their first sequence number). It knows neither keys
nor blobs: a record is a type and a body. Its invariant: records become visible (`apply`) in the order in which they
stand in the log, and never before the durability that was asked for.
"""

from __future__ import annotations

import errno
import os
import threading
import zlib
from typing import TYPE_CHECKING

from stratakv.engine.group_commit import GroupCommit
from stratakv.engine.journal_format import (
    MAX_BODY_BYTES,
    RECORD_CHECKED,
    RECORD_HEADER,
    RECORD_MAGIC,
    SEGMENT_HEADER,
    Location,
    segment_header,
    segment_path,
)
from stratakv.engine.pending import Apply, Pending, show
from stratakv.errors import CapacityError, ClosedError, CorruptionError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratakv.files import Files


class Journal:
    """The writing end.

    Args:
        directory: Where the segments lie; it exists.
        durability: `process`, `sync` or `none`.
        next_sequence: The number of the next record.
        older: Segments with records that no checkpoint has covered yet, as replay found them.
        files: The file layer.
        make_room: Called once when the disk is full while an urgent record (a deletion) is written; it gives back
            the reserve.
    """

    def __init__(
        self,
        directory: Path,
        *,
        durability: str,
        next_sequence: int,
        older: dict[int, int],
        files: Files,
        make_room: Callable[[], bool],
    ) -> None:
        self._directory = directory
        self._files = files
        self._make_room = make_room
        self._in_groups = durability == "sync"
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._group = GroupCommit(self._lock)
        self._next = next_sequence
        self._descriptors: dict[int, int] = {}
        self._sizes: dict[int, int] = dict(older)
        self._failure: str | None = None
        self._unsynced = False
        for segment in older:
            self._adopt(segment)
        self._start_segment()

    def _adopt(self, segment: int) -> None:
        """Open an earlier owner's segment and sync it: a killed one may not have, and no later one may overtake it."""
        path = segment_path(self._directory, segment)
        try:
            self._descriptors[segment] = self._files.open_append(path)
            self._files.sync(self._descriptors[segment])
        except OSError as failure:
            self.abandon()
            raise TierUnavailableError(f"journal segment {path.name} cannot be synced: {failure}") from failure

    # -- writing ---------------------------------------------------------------------------------------------

    def append(self, kind: int, parts: list[bytes], apply: Apply, *, urgent: bool = False) -> int:
        """Write one record, then call `apply` once it may become visible; return its sequence number.

        Raises:
            CapacityError: The disk is full; the log is as it was before.
            ClosedError: An earlier write or sync failed, or the journal is closed.
        """
        length = 0
        for part in parts:
            length += len(part)
        if length > MAX_BODY_BYTES:
            raise CapacityError(f"a record of {length} bytes is too large for the journal (4 GiB): split the value")
        waiting: Pending | None = None
        try:
            with self._lock:
                if self._failure is not None:
                    raise ClosedError(self._failure)
                sequence = self._next
                crc = zlib.crc32(RECORD_CHECKED.pack(kind, 0, length, sequence), self._salt)
                for part in parts:
                    crc = zlib.crc32(part, crc)
                header = RECORD_HEADER.pack(RECORD_MAGIC, kind, 0, length, crc, sequence)
                segment = self._segment
                start = self._sizes[segment]
                offset = start + RECORD_HEADER.size
                try:
                    self._write([header, *parts], RECORD_HEADER.size + length, urgent=urgent)
                    self._sizes[segment] = offset + length
                    self._next = sequence + 1
                    self._unsynced = True
                    if self._in_groups:
                        waiting = Pending(apply, sequence, segment, offset)
                        self._group.add(waiting)
                except BaseException:  # an interrupt may come between any two of these steps
                    self._take_back(sequence, start)
                    raise
                if waiting is None:
                    show(apply, sequence, segment, offset)
                    return sequence
            self._group.wait(waiting, self._lead)
        except BaseException:
            if waiting is not None:
                self._group.leave(waiting)
            raise
        return sequence

    def _take_back(self, sequence: int, start: int) -> None:
        """Make the log what it was before a record that was interrupted. The lock is held."""
        self._sizes[self._segment] = start
        self._next = sequence
        self._group.withdraw(sequence)
        self._undo_partial_write(self._descriptors[self._segment])

    def _lead(self, record: Pending) -> None:
        """Sync for a record and all that wait with it, unless somebody else has meanwhile."""
        with self._sync_lock:
            if not record.visible:
                self._sync_pending()

    def _sync_pending(self) -> None:
        """Sync the log and make all records written so far visible, in order. The sync lock is held."""
        try:
            with self._lock:
                if self._failure is not None:
                    raise ClosedError(self._failure)
                descriptor = self._descriptors[self._segment]
                self._unsynced = False
                batch = self._group.waiting()
            self._files.sync(descriptor)
            for record in batch:
                record.show()
        except OSError as failure:
            raise self._give_up(failure) from failure
        except BaseException:
            self._unsynced = True  # interrupted: whoever comes next syncs and shows what waits
            raise
        finally:
            with self._lock:
                self._group.advance()

    def _write(self, parts: list[bytes], total: int, *, urgent: bool) -> None:
        descriptor = self._descriptors[self._segment]
        try:
            self._files.write_all(descriptor, parts, total)
        except OSError as failure:
            self._undo_partial_write(descriptor)
            if failure.errno not in (errno.ENOSPC, errno.EDQUOT):
                self._latch(f"the journal could not be written ({failure}); reopen the store")
                raise ClosedError(self._failure) from failure
            if urgent and self._make_room():
                self._write(parts, total, urgent=False)
                return
            raise CapacityError(
                f"no space left under {self._directory.parent}: nothing was stored; free space and try again"
            ) from failure

    def _undo_partial_write(self, descriptor: int) -> None:
        try:
            self._files.truncate(descriptor, self._sizes[self._segment])
        except BaseException as second:
            self._latch(f"the journal could not be cut back after a failed write ({second!r}); reopen the store")
            raise ClosedError(self._failure) from second

    def _latch(self, reason: str) -> None:
        self._failure = self._failure or reason

    def _give_up(self, failure: BaseException) -> ClosedError:
        """A sync failed: nothing that waits is acknowledged, now or later. The sync lock is held."""
        self._latch(f"the journal could not be synced ({failure}); reopen the store")
        return ClosedError(self._failure)

    # -- durability and rotation -----------------------------------------------------------------------------

    def sync(self) -> None:
        """Return when every record appended before the call is on the medium."""
        with self._sync_lock:
            if self._failure is not None:
                raise ClosedError(self._failure)
            if self._unsynced:
                self._sync_pending()

    def rotate(self, at_switch: Callable[[], None]) -> list[int]:
        """Start a new segment and return the closed ones.

        `at_switch` runs at the instant between the last record of the old segments and the first of the new one;
        no record becomes visible meanwhile. The old segment is synced first: a later segment must never reach the
        medium before an earlier one, or a lost tail would look like damage.
        """
        with self._sync_lock:
            self._sync_pending()  # most of the bytes, while writers go on
            with self._lock:
                try:
                    self._files.sync(self._descriptors[self._segment])
                    for record in self._group.waiting():
                        record.show()
                except OSError as failure:
                    raise self._give_up(failure) from failure
                finally:
                    self._group.advance()
                self._unsynced = False
                closed = list(self._sizes)
                if self._sizes[self._segment] == SEGMENT_HEADER.size:
                    closed.remove(self._segment)  # it holds no record yet and goes on
                else:
                    self._start_segment()
                at_switch()
            return closed

    def _start_segment(self) -> None:
        path = segment_path(self._directory, self._next)
        salt = int.from_bytes(os.urandom(4), "little")
        header = segment_header(self._next, salt)
        descriptor = self._files.open_append(path)
        try:
            self._files.truncate(descriptor, 0)  # an interrupt may have come right behind an earlier opening
            self._files.write_all(descriptor, [header], len(header))
            self._files.sync_directory(self._directory)
        except BaseException as failure:  # an interrupt too: what is left would get a second header the next time
            os.close(descriptor)
            self._files.unlink(path)
            if isinstance(failure, OSError):
                raise CapacityError(f"no space for a new journal segment in {self._directory}") from failure
            raise
        self._descriptors[self._next] = descriptor
        self._sizes[self._next] = SEGMENT_HEADER.size
        self._salt, self._segment = salt, self._next

    def drop(self, segments: list[int]) -> None:
        """Remove closed segments whose records are all in the catalog."""
        for segment in sorted(segments):
            with self._lock:
                if segment == self._segment:
                    continue
                descriptor = self._descriptors.pop(segment)
                del self._sizes[segment]
            os.close(descriptor)
            self._files.unlink(segment_path(self._directory, segment))
        self._files.sync_directory(self._directory)

    # -- reading ---------------------------------------------------------------------------------------------

    def read(self, location: Location) -> bytes:
        """Return bytes of a segment.

        Raises:
            CorruptionError: The segment ends before.
            KeyError: The segment was dropped: its content is in the catalog now.
        """
        with self._lock:
            descriptor = os.dup(self._descriptors[location.segment])
        try:
            content = os.pread(descriptor, location.length, location.offset)
        finally:
            os.close(descriptor)
        if len(content) != location.length:
            raise CorruptionError(f"journal segment {location.segment} ends before offset {location.offset}")
        return content

    @property
    def last_sequence(self) -> int:
        """The number of the newest record."""
        return self._next - 1

    @property
    def failure(self) -> str | None:
        """Why nothing can be written any more, or None."""
        return self._failure

    @property
    def bytes_on_disk(self) -> int:
        """Length of all segments."""
        with self._lock:
            return sum(self._sizes.values())

    def close(self) -> None:
        """Hand all records to the system, sync them and close. Idempotent."""
        with self._sync_lock:
            try:
                if self._failure is None and self._unsynced:
                    self._sync_pending()
            finally:
                with self._lock:
                    self._latch("the store is closed")
                    for descriptor in self._descriptors.values():
                        os.close(descriptor)
                    self._descriptors.clear()

    def abandon(self) -> None:
        """Close the descriptors and nothing else: for a child process after fork."""
        self._failure = "this store belongs to the parent process"
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors = {}
