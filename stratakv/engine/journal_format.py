"""The journal's bytes: names, headers and places in segments. Knows no files and no order.

Bytes, little-endian. A segment starts with 24: magic `SKVJ`, format version u8, 3 zero bytes, first sequence u64,
salt u32, CRC-32 of the 20 before it. Then records: magic A9 4A, type u8, flags u8 (0), body length u32, CRC-32 u32,
sequence u64, body. The CRC starts from the segment's salt, so that bytes of another journal stored as a value are never
taken for a record, and covers type, flags, length and sequence, then the body.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_MAGIC = b"SKVJ"
FORMAT_VERSION = 1
SEGMENT_HEADER = struct.Struct("<4sB3xQII")
RECORD_MAGIC = b"\xa9J"
RECORD_HEADER = struct.Struct("<2sBBIIQ")
RECORD_CHECKED = struct.Struct("<BBIQ")
MAX_BODY_BYTES = 0xFFFF_FFFF


JOURNAL_DIRECTORY = "journal"
"""Of the segments, in the directory of a store."""


class Location(NamedTuple):
    """Bytes inside a segment."""

    segment: int
    offset: int
    length: int


def segment_paths(directory: Path) -> list[Path]:
    """Return the files of all segments in order; any other file is not the journal's to judge."""
    return sorted(path for path in directory.glob("*.log") if len(path.stem) == 16 and path.stem.isdecimal())


def segment_path(directory: Path, first: int) -> Path:
    """Return the file of the segment whose first record has sequence `first`."""
    return directory / f"{first:016d}.log"


def segment_header(first: int, salt: int) -> bytes:
    """Return the header of a segment."""
    head = SEGMENT_HEADER.pack(SEGMENT_MAGIC, FORMAT_VERSION, first, salt, 0)[:-4]
    return head + zlib.crc32(head).to_bytes(4, "little")
