"""Entries: what a journal record says, in bytes.

Knows bytes only. A record is one entry (type 1), many entries that stand or fall together (type 2: u32 count, then
the entries) or the introduction of a namespace (type 3: u32 number, u16 name length, name, u16 salt length, salt).

An entry, little-endian: digest algorithm u8 (0 where there is no content), flags u8 (1 tombstone, 2 payload follows,
4 extra follows), pin u8, target u8, codec u8, transform u8 (0), encryption key id u8 (0), blob kind u8 (0 = plain, 1 =
the manifest of a large value), namespace u32, namespace of the content u32, expires i64, written i64 (milliseconds),
dictionary u32, size u64, payload length u32, key length u16, extra length u16; then the key with its tag, the extra,
the digest (32 bytes where there is a content), the payload.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.large.manifest import MANIFEST
from stratakv.engine.records import DIGEST_BYTES, DIGEST_SHA256, KeyRecord
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.engine.codecs.base import Encoded

ONE, BATCH, NAMESPACE = 1, 2, 3
ENTRY = struct.Struct("<BBBBBBBBIIqqIQIHH")
COUNT = struct.Struct("<I")
TOMBSTONE, PAYLOAD, EXTRA = 1, 2, 4


class Entry(NamedTuple):
    """A parsed entry.

    Attributes:
        key: Encoded key.
        record: The key's state; its version is the journal record's sequence.
        home: The namespace that the content was digested in.
        codec, dictionary, size: Of the payload.
        payload: (offset, length) in the record's body, None for an entry by reference.
        kind: Of the payload, as in `Encoded`.
    """

    key: bytes
    record: KeyRecord
    home: int
    codec: int
    dictionary: int
    size: int
    payload: tuple[int, int] | None
    kind: int = 0


def encode_entry(key: bytes, record: KeyRecord, home: int, encoded: Encoded | None) -> list[bytes]:
    """Return the entry's parts; the payload, if any, is the last one and is not copied."""
    digest, extra = record.digest, record.extra
    flags = TOMBSTONE if record.tombstone else 0
    if extra is not None:
        flags |= EXTRA
    if encoded is None:
        head = ENTRY.pack(
            DIGEST_SHA256 if digest is not None else 0, flags, record.pin, record.target, 0, 0, 0, 0, record.namespace,
            home, record.expires, record.written, 0, 0, 0, len(key), len(extra or b""),
        )  # fmt: skip
        return [b"".join((head, key, extra or b"", digest or b""))]
    payload = encoded.payload
    head = ENTRY.pack(
        DIGEST_SHA256, flags | PAYLOAD, record.pin, record.target, encoded.codec, 0, 0, encoded.kind,
        record.namespace, home, record.expires, record.written, encoded.dictionary, encoded.size, len(payload),
        len(key), len(extra or b""),
    )  # fmt: skip
    return [b"".join((head, key, extra or b"", digest or b"")), payload]


def parse_entries(kind: int, body: bytes, sequence: int) -> Iterator[Entry]:
    """Yield the entries of a record.

    Raises:
        CorruptionError: The body is not a record of this format.
    """
    try:
        if kind == ONE:
            entry, end = _parse(body, 0, sequence)
            yield entry
        else:
            (count,) = COUNT.unpack_from(body)
            end = COUNT.size
            for _ in range(count):
                entry, end = _parse(body, end, sequence)
                yield entry
    except struct.error as failure:
        raise CorruptionError(f"journal record {sequence} is shorter than it says") from failure
    if end != len(body):
        raise CorruptionError(f"journal record {sequence} has {len(body) - end} bytes too many")


def _parse(body: bytes, start: int, sequence: int) -> tuple[Entry, int]:
    (
        algorithm, flags, pin, target, codec, transform, encryption, kind, namespace, home, expires, written,
        dictionary, size, payload_length, key_length, extra_length,
    ) = ENTRY.unpack_from(body, start)  # fmt: skip
    if algorithm not in (0, DIGEST_SHA256) or transform or encryption or kind > MANIFEST:
        raise CorruptionError(f"journal record {sequence} needs a later release of stratakv")
    position = start + ENTRY.size
    key = body[position : position + key_length]
    position += key_length
    extra = body[position : position + extra_length] if flags & EXTRA else None
    position += extra_length
    digest = None
    if algorithm:
        digest = body[position : position + DIGEST_BYTES]
        position += DIGEST_BYTES
    payload = (position, payload_length) if flags & PAYLOAD else None
    record = KeyRecord(sequence, digest, namespace, pin, target, expires, written, extra, bool(flags & TOMBSTONE))
    return Entry(key, record, home, codec, dictionary, size, payload, kind), position + payload_length


def encode_namespace(number: int, name: str, salt: bytes) -> list[bytes]:
    """Return the body that introduces a namespace."""
    raw = name.encode()
    return [struct.pack("<IH", number, len(raw)), raw, struct.pack("<H", len(salt)), salt]


def parse_namespace(body: bytes) -> tuple[int, str, bytes]:
    """Reverse `encode_namespace`."""
    number, length = struct.unpack_from("<IH", body)
    name = body[6 : 6 + length].decode()
    return number, name, body[8 + length :]
