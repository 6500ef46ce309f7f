"""Rows of the catalog for a backup: all of them piece by piece for a base, and those that changed as of one moment.

Owns the statements that read them. Never writes, and knows neither parts nor the cold tier.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from stratakv.engine.backup_format import CHUNKS_A_ROW, DICTIONARY_PREFIX
from stratakv.engine.catalog_changes import BLOB, KEY, MARK, PACK
from stratakv.engine.records import IN_COLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stratakv.engine.catalog import Catalog

    Query = Callable[..., Any]
    Rows = list[tuple[Any, ...]]

CHUNK_BYTES = 8
"""Of a chunk's number in a row of `manifests`."""

ROWS_AT_ONCE = 250
"""Rows that are read before the next pause: about half a millisecond of the interpreter."""

CHANGES = frozenset({"keys", "gone_keys", "blobs", "gone_blobs", "packs", "gone_packs"})
"""Tables of which a part has what changed; of the others the last part has all rows."""

_KEY_FIELDS = "key, blob, version, namespace, pin, expires, written, extra"
_PACK_FIELDS = "id, name, bytes, index_offset, index_digest, plaintext, created"
_COLD_BLOBS = """
SELECT b.id, b.digest, b.namespace, b.pack, b.block, b.offset, b.size FROM blobs b JOIN packs p ON p.id = b.pack
WHERE p.tier = ? AND b.id
"""
_MANIFEST = """
SELECT m.blob, m.size, m.chunks FROM manifests m JOIN blobs b ON b.id = m.blob JOIN packs p ON p.id = b.pack
WHERE p.tier = ? AND m.blob = ?
"""
_NEEDS = """
SELECT d.pack, d.dictionary FROM pack_dictionaries d JOIN packs p ON p.id = d.pack WHERE p.tier = ?
"""
_KEPT_META = ("store_id", "created", "format", "last_sequence", "next_dictionary")


def add_base_rows(catalog: Catalog, progress: dict[str, Any]) -> Iterator[tuple[str, Rows]]:
    """Yield (table, rows) of the next piece of a base, and move `progress` on: its `stage` is "done" at the end."""
    if progress["stage"] == "keys":
        after = bytes.fromhex(progress["after"] or "")
        rows = catalog.rows(
            f"SELECT {_KEY_FIELDS} FROM keys WHERE key > ? ORDER BY key LIMIT ?",  # noqa: S608 -- constants
            (after, ROWS_AT_ONCE),
        )
        yield "keys", rows
        if rows:
            progress["after"] = rows[-1][0].hex()
        else:
            progress["stage"], progress["after"] = "blobs", None
        return
    start = -(1 << 63) if progress["after"] is None else progress["after"] + 1
    rows = catalog.rows(f"{_COLD_BLOBS} >= ? ORDER BY b.id LIMIT ?", (IN_COLD, start, ROWS_AT_ONCE))
    yield "blobs", rows
    for (number,) in catalog.rows("SELECT blob FROM manifests WHERE blob BETWEEN ? AND ?", _span(rows)) if rows else ():
        yield "manifests", _pieces(catalog.rows(_MANIFEST, (IN_COLD, number)))
    if rows and rows[-1][0] < (1 << 63) - 1:
        progress["after"] = rows[-1][0]
    else:
        yield "packs", catalog.rows(f"SELECT {_PACK_FIELDS} FROM packs WHERE tier = ?", (IN_COLD,))  # noqa: S608 - a constant of this file
        progress["stage"], progress["after"] = "done", None


def mark_of(query: Query) -> int:
    """Return the number of the last transaction that noted changes."""
    rows = query("SELECT value FROM meta WHERE name = ?", (MARK,)).fetchall()
    return int(rows[0][0]) if rows else 0


def dictionaries_of(query: Query) -> Rows:
    """Return (id, namespace, created, content in its stored form) of all dictionaries."""
    rows: Rows = query("SELECT id, namespace, created, content FROM dictionaries", ()).fetchall()
    return rows


def changed_rows(query: Query, saved: int) -> Iterator[tuple[str, Rows]]:
    """Yield (table, rows): the present rows of what is noted as changed, then the small tables whole.

    Args:
        query: Runs a query; all see the catalog as of one moment.
        saved: Wall time in seconds of that moment.
    """
    for kind, table, present in (
        (KEY, "keys", f"SELECT {_KEY_FIELDS} FROM keys WHERE key = ?"),  # noqa: S608 -- constants
        (BLOB, "blobs", f"{_COLD_BLOBS} = ?"),
        (PACK, "packs", f"SELECT {_PACK_FIELDS} FROM packs WHERE tier = ? AND name = ?"),  # noqa: S608 - a constant of this file
    ):
        after = b""
        while True:
            ids = query(
                "SELECT id FROM changed WHERE kind = ? AND id > ? ORDER BY id LIMIT ?", (kind, after, ROWS_AT_ONCE)
            ).fetchall()
            if not ids:
                break
            after = ids[-1][0]
            rows, gone = [], []
            for (stored,) in ids:
                what = _id_of(kind, stored)
                row = query(present, (what,) if kind == KEY else (IN_COLD, what)).fetchone()
                rows.append(row) if row is not None else gone.append((what,))
            yield table, rows
            yield f"gone_{table}", gone
            for number, *_ in rows if kind == BLOB else ():
                yield "manifests", _pieces(query(_MANIFEST, (IN_COLD, number)))
    yield "namespaces", query("SELECT id, name, salt FROM namespaces", ()).fetchall()
    yield "displaced", query("SELECT digest, id FROM displaced", ()).fetchall()
    yield "dictionaries", [(*row[:3], dictionary_name(row[0], row[3])) for row in dictionaries_of(query)]
    yield "needs", query(_NEEDS, (IN_COLD,)).fetchall()
    yield "doomed", query("SELECT name, bytes, since FROM doomed WHERE tier = ?", (IN_COLD,)).fetchall()
    meta = [(name, value) for name, value in query("SELECT name, value FROM meta", ()) if name in _KEPT_META]
    yield "meta", [*meta, ("saved", saved)]


def _span(rows: Rows) -> tuple[int, int]:
    """Return the least and the greatest number of blobs in order."""
    return rows[0][0], rows[-1][0]


def _pieces(rows: Iterable[tuple[Any, ...]]) -> Rows:
    """Return rows of manifests as they stand in parts: none has more chunks than a record takes."""
    return [
        (blob, size, start // CHUNK_BYTES, chunks[start : start + CHUNKS_A_ROW * CHUNK_BYTES])
        for blob, size, chunks in rows
        for start in range(0, len(chunks), CHUNKS_A_ROW * CHUNK_BYTES)
    ]


def dictionary_name(number: int, content: bytes) -> str:
    """Return the object's name of a dictionary in its stored form."""
    return f"{DICTIONARY_PREFIX}{number:08d}-{hashlib.sha256(content).hexdigest()[:16]}.dict"


def _id_of(kind: int, stored: bytes) -> bytes | int | str:
    """Return the id of a note as the noted row has it."""
    if kind == BLOB:
        return int.from_bytes(stored, "big", signed=True)
    return stored.decode() if kind == PACK else stored
