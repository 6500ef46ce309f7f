"""Parts of a catalog backup: rows of the catalog in an object of the cold tier. Bytes only; knows no catalog.

Bytes, little-endian, version 1:

    header   48  magic `SKVB`, version u8, flags u8 (1 = complete: with the parts that it names it is a whole backup),
                 2 zero, store id 16, epoch u64, number u64, 8 zero
    body         one zstd stream of records: length u32, then that many bytes of MessagePack: [table, columns], where
                 columns are the fields of some rows of the table, one list a field
    digest   32  SHA-256 of everything before

A part is named `catalog/EPOCH-NUMBER.part`. Tables are those of the catalog (`TABLES` has their fields), and `chain`:
the names of the parts to be applied before this one, in order. A record has 250 rows at most. Of `manifests` it has as
many as make 1 MB of chunks, but one at least: a row has 131,072 chunks at most, and those of a larger value are in
several, one behind the other. Parts without large values are those of the first release.
"""

from __future__ import annotations

import hashlib
import io
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import ormsgpack
import zstandard

from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PREFIX = "catalog/"
DICTIONARY_PREFIX = "dictionaries/"
FORMAT_VERSION = 1
COMPLETE = 1
HEADER = struct.Struct("<4sBBH16sQQ8x")
_LENGTH = struct.Struct("<I")
_DIGEST_BYTES = 32
_LEVEL = 6
ROWS_A_RECORD = 250
CHUNKS_A_ROW = 1 << 17
CHUNK_BYTES_A_RECORD = 1 << 20
LONGEST_RECORD = 1 << 25
"""More than so many rows with the longest keys and extras take: whoever reads it need not believe a longer one."""

TABLES: dict[str, tuple[type, ...]] = {
    "chain": (str,),
    "meta": (str, object),
    "namespaces": (int, str, bytes),
    "dictionaries": (int, int, int, str),
    "needs": (int, int),
    "doomed": (str, int, int),
    "packs": (int, str, int, int, bytes, int, int),
    "gone_packs": (str,),
    "blobs": (int, bytes, int, int, int, int, int),
    "gone_blobs": (int,),
    "manifests": (int, int, int, bytes),
    "displaced": (bytes, int),
    "keys": (bytes, int, int, int, int, int, int, bytes),
    "gone_keys": (bytes,),
}
"""Fields of a row, by table; those of `NULLABLE` may be None.

meta: name, value. namespaces: id, name, salt. dictionaries: id, namespace, created, object's name. needs: pack,
dictionary. doomed: pack's name, bytes, since. packs: id, name, bytes, index offset, index digest, plaintext, created.
gone_packs: name. blobs: id, digest, namespace, pack, block, offset, size. gone_blobs: id. manifests: blob, size, how
many chunks are in rows before this one, chunks. displaced: digest, id. keys: key, blob, version, namespace, pin,
expires, written, extra. gone_keys: key.
"""

NULLABLE = {"namespaces": {2}, "keys": {1, 5, 6, 7}}
_NUMBERS = range(-(1 << 63), 1 << 63)
"""What a field of the catalog takes."""


class Head(NamedTuple):
    """What a part's header says."""

    complete: bool
    store_id: bytes
    epoch: int
    number: int


def part_name(epoch: int, number: int) -> str:
    """Return a part's name; names sort as parts were written."""
    return f"{PREFIX}{epoch:012d}-{number:010d}.part"


def epoch_and_number(name: str) -> tuple[int, int] | None:
    """Reverse `part_name`; None where it is another object's name."""
    epoch, _, number = name.removeprefix(PREFIX).removesuffix(".part").partition("-")
    if len(epoch) == 12 and len(number) == 10 and (epoch + number).isdecimal():
        return int(epoch), int(number)
    return None


