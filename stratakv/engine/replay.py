"""Replay: reads what a journal holds after a crash, and tells a torn tail from damage.

A record that was being written when the process or the machine stopped is cut off: it was never acknowledged. An
invalid record that is *followed by valid ones* was acknowledged and is damaged, so opening fails with the place named.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.journal_format import (
    FORMAT_VERSION,
    RECORD_CHECKED,
    RECORD_HEADER,
    RECORD_MAGIC,
    SEGMENT_HEADER,
    SEGMENT_MAGIC,
    segment_paths,
)
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Replayed(NamedTuple):
    """One valid record.

    Attributes:
        sequence: Its number.
        kind: Its type.
        segment: The segment it stands in.
        offset: Where its body begins in the segment.
        body: The body.
    """

    sequence: int
    kind: int
    segment: int
    offset: int
    body: bytes


class _Header(NamedTuple):
    kind: int
    length: int
    sequence: int


class JournalReader:
    """Reads all segments of a directory in order.

    Args:
        directory: Where the segments lie.
        after: The last sequence number that the catalog covers.

    Attributes:
        lengths: For each segment that holds records to keep its valid length in bytes, filled while `records` is
            consumed. A longer file has a torn tail and is to be cut; segments not named here are to be removed.
        last_sequence: The newest valid record's number.
    """

    def __init__(self, directory: Path, after: int) -> None:
        self._directory = directory
        self._after = after
        self.lengths: dict[int, int] = {}
        self.last_sequence = after

    def records(self) -> Iterator[Replayed]:
        """Yield the records after the catalog's last one.

        Raises:
            CorruptionError: A record in the middle is damaged or missing.
            ConfigurationError: A segment has a newer format version.
        """
        paths = segment_paths(self._directory)
        firsts = [int(path.stem) for path in paths]
        expected: int | None = None
        for number, (path, first) in enumerate(zip(paths, firsts, strict=True)):
            newest = number == len(paths) - 1
            if not newest and firsts[number + 1] <= self._after + 1:
                continue  # covered by the catalog: a checkpoint was stopped before it removed the file
            content = path.read_bytes()
            salt = self._salt(path, content, first, newest=newest)
            if salt is None:
                continue
            if first > max(expected or 0, self._after + 1):
                raise CorruptionError(
                    f"journal records {expected or self._after + 1} to {first - 1} are missing before {path.name}"
                )
            for record in self._segment(path, content, first, salt, newest=newest):
                expected = record.sequence + 1
                if record.sequence > self._after:
                    self.last_sequence = record.sequence
                    yield record

    def _salt(self, path: Path, content: bytes, first: int, *, newest: bool) -> int | None:
        """Check the segment's header; None for one that was torn while it was created."""
        if len(content) >= SEGMENT_HEADER.size:
            magic, version, sequence, salt, crc = SEGMENT_HEADER.unpack_from(content)
            if zlib.crc32(content[: SEGMENT_HEADER.size - 4]) == crc and magic == SEGMENT_MAGIC:
                if version != FORMAT_VERSION:
                    raise ConfigurationError(
                        f"{path.name} has journal format {version}, this release reads {FORMAT_VERSION}: "
                        f"update stratakv"
                    )
                if sequence == first:
                    return int(salt)
        if newest and len(content) <= SEGMENT_HEADER.size:
            return None
        raise CorruptionError(f"the header of journal segment {path.name} is damaged")

    def _segment(self, path: Path, content: bytes, first: int, salt: int, *, newest: bool) -> Iterator[Replayed]:
        offset = SEGMENT_HEADER.size
        expected = first
        while offset < len(content):
            header = _valid_record(content, offset, salt)
            if header is None or header.sequence != expected:
                if not newest or _valid_record_follows(content, offset + 1, salt, expected):
                    raise CorruptionError(
                        f"journal record {expected} in {path.name} at byte {offset} is damaged and others follow it"
                    )
                break
            start = offset + RECORD_HEADER.size
            yield Replayed(header.sequence, header.kind, first, start, content[start : start + header.length])
            offset = start + header.length
            expected += 1
        if offset > SEGMENT_HEADER.size:
            self.lengths[first] = offset


def _valid_record(content: bytes, offset: int, salt: int) -> _Header | None:
    if offset + RECORD_HEADER.size > len(content):
        return None
    magic, kind, flags, length, crc, sequence = RECORD_HEADER.unpack_from(content, offset)
    end = offset + RECORD_HEADER.size + length
    if magic != RECORD_MAGIC or end > len(content):
        return None
    computed = zlib.crc32(RECORD_CHECKED.pack(kind, flags, length, sequence), salt)
    with memoryview(content) as view:
        computed = zlib.crc32(view[end - length : end], computed)
    return _Header(kind, length, sequence) if computed == crc else None


def _valid_record_follows(content: bytes, start: int, salt: int, expected: int) -> bool:
    """Look for a later record of this segment; only headers with a plausible sequence are worth a checksum."""
    position = content.find(RECORD_MAGIC, start)
    while position >= 0:
        if position + RECORD_HEADER.size <= len(content):
            sequence = RECORD_HEADER.unpack_from(content, position)[5]
            plausible = expected <= sequence < expected + len(content)
            if plausible and _valid_record(content, position, salt) is not None:
                return True
        position = content.find(RECORD_MAGIC, position + 1)
    return False
