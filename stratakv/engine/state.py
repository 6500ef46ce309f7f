"""`State`: what is known of a key without reading its value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stratakv.engine.records import Place


class State(NamedTuple):
    """What is known of a key without reading its value.

    Attributes:
        version, namespace, pin, expires, extra, tombstone: As in `KeyRecord`.
        digest: Of the content; None where the key is deleted, or names a content that the catalog does not list.
        place: Where the blob lies below RAM, None while it is dirty.
        home: The namespace whose salt its digest has; only with a place.
        tier: The number of the tier it lies in.
        blob: The blob's number in the catalog; None while it is dirty.
        accesses: How often the blob was read since it was placed, as far as the catalog knows.
    """

    version: int
    digest: bytes | None
    namespace: int
    pin: int
    expires: int
    extra: bytes | None
    tombstone: bool
    place: Place | None
    home: int
    tier: int
    blob: int | None
    accesses: int