class PartWriter:
    """Makes a part.

    Args:
        store_id: 16 bytes that name the store.
        epoch: The owner's.
        number: The part's.

    Attributes:
        rows: How many it has.
        size: Bytes so far, without those that the compressor still holds.
    """

    def __init__(self, store_id: bytes, epoch: int, number: int) -> None:
        self._store_id = store_id
        self._epoch = epoch
        self._number = number
        self._stream = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
        self._body: list[bytes] = []
        self.name = part_name(epoch, number)
        self.rows = 0
        self.size = 0

    def add(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows of a table."""
        for some in _records(table, rows):
            record = ormsgpack.packb([table, list(zip(*some, strict=True))])
            for piece in (_LENGTH.pack(len(record)), record):
                made = self._stream.compress(piece)
                self._body.append(made)
                self.size += len(made)
        self.rows += len(rows)

    def finish(self, *, complete: bool) -> bytes:
        """Return the object's content."""
        self._body.append(self._stream.flush())
        flags = COMPLETE if complete else 0
        head = HEADER.pack(b"SKVB", FORMAT_VERSION, flags, 0, self._store_id, self._epoch, self._number)
        content = b"".join((head, *self._body))
        return content + hashlib.sha256(content).digest()


def _records(table: str, rows: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """Yield the rows of each record."""
    start, size = 0, 0
    for number, row in enumerate(rows):
        added = len(row[-1]) if table == "manifests" else 0
        if number - start == ROWS_A_RECORD or (number > start and size + added > CHUNK_BYTES_A_RECORD):
            yield rows[start:number]
            start, size = number, 0
        size += added
    if len(rows) > start:
        yield rows[start:]


def read_head(content: bytes, name: str) -> Head:
    """Check a part's digest and return its header.

    Raises:
        CorruptionError: It is damaged, or was written by a later release.
    """
    if len(content) < HEADER.size + _DIGEST_BYTES:
        raise CorruptionError(f"{name} is too short for a part of a backup")
    if hashlib.sha256(memoryview(content)[:-_DIGEST_BYTES]).digest() != content[-_DIGEST_BYTES:]:
        raise CorruptionError(f"{name} is damaged: its bytes do not give its digest")
    magic, version, flags, _, store_id, epoch, number = HEADER.unpack_from(content)
    if magic != b"SKVB" or version != FORMAT_VERSION:
        raise CorruptionError(f"{name} is no part of a backup that this release reads: update stratakv")
    return Head(bool(flags & COMPLETE), store_id, epoch, number)


def read_rows(content: bytes, name: str) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Yield (table, rows) of a part whose head was read.

    Raises:
        CorruptionError: The body is not what `PartWriter` makes.
    """
    body = io.BytesIO(content[HEADER.size : -_DIGEST_BYTES])
    try:
        with zstandard.ZstdDecompressor().stream_reader(body) as stream:
            while head := _exactly(stream, _LENGTH.size):
                (length,) = _LENGTH.unpack(head)
                if length > LONGEST_RECORD:
                    raise CorruptionError(f"{name} has a record of {length} bytes, more than any that is written")
                table, columns = ormsgpack.unpackb(_exactly(stream, length))
                yield table, _checked(table, columns)
    except (zstandard.ZstdError, ValueError, TypeError, KeyError, struct.error) as failure:
        raise CorruptionError(f"{name} is no part of a backup: {failure}") from failure


def _exactly(stream: zstandard.ZstdDecompressionReader, length: int) -> bytes:
    """Read so many bytes, or none at the stream's end."""
    parts, left = [], length
    while left and (piece := stream.read(left)):
        parts.append(piece)
        left -= len(piece)
    if left and left < length:
        raise ValueError("it ends within a record")
    return b"".join(parts)


def _checked(table: str, columns: list[list[Any]]) -> list[tuple[Any, ...]]:
    kinds, nullable = TABLES[table], NULLABLE.get(table, ())
    if len(columns) != len(kinds):
        raise ValueError(f"{len(columns)} fields in table {table}")
    if any(len(column) > ROWS_A_RECORD for column in columns):
        raise ValueError(f"a record with {max(map(len, columns))} rows of table {table}")
    for number, (kind, column) in enumerate(zip(kinds, columns, strict=True)):
        for value in column:
            right = isinstance(value, kind) or (value is None and number in nullable)
            if not right or (isinstance(value, int) and value not in _NUMBERS):
                raise ValueError(f"a field of the wrong type in table {table}")
    return list(zip(*columns, strict=True))
