"""What a catalog counts, counted anew from its rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from stratakv.engine.catalog_manifests import numbers_in

if TYPE_CHECKING:
    from stratakv.engine.catalog import Catalog


def check_counts(catalog: Catalog) -> None:
    """Assert that references and live bytes are those that the rows give."""
    rows = catalog.rows
    named: Counter[int] = Counter(row[0] for row in rows("SELECT blob FROM keys WHERE blob IS NOT NULL"))
    for *_, listed in catalog.manifests():
        named.update(numbers_in(listed))
    references: dict[int, int] = dict(rows("SELECT id, refs FROM blobs"))
    assert {number: named[number] for number in references} == references
    assert named.keys() <= references.keys()
    assert rows("SELECT key FROM keys WHERE blob NOT IN (SELECT id FROM blobs)") == []
    assert rows("SELECT id FROM blobs WHERE (refs = 0) <> (id IN (SELECT blob FROM dead))") == []
    assert (
        rows(
            "SELECT p.id FROM packs p LEFT JOIN blobs b ON b.pack = p.id GROUP BY p.id "
            "HAVING p.live <> total(b.size) OR p.live_blobs <> count(b.id)"
        )
        == []
    )
