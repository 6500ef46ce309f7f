"""What the hot table holds: one content in RAM, and one key that names it, with what they cost."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.divisions import Division

BLOB_BYTES = 72 + 72 + 65 + 32 + 24
"""A HotBlob, its Encoded, its digest (bytes of 32) and two boxed integers."""

ENTRY_BYTES = 104 + 32 + 24
"""A HotEntry and its boxed version and time."""

BYTES_HEADER = sys.getsizeof(b"")


class HotBlob:
    """One content in RAM.

    Attributes:
        digest: Its identity.
        encoded: Its payload.
        keys: How many hot keys hold it.
        ram_bytes: RAM of the blob and its payload.
    """

    __slots__ = ("digest", "encoded", "keys", "ram_bytes")

    def __init__(self, digest: bytes, encoded: Encoded) -> None:
        self.digest = digest
        self.encoded = encoded
        self.keys = 0
        self.ram_bytes = BLOB_BYTES + BYTES_HEADER + len(encoded.payload)


class HotEntry:
    """One hot key.

    Attributes:
        blob: Its content.
        division: Whose policy tracks it, unless it is pinned.
        version: The key's version it belongs to.
        expires: Wall time in milliseconds, 0 for never.
        namespace: The namespace's number.
        used: Monotonic time of the last use, in seconds.
        uses: How often it was read since it came in.
        extra: As in `KeyRecord`.
        pinned: Never offered to the eviction policy.
    """

    __slots__ = ("blob", "division", "expires", "extra", "namespace", "pinned", "used", "uses", "version")

    def __init__(
        self,
        blob: HotBlob,
        division: Division,
        version: int,
        expires: int,
        namespace: int,
        used: float,
        extra: bytes | None,
        pinned: bool,
    ) -> None:
        self.blob = blob
        self.division = division
        self.version = version
        self.expires = expires
        self.namespace = namespace
        self.used = used
        self.uses = 0
        self.extra = extra
        self.pinned = pinned

    def bytes_as(self, key: str) -> int:
        """Return the RAM of the entry under its key and of its content, as if no other key shared it."""
        return own_bytes(key, self.extra) + self.blob.ram_bytes


def ram_bytes(key: str, payload_bytes: int) -> int:
    """Return the RAM of a key and a payload of so many bytes, in the hot table."""
    return own_bytes(key, None) + BLOB_BYTES + BYTES_HEADER + payload_bytes


def own_bytes(key: str, extra: bytes | None) -> int:
    """Return the RAM of an entry under its key, without its content."""
    return ENTRY_BYTES + sys.getsizeof(key) + (sys.getsizeof(extra) if extra is not None else 0)
