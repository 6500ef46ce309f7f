"""Large values at a checkpoint: journaled whole, packed as chunks and a manifest.

Owns which plaintexts are large, and the manifests that the checkpoint's transaction is to enter. Runs where collection
cannot, so a chunk that the catalog lists stays listed until the commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.large.cutting import Cutter, is_cut
from stratakv.engine.large.manifest import Chunk, Manifest, is_manifest, read_manifest
from stratakv.engine.shelf import digest_of

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from stratakv.engine.catalog_write import Transaction
    from stratakv.engine.dirty import DirtyBlob
    from stratakv.engine.pack_names import Name
    from stratakv.engine.pack_writer import PackWriter
    from stratakv.engine.parts import Parts

PIECES_AT_ONCE = 256


class LargePacking:
    """The large values of one checkpoint.

    Args:
        parts: The store's pieces.
        healing: Contents that were damaged: their chunks are written whether the store holds them or not.
    """

    def __init__(self, parts: Parts, healing: Container[bytes]) -> None:
        self._healing = healing
        self._parts = parts
        self._cutter = cutter_of(parts)
        self._least = least_large(parts)
        self._manifests: dict[bytes, Manifest] = {}
        self._written: set[bytes] = set()

    def may_take(self, blob: DirtyBlob) -> bool:
        """Tell, without looking at it, whether a content may be packed in chunks."""
        return bool(blob.kind) or blob.size >= self._least

    def takes(self, plaintext: bytes) -> bool:
        """Tell whether a content is packed in chunks: it is large, or a manifest already."""
        return is_manifest(plaintext) or is_cut(plaintext, self._least)

    def add(self, writer: PackWriter, namespace: int, digest: bytes, plaintext: bytes, names: Sequence[Name]) -> None:
        """Write the chunks of a content that the store lacks, and its manifest."""
        if is_manifest(plaintext):
            manifest = read_manifest(plaintext)
        else:
            manifest = Manifest(digest, self._write_chunks(writer, namespace, digest, plaintext))
        writer.add(namespace, digest, manifest.to_bytes(), names)
        self._manifests[digest] = manifest

    def _write_chunks(self, writer: PackWriter, namespace: int, whole: bytes, plaintext: bytes) -> list[Chunk]:
        parts = self._parts
        looks = parts.deduplicates and whole not in self._healing
        salt, damaged = parts.labels.salt(namespace), parts.dirty.damaged
        chunks: list[Chunk] = []
        pieces = [(digest_of(piece.content, salt), piece) for piece in self._cutter.cut(plaintext)]
        for start in range(0, len(pieces), PIECES_AT_ONCE):
            some = pieces[start : start + PIECES_AT_ONCE]
            known = set(parts.catalog.find_blobs(digest for digest, _ in some)) - damaged if looks else ()
            for digest, piece in some:
                chunks.append(Chunk(digest, piece.size, piece.skip))
                if digest not in known and digest not in self._written:
                    writer.add(namespace, digest, piece.content, run=True)
                    self._written.add(digest)
        return chunks

    def record(self, transaction: Transaction) -> None:
        """Enter the manifests, once they and their chunks have places."""
        for digest, manifest in self._manifests.items():
            transaction.put_manifest(digest, manifest.size, [chunk.digest for chunk in manifest.chunks])

    def settled(self) -> None:
        """The transaction is durable: chunks that were damaged are whole again."""
        self._parts.dirty.mark_healed(self._written)
        self._parts.note_contents(self._written)


def least_large(parts: Parts) -> int:
    """Return from how many bytes of plaintext on a value is large."""
    return int(parts.config.deduplication.large_value_kb * 1024)


def journaled_bytes(parts: Parts) -> int:
    """Return above how many bytes of plaintext a value bypasses the journal."""
    return int(parts.config.storage.journaled_value_kb * 1024)


def cutter_of(parts: Parts) -> Cutter:
    """Return the cutter of a store."""
    return Cutter(int(parts.config.deduplication.chunk_kb * 1024), parts.serializer)
