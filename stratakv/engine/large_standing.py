"""The standing of a large value: how many chunks it has, where they lie, and what of them others name too.

Gathered from the manifest's row, or from the journal while there is none; no chunk is read and no tier asked.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratakv.engine.catalog_manifests import numbers_in
from stratakv.engine.large.manifest import read_manifest
from stratakv.engine.records import TIERS
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.catalog_rows import FoundBlob
    from stratakv.engine.dirty import DirtyBlob
    from stratakv.engine.parts import Parts
    from stratakv.engine.reading import Reader

_CHUNKS = """
SELECT p.tier, count(*), sum(b.size * (j.value ->> 1) * (b.refs > (j.value ->> 2)))
FROM json_each(?) j JOIN blobs b ON b.id = j.value ->> 0 JOIN packs p ON p.id = b.pack GROUP BY 1
"""
"""Of (number, how often the value names it, how often that is counted)."""


@dataclass(frozen=True, slots=True)
class LargeStanding:
    """What is known of a large value.

    Attributes:
        plaintext_bytes: The serialised value's length.
        chunks: How many it is cut into.
        tiers: How many of them lie in each tier, each counted once, by the tier's name.
        lacking: How many are gone.
        shared_bytes: Bytes of chunks that another value is made of too, or a key names.
    """

    plaintext_bytes: int
    chunks: int
    tiers: dict[str, int]
    lacking: int
    shared_bytes: int


def large_standing(
    parts: Parts, reader: Reader, blob: FoundBlob | None, journaled: DirtyBlob | None
) -> LargeStanding | None:
    """Return what is known of a content's chunks; None where it is kept whole, or its manifest cannot be read."""
    catalog = parts.catalog
    if blob is not None and catalog.lists_large_values():
        for size, chunks in catalog.rows("SELECT size, chunks FROM manifests WHERE blob = ?", (blob.blob,)):
            return _gathered(parts, size, numbers_in(chunks), counted=True)
    if blob is not None or journaled is None or not journaled.kind:
        return None
    try:
        manifest = read_manifest(parts.compression.decode(reader.read_journal(journaled)))
    except (KeyError, CorruptionError):
        return None  # just checkpointed, or damaged: whoever reads the value is told
    numbers = [catalog.blob_number(chunk.digest) for chunk in manifest.chunks]
    return _gathered(parts, manifest.size, numbers, counted=False)


def _gathered(parts: Parts, size: int, numbers: list[int], *, counted: bool) -> LargeStanding:
    times = Counter(numbers)
    asked = json.dumps([(number, count, count if counted else 0) for number, count in times.items()])
    rows = parts.catalog.rows(_CHUNKS, (asked,))
    return LargeStanding(
        size,
        len(numbers),
        {TIERS[tier].value: count for tier, count, _ in rows},
        len(times) - sum(count for _, count, _ in rows),
        sum(shared for *_, shared in rows),
    )


def named_by_manifests(parts: Parts, blob: int) -> int:
    """Count how often manifests name a content. A look at all of them."""
    return sum(numbers_in(chunks).count(blob) for *_, chunks in parts.catalog.manifests())
