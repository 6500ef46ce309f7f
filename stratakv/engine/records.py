"""The shapes that travel between journal, dirty table and catalog. Holds no behaviour beyond key encoding."""

from __future__ import annotations

from typing import NamedTuple

from stratakv.errors import ConfigurationError
from stratakv.types import StorageTier

MAX_KEY_BYTES = 1024
DIGEST_BYTES = 32
DIGEST_SHA256 = 1
"""The digest algorithm's number on disk."""

KEY_STR = 0x73
"""Tag of a `str` key on disk ("s"); bytes, int and tuple keys will have their own."""

ANYWHERE, IN_HOT, IN_WARM, IN_COLD = 0, 1, 2, 3
"""A tier as a number on disk; ANYWHERE means that the policies decide."""

TIER_NUMBERS = {StorageTier.HOT: IN_HOT, StorageTier.WARM: IN_WARM, StorageTier.COLD: IN_COLD}
TIERS = {number: tier for tier, number in TIER_NUMBERS.items()}


class KeyRecord(NamedTuple):
    """The present state of one key.

    Attributes:
        version: Sequence number of the journal record that wrote it; grows with every write of the key.
        digest: Of its content; None where the key is deleted.
        namespace: The namespace's number.
        pin: The tier it is pinned to, ANYWHERE for none.
        target: The tier asked for at its last write or migration, ANYWHERE for none.
        expires: Wall time in milliseconds at which it is gone, 0 for never.
        written: Wall time in milliseconds of its last write.
        extra: What an engine's own verbs carried beside the value (diskcache's tag), opaque here.
        tombstone: Deleted, but kept until the wrapped engine has confirmed its own deletion.
    """

    version: int
    digest: bytes | None
    namespace: int
    pin: int
    target: int
    expires: int
    written: int
    extra: bytes | None
    tombstone: bool = False


class Place(NamedTuple):
    """Where a blob lies below RAM: a slice of a block's plaintext.

    Attributes:
        pack: The pack's number in the catalog.
        block: Index of the block in the pack.
        offset: First byte of the blob in the block's plaintext.
        size: The blob's length in bytes.
    """

    pack: int
    block: int
    offset: int
    size: int


def encode_key(key: str) -> bytes:
    """Return the key as it stands on disk: a tag and UTF-8, lone surrogates passed through."""
    return b"s" + key.encode("utf-8", "surrogatepass")


def decode_key(stored: bytes) -> str:
    """Reverse `encode_key`."""
    return str(stored[1:], "utf-8", "surrogatepass")


def check_key(key: object) -> bytes:
    """Return the encoded key.

    Raises:
        ConfigurationError: It is not a non-empty `str` of at most 1024 bytes.
    """
    if type(key) is not str:
        raise ConfigurationError(f"keys are str, not {type(key).__name__}: convert the key, for instance with str(key)")
    encoded = encode_key(key)
    if not 1 < len(encoded) <= MAX_KEY_BYTES + 1:
        if not key:
            raise ConfigurationError("the key is empty: a key has 1 to 1024 bytes")
        raise ConfigurationError(
            f"the key has {len(encoded) - 1} bytes: at most {MAX_KEY_BYTES} are taken, so hash it or shorten it"
        )
    return encoded
