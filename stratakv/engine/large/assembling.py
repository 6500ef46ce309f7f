"""Assembling: from a manifest to the plaintext, or to the part of it that is asked for.

Reads the chunks that hold what is wanted and no others; each is verified against its own digest, and a whole value
against the value's. Never holds more than what is returned and a few chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.pack_source import RETRIES, PackGoneError
from stratakv.engine.records import IN_HOT, IN_WARM
from stratakv.engine.shelf import digest_of
from stratakv.errors import CorruptionError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.engine.admitting import Admitting
    from stratakv.engine.catalog_rows import FoundBlob
    from stratakv.engine.large.manifest import Chunk, Manifest
    from stratakv.engine.parts import Parts
    from stratakv.engine.records import Place

BATCH_BYTES = 8 << 20
"""So much is looked up, and of a remote tier fetched, at once."""


class Assembler:
    """Reads large values of one store.

    Args:
        parts: The store's pieces.
        admitting: Counts the reads of chunks.
    """

    def __init__(self, parts: Parts, admitting: Admitting) -> None:
        self._parts = parts
        self._admitting = admitting

    def whole(self, manifest: Manifest, salt: bytes, pinned: int) -> tuple[bytes, int]:
        """Return the plaintext, and the number of the coldest tier that a chunk came from.

        Raises:
            CorruptionError: A chunk is damaged or missing, or together they make another value.
            TierUnavailableError: A tier cannot be reached.
        """
        coldest = IN_WARM
        parts = []
        for content, tier in self._read(manifest, 0, manifest.size, pinned):
            parts.append(content)
            coldest = max(coldest, tier)
        plaintext = b"".join(parts)
        if digest_of(plaintext, salt) != manifest.digest:
            raise CorruptionError("the chunks of a large value are whole, but make other bytes than its digest says")
        return plaintext, coldest

    def part(self, manifest: Manifest, start: int, stop: int, pinned: int) -> Iterator[bytes]:
        """Yield plaintext bytes `start` to `stop`, chunk by chunk; errors as `whole`."""
        for content, _ in self._read(manifest, start, stop, pinned):
            yield content

    def _read(self, manifest: Manifest, start: int, stop: int, pinned: int) -> Iterator[tuple[bytes, int]]:
        """Yield (bytes wanted of it, tier) of each chunk that holds some."""
        shelf, catalog = self._parts.shelf, self._parts.catalog
        for some in _batches(manifest.between(start, stop)):
            found = catalog.find_blobs({chunk.digest for chunk, _ in some})

            def place_of(entry: tuple[Chunk, int], found: dict[bytes, FoundBlob] = found) -> Place | None:
                blob = found.get(entry[0].digest)
                return blob.place if blob is not None else None

            for chunk, begin in shelf.ahead(some, place_of):
                try:
                    content, blob = self._chunk(chunk, found.get(chunk.digest))
                except CorruptionError:
                    self._mark_damaged(manifest, chunk)
                    raise
                self._admitting.count_chunk(blob, pinned)
                low, high = max(start - begin, 0), min(stop - begin, chunk.size)
                yield content[chunk.skip + low : chunk.skip + high], max(blob.tier, IN_HOT)

    def _chunk(self, chunk: Chunk, blob: FoundBlob | None) -> tuple[bytes, FoundBlob]:
        """Return a chunk and where it was found."""
        parts = self._parts
        for _ in range(RETRIES):
            if blob is None:
                break
            try:
                content = parts.shelf.read(blob.place, chunk.digest, blob.namespace)
            except PackGoneError:
                blob = parts.catalog.find_blob(chunk.digest)
                continue
            except CorruptionError:
                again = parts.catalog.find_blob(chunk.digest)
                if again is not None and again.place != blob.place:
                    blob = again
                    continue
                raise
            if len(content) < chunk.skip + chunk.size:
                raise CorruptionError(f"chunk {chunk.digest.hex()[:16]} is shorter than a manifest says")
            return content, blob
        raise CorruptionError(f"chunk {chunk.digest.hex()[:16]} of a large value is missing")

    def _mark_damaged(self, manifest: Manifest, first: Chunk) -> None:
        """Have the next store of a value write the damaged chunk anew, and what else of its pack cannot be read."""
        parts = self._parts
        parts.dirty.mark_damaged(first.digest)
        found = parts.catalog.find_blobs({chunk.digest for chunk in manifest.chunks})
        damaged = found.get(first.digest)
        for digest, blob in found.items():
            if damaged is None or blob.place.pack != damaged.place.pack or digest == first.digest:
                continue
            try:
                parts.shelf.read(blob.place, digest, blob.namespace)
            except (CorruptionError, PackGoneError):
                parts.dirty.mark_damaged(digest)
            except TierUnavailableError:
                return  # what is known to be damaged is what the caller is to hear of


def _batches(wanted: list[tuple[Chunk, int]]) -> Iterator[list[tuple[Chunk, int]]]:
    """Yield chunks in batches of `BATCH_BYTES` at most, or of one."""
    some: list[tuple[Chunk, int]] = []
    size = 0
    for entry in wanted:
        if some and size + entry[0].size > BATCH_BYTES:
            yield some
            some, size = [], 0
        some.append(entry)
        size += entry[0].size
    if some:
        yield some
