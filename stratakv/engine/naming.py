"""Naming: which keys a pack is to tell for a blob, when it is written first and when the blob travels on.

Owns the question whether a key still names a blob; the catalog answers it. Packs are the only place where a name comes
from once its checkpoint is over, because the catalog leads from keys to blobs and not back. Never reads values.

Invariant: a name that is written on was true when it was asked for, and has the version, namespace and expiry of its
key's row. Where packs do not tell their keys, nothing is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.pack_names import Name
from stratakv.engine.records import encode_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from stratakv.engine.catalog_rows import FoundBlob
    from stratakv.engine.dirty import Generation
    from stratakv.engine.parts import Parts


def given_names(
    parts: Parts, generation: Generation, digests: Collection[bytes], pause: Callable[[], None]
) -> dict[bytes, list[Name]]:
    """Return for each content the keys of a generation that name it."""
    names: dict[bytes, list[Name]] = {}
    if not parts.packs_tell_keys:
        return names
    for key, record in generation.keys.items():
        if record.digest is not None and record.digest in digests:
            name = Name(encode_key(key), record.version, record.namespace, record.expires)
            names.setdefault(record.digest, []).append(name)
            pause()
    return names


def current_names(parts: Parts, blob: int, told: Sequence[Name]) -> list[Name]:
    """Return those of the names that a pack tells for a blob which are still true, as the catalog has them now."""
    if not told or not parts.packs_tell_keys:
        return []
    return [
        Name(key, row.version, row.namespace, row.expires)
        for key, row in parts.catalog.find_many(name.key for name in told).items()
        if row.blob == blob
    ]


class CarriedNames:
    """The names of some blobs of several packs; each pack is asked once, when the first of its blobs is.

    Args:
        parts: The store's pieces.
        blobs: The blobs that will be asked for.
    """

    def __init__(self, parts: Parts, blobs: Iterable[FoundBlob]) -> None:
        self._parts = parts
        self._wanted = {blob.place[:3] for blob in blobs}
        self._asked: set[int] = set()
        self._told: dict[tuple[int, int, int], Sequence[Name]] = {}

    def of(self, blob: FoundBlob) -> list[Name]:
        """Return the keys that name a blob, as far as its pack told and the catalog agrees.

        Raises:
            TierUnavailableError: The tier cannot be reached.
        """
        pack = blob.place.pack
        if not self._parts.packs_tell_keys:
            return []
        if pack not in self._asked:
            self._asked.add(pack)
            for block, offset, names in self._parts.shelf.names(pack):
                if (pack, block, offset) in self._wanted:
                    self._told[pack, block, offset] = names
        return current_names(self._parts, blob.blob, self._told.get(blob.place[:3], ()))
