"""What contents there are, as the statistics count them: of the catalog, of keys, and of the journal alone.

Owns these counts and when they are taken anew. A large value counts as one content, with the bytes of its plaintext;
the chunks that make it are told apart, unless a key names one of them as well. Never writes, and asks no tier.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.engine.codecs.base import Encoded
from stratakv.engine.journal_format import Location
from stratakv.engine.large.manifest import read_manifest
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratakv.engine.dirty import DirtyBlob
    from stratakv.engine.parts import Parts

_CONTENTS = """
SELECT b.namespace, sum(b.refs > 0), sum(b.refs), sum(b.size), sum(b.size * b.refs), sum(b.size * (b.refs > 0))
FROM blobs b JOIN packs p ON p.id = b.pack GROUP BY 1
"""
_LARGE = """
SELECT coalesce(sum(b.refs > 0), 0), coalesce(sum(length(m.chunks) / 8), 0), coalesce(sum(b.size), 0),
    coalesce(sum(b.refs * (m.size - b.size) - m.stored), 0)
FROM manifests m JOIN blobs b ON b.id = m.blob JOIN packs p ON p.id = b.pack
"""
"""Large values; references of chunks; bytes of manifests; what a sum of bytes by reference lacks. That sum has for each
reference to a manifest its own bytes instead of the value's, and a chunk's as often as manifests name it."""

_CHUNKS_ALONE = """
SELECT b.namespace, count(*) FROM json_each(?) j JOIN blobs b ON b.id = j.value ->> 0
WHERE b.refs = j.value ->> 1 GROUP BY 1
"""
"""Of (number, how often manifests name it) those that nobody else names."""

CHUNKS_AT_ONCE = 50_000

_KEYS = """
SELECT k.namespace, count(*), sum({size}) FROM keys k LEFT JOIN blobs b ON b.id = k.blob {large}
WHERE k.blob IS NOT NULL GROUP BY 1
"""


class Contents(NamedTuple):
    """Contents that the catalog lists.

    Attributes:
        by_namespace: How many keys name, each once, by the namespace that stored them first.
        large: How many of them are large values.
        chunks: How many chunks manifests name, each once, without those that a key names as well.
        references: Keys that name a content.
        packed: Plaintext bytes of all that lie in packs, dead ones too, without manifests.
        named: Plaintext bytes of what keys name, once for each key.
        kept: Plaintext bytes of what is named, once for each; chunks and a manifest instead of a large value.
    """

    by_namespace: dict[int, int]
    large: int
    chunks: int
    references: int
    packed: int
    named: int
    kept: int

    @property
    def unique(self) -> int:
        """How many keys name, each once."""
        return sum(self.by_namespace.values())


class DirtyContents(NamedTuple):
    """Contents that only the journal holds: how many, the keys that name them, and plaintext bytes, once for each."""

    unique: int
    references: int
    named: int


class ContentStatistics:
    """Counts the contents of one store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._contents_at: tuple[int, ...] | None = None
        self._contents = Contents({}, 0, 0, 0, 0, 0, 0)
        self._keys_at: tuple[int, ...] | None = None
        self._keys: list[tuple[int, int, int]] = []
        self._large_sizes: dict[bytes, int] = {}

    def contents(self) -> Contents:
        """Count what the catalog lists: a scan of all blobs, kept while no checkpoint or collection changed them."""
        stamp = self._stamp()
        if stamp != self._contents_at:
            self._contents = self._counted()
            self._contents_at = stamp
        return self._contents

    def _counted(self) -> Contents:
        catalog = self._parts.catalog
        rows = catalog.rows(_CONTENTS)
        contents = {row[0]: row[1] for row in rows}
        references, packed, named, kept = (sum(row[column] for row in rows) for column in range(2, 6))
        if not catalog.lists_large_values():
            return Contents(contents, 0, 0, references, packed, named, kept)
        large, of_chunks, manifests, lacking = catalog.rows(_LARGE)[0]
        chunks = 0
        numbers, times = self._chunks()
        for start in range(0, len(numbers), CHUNKS_AT_ONCE):
            some = slice(start, start + CHUNKS_AT_ONCE)
            pairs = json.dumps(np.column_stack((numbers[some], times[some])).tolist())
            for namespace, count in catalog.rows(_CHUNKS_ALONE, (pairs,)):
                contents[namespace] -= count
                chunks += count
        return Contents(contents, large, chunks, references - of_chunks, packed - manifests, named + lacking, kept)

    def _chunks(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of all chunks that manifests name, sorted, and how often they do."""
        numbers, times = np.zeros(0, np.int64), np.zeros(0, np.int64)
        waiting: list[NDArray[np.int64]] = []
        held = 0
        for *_, chunks in self._parts.catalog.manifests():
            waiting.append(np.frombuffer(chunks, "<i8"))
            held += len(waiting[-1])
            if held > max(CHUNKS_AT_ONCE, len(numbers)):
                numbers, times = _merged(numbers, times, waiting)
                waiting, held = [], 0
        return _merged(numbers, times, waiting)

    def of_keys(self) -> list[tuple[int, int, int]]:
        """Return (namespace, keys, plaintext bytes of what they name).

        A look-up of each key's content, about 3 us a key, so kept like the contents.
        """
        stamp = self._stamp()
        if stamp != self._keys_at:
            catalog = self._parts.catalog
            if catalog.lists_large_values():
                sql = _KEYS.format(size="coalesce(m.size, b.size, 0)", large="LEFT JOIN manifests m ON m.blob = k.blob")
            else:
                sql = _KEYS.format(size="coalesce(b.size, 0)", large="")
            self._keys = [(row[0], row[1], row[2]) for row in catalog.rows(sql)]
            self._keys_at = stamp
        return self._keys

    def _stamp(self) -> tuple[int, ...]:
        """Return numbers that change whenever checkpoint, collection or movement changed the catalog."""
        counters = self._parts.counters.snapshot()
        return (
            self._parts.catalog.live_keys,
            counters["checkpoints"],
            counters["collected"] + counters["expired"],
            counters["demotions"] + counters["promotions"] + counters["compactions"],
        )

    def dirty(self) -> DirtyContents:
        """Count what only the journal holds."""
        parts = self._parts
        references, plaintext = 0, 0
        sizes: dict[bytes, int] = {}
        seen = set()
        for record in parts.dirty.states().values():
            if record.digest is None:
                continue
            blob = parts.dirty.find_blob(record.digest)
            if blob is not None:
                references += 1
                seen.add(record.digest)
                if blob.kind:
                    sizes[record.digest] = self._large_sizes.get(record.digest) or self._large_size(blob)
                plaintext += sizes.get(record.digest, blob.size)
        self._large_sizes = sizes
        return DirtyContents(len(seen), references, plaintext)

    def _large_size(self, blob: DirtyBlob) -> int:
        """Return how many bytes the value has whose manifest is journaled; the manifest is read once."""
        parts, location = self._parts, Location(*blob.location)
        try:
            payload = parts.journal.read(location) if parts.journal is not None else parts.replayed_payloads[location]
            encoded = Encoded(blob.codec, blob.dictionary, blob.size, payload, blob.kind)
            return read_manifest(parts.compression.decode(encoded)).size
        except (KeyError, CorruptionError):
            return blob.size  # just checkpointed, or damaged: whoever reads the value is told


def _merged(
    numbers: NDArray[np.int64], times: NDArray[np.int64], more: list[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add numbers to a tally of numbers."""
    found, first = np.unique(np.concatenate((numbers, *more)), return_inverse=True)
    tally = np.zeros(len(found), np.int64)
    weights = np.concatenate((times, np.ones(len(first) - len(times), np.int64)))
    np.add.at(tally, first, weights)
    return found, tally
