"""Verification of references: what the catalog's rows say of each other.

Owns what must not be found there: counts that differ from the keys and manifests that name a content, marks of dead
contents that are not dead, names of what is not listed. Reads no pack, and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.catalog_manifests import references
from stratakv.engine.pack_verification import Finding
from stratakv.engine.records import decode_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratakv.engine.catalog import Catalog

# Contents that manifests name are among these rows even if all is well.
_NAMED = """
SELECT b.id, b.refs, coalesce(k.named, 0) FROM blobs b
LEFT JOIN (SELECT blob, count(*) AS named FROM keys WHERE blob IS NOT NULL GROUP BY blob) k ON k.blob = b.id
WHERE b.refs <> coalesce(k.named, 0)
"""
_UNMARKED = "SELECT id FROM blobs WHERE refs = 0 AND id NOT IN (SELECT blob FROM dead)"
_MARKED = "SELECT d.blob FROM dead d LEFT JOIN blobs b ON b.id = d.blob WHERE b.id IS NULL OR b.refs > 0"
_PLACELESS = "SELECT b.id, b.pack FROM blobs b LEFT JOIN packs p ON p.id = b.pack WHERE p.id IS NULL"
_DICTIONARIES = """
SELECT dictionary, count(*) FROM pack_dictionaries WHERE dictionary NOT IN (SELECT id FROM dictionaries)
GROUP BY dictionary
"""
_LOST = "SELECT k.key FROM keys k LEFT JOIN blobs b ON b.id = k.blob WHERE k.blob IS NOT NULL AND b.id IS NULL"
_UNLISTED = "SELECT m.blob FROM manifests m LEFT JOIN blobs b ON b.id = m.blob WHERE b.id IS NULL"

_SUMS = (
    ("references", _UNMARKED, "content {0:016x} has no references, but nothing marks it for collection"),
    ("references", _MARKED, "content {0:016x} is marked for collection, but is gone or has references"),
    ("blob", _PLACELESS, "content {0:016x} lies in pack {1}, which the catalog does not list"),
    ("dictionary", _DICTIONARIES, "dictionary {0}, which {1} packs need, is missing"),
)
"""(kind, query, message) of what the catalog's rows must not show."""


def check_references(catalog: Catalog, tell: Callable[[Finding], None], show: Callable[[str, int, int], None]) -> int:
    """Tell what is wrong; return how many keys have a content. Errors as the catalog's."""
    show("references", 0, len(_SUMS) + 1)
    for finding in _miscounted(catalog):
        tell(finding)
    for step, (what, sql, message) in enumerate(_SUMS, 1):
        show("references", step, len(_SUMS) + 1)
        for row in catalog.rows(sql):
            blobs = {row[0]} if what == "blob" else set()
            shown = (_shown(row[0]), *row[1:]) if what != "dictionary" else row
            tell(Finding(what, message.format(*shown), blobs=blobs))
    ((keys,),) = catalog.rows("SELECT count(*) FROM keys WHERE blob IS NOT NULL")
    if keys != catalog.live_keys:
        tell(Finding("references", f"the catalog counts {catalog.live_keys} keys, but lists {keys}"))
    for (key,) in catalog.rows(_LOST):
        tell(Finding("key", "the catalog names a content that it does not list", keys=[decode_key(key)]))
    return int(keys)


def _miscounted(catalog: Catalog) -> Iterator[Finding]:
    """Yield what is wrong with the counts of references, and with who names chunks."""
    by_manifests = references((chunks,) for *_, chunks in catalog.manifests())
    for blob, refs, keys in catalog.rows(_NAMED):
        times = by_manifests.pop(blob, 0)
        if refs != keys + times:
            yield Finding("references", f"content {_shown(blob):016x} has {refs} references in {_namers(keys, times)}")
    for blob, times in sorted(by_manifests.items()):
        rows = catalog.rows("SELECT refs FROM blobs WHERE id = ?", (blob,))
        for (refs,) in rows:  # as many as there are keys
            yield Finding("references", f"content {_shown(blob):016x} has {refs} references in {_namers(refs, times)}")
        if not rows:
            message = f"chunk {_shown(blob):016x} of a large value is gone from the catalog"
            yield Finding("blob", message, blobs={blob})
    for (blob,) in catalog.rows(_UNLISTED) if catalog.lists_large_values() else ():
        yield Finding("references", f"content {_shown(blob):016x} is gone, but its chunks are still counted")


def _namers(keys: int, times: int) -> str:
    return f"the catalog, but {keys} keys name it" + (f", and manifests {times} times" if times else "")


def _shown(blob: int) -> int:
    """Return a number as people see digests elsewhere: it is the beginning of one."""
    return blob % (1 << 64)
