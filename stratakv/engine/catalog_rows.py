"""The shapes in which the catalog answers. Holds no queries."""

from __future__ import annotations

from typing import Any, NamedTuple

from stratakv.engine.records import Place

Row = tuple[Any, ...]


class Found(NamedTuple):
    """A key row with its blob's place.

    Attributes:
        version, namespace, pin, extra: As in `KeyRecord`.
        expires: Milliseconds, 0 for never.
        blob: The blob's number; None for a tombstone.
        digest: The content's digest; None for a tombstone, or where the blob row is missing.
        home: The namespace whose record carried the content.
        place: Where the blob lies; None for a tombstone.
        tier: The pack's tier as a number.
        accesses: How often the blob was read since it was placed, as far as the catalog knows.
    """

    version: int
    namespace: int
    pin: int
    expires: int
    extra: bytes | None
    blob: int | None
    digest: bytes | None
    home: int
    place: Place | None
    tier: int
    accesses: int


class FoundBlob(NamedTuple):
    """A blob row."""

    blob: int
    digest: bytes
    namespace: int
    place: Place
    tier: int


class PackRow(NamedTuple):
    """A pack.

    Attributes:
        id: Its number.
        tier: Its tier as a number.
        name: Its object name in the tier's backend.
        length: Its bytes.
        index_offset: Where its index begins.
        index_digest: SHA-256 of the index.
        plaintext: Plaintext bytes packed.
        live: Plaintext bytes still referred to by the catalog.
        live_blobs: How many blobs those are.
        created: Wall time in seconds.
        due: Wall time in seconds before which no blob in it can be idle enough to be demoted.
        dead_since: When its first blob died; None while all live.
    """

    id: int
    tier: int
    name: str
    length: int
    index_offset: int
    index_digest: bytes
    plaintext: int
    live: int
    live_blobs: int
    created: int
    due: int
    dead_since: int | None


def found_key(row: Row) -> Found:
    """Shape a row of the key look-up."""
    version, namespace, pin, expires, extra, blob, digest, home, pack, block, offset, size, tier, accesses = row
    if blob is None:
        return Found(version, namespace, pin, expires or 0, extra, None, None, 0, None, 0, 0)
    if digest is None:
        return Found(version, namespace, pin, expires or 0, extra, blob, None, 0, None, 0, 0)
    return Found(
        version, namespace, pin, expires or 0, extra, blob, whole_digest(blob, digest), home,
        Place(pack, block, offset, size), tier or 0, accesses or 0,
    )  # fmt: skip


def found_blob(row: Row) -> FoundBlob:
    """Shape a row of the blob look-up."""
    blob, digest, namespace, pack, block, offset, size, tier = row
    return FoundBlob(blob, whole_digest(blob, digest), namespace, Place(pack, block, offset, size), tier)


def whole_digest(blob: int, stored: bytes) -> bytes:
    """Return the full digest: a stored tail of 24 bytes follows the 8 that are the blob's number."""
    return stored if len(stored) == 32 else blob.to_bytes(8, "big", signed=True) + stored
