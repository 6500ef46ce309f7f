"""Verification of large values: each manifest against the catalog's row of it, and the chunks that it names.

Owns what is wrong between a manifest and the rows; whether chunks are whole is seen where they lie. Never puts a value
together: digests of all chunks and the manifest's own checksum vouch for it. Changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.catalog_manifests import numbers_in
from stratakv.engine.large.manifest import MANIFEST, is_manifest, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.engine.catalog import Catalog


class Wrong(NamedTuple):
    """Something that is wrong with a content.

    Attributes:
        what: As in `Finding`.
        message: What, in a sentence.
        lost: Whether its keys cannot be read.
    """

    what: str
    message: str
    lost: bool


class ManifestVerifier:
    """Checks the manifests of one store.

    Args:
        catalog: What they are compared with.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        listed = catalog.rows("SELECT blob FROM manifests") if catalog.lists_large_values() else []
        self._listed = {row[0] for row in listed}

    def check(self, blob: int, plaintext: bytes, kind: int) -> Wrong | None:
        """Return what is wrong with a content that lies where its row says.

        Args:
            blob: Its number.
            plaintext: Its bytes; a manifest among them is whole.
            kind: That of its block.
        """
        name = f"content {blob % (1 << 64):016x}"
        large = is_manifest(plaintext)
        if large != (kind == MANIFEST):
            what = "a manifest" if large else "a value"
            return Wrong("block", f"{name} is {what}, but its block is of kind {kind}", lost=True)
        if large != (blob in self._listed):
            listed = "lists no chunks of it" if large else "lists chunks of it"
            what = "a large value" if large else "kept whole"
            return Wrong("references", f"{name} is {what}, but the catalog {listed}", lost=False)
        return self._against_row(blob, name, plaintext) if large else None

    def _against_row(self, blob: int, name: str, plaintext: bytes) -> Wrong | None:
        catalog, manifest = self._catalog, read_manifest(plaintext)
        ((size, stored, content),) = catalog.rows("SELECT size, stored, chunks FROM manifests WHERE blob = ?", (blob,))
        found = catalog.find_blobs({chunk.digest for chunk in manifest.chunks})
        held = [found.get(chunk.digest) for chunk in manifest.chunks]
        sizes = [chunk.place.size for chunk in held if chunk is not None]
        if len(sizes) < len(held):
            return Wrong("blob", f"{len(held) - len(sizes)} of the {len(held)} chunks of {name} are gone", lost=True)
        if any(length < chunk.skip + chunk.size for length, chunk in zip(sizes, manifest.chunks, strict=True)):
            return Wrong("blob", f"a chunk of {name} is shorter than its manifest says", lost=True)
        numbers = [catalog.blob_number(chunk.digest) for chunk in manifest.chunks]
        if (size, stored, numbers_in(content)) != (manifest.size, sum(sizes), numbers):
            return Wrong("references", f"the catalog lists other chunks of {name} than its manifest", lost=False)
        return None


def values_of_chunks(catalog: Catalog, chunks: Iterable[int]) -> dict[int, set[int]]:
    """Return for each content that is made of some of these chunks which of them it names."""
    wanted = set(chunks)
    return {
        blob: named
        for blob, _, _, content in catalog.manifests()
        if (named := wanted.intersection(numbers_in(content)))
    }
