"""The shapes in which the catalog answers. Holds no queries."""

from __future__ import annotations

from typing import Any, NamedTuple

from stratakv.engine.records import Place
from stratakv.engine.state import State

Row = tuple[Any, ...]


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


def found_state(row: Row) -> State:
    """Shape a row of the key look-up."""
    version, namespace, pin, expires, extra, blob, digest, home, pack, block, offset, size, tier, accesses = row
    if digest is None:
        return State(version, None, namespace, pin, expires or 0, extra, blob is None, None, 0, 0, blob, 0)
    return State(
        version, whole_digest(blob, digest), namespace, pin, expires or 0, extra, False,
        Place(pack, block, offset, size), home, tier or 0, blob, accesses or 0,
    )  # fmt: skip


def found_blob(row: Row) -> FoundBlob:
    """Shape a row of the blob look-up."""
    blob, digest, namespace, pack, block, offset, size, tier = row
    return FoundBlob(blob, whole_digest(blob, digest), namespace, Place(pack, block, offset, size), tier)


def whole_digest(blob: int, stored: bytes) -> bytes:
    """Return the full digest: a stored tail of 24 bytes follows the 8 that are the blob's number."""
    return stored if len(stored) == 32 else blob.to_bytes(8, "big", signed=True) + stored
