"""The catalog: key -> blob, blob -> place and references, packs, dictionaries; on disk, in SQLite.

Owns the questions that are asked of what is checkpointed; how rows change is `catalog_write`. Reference counts are
derived from key rows inside the transaction that changes them, never counted anywhere else.

A blob's number is the first 8 bytes of its digest, so neither an index nor a second copy of the digest is needed; in
the unlikely case that two digests begin alike the later one is listed in `displaced`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.catalog_file import CatalogFile
from stratakv.engine.catalog_manifests import all_rows, numbers_in
from stratakv.engine.catalog_rows import FoundBlob, PackRow, Row, found_blob, found_state, whole_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import apsw

    from stratakv.engine.state import State

_FIND = """
SELECT k.version, k.namespace, k.pin, k.expires, k.extra, k.blob, b.digest, b.namespace,
    b.pack, b.block, b.offset, b.size, p.tier, a.count
FROM keys k LEFT JOIN blobs b ON b.id = k.blob LEFT JOIN packs p ON p.id = b.pack
    LEFT JOIN accesses a ON a.blob = k.blob WHERE k.key = ?
"""
_FIND_BLOB = """
SELECT b.id, b.digest, b.namespace, b.pack, b.block, b.offset, b.size, p.tier
FROM blobs b JOIN packs p ON p.id = b.pack WHERE b.id = ?
"""

TOGETHER = 64
"""Contents that are looked up by one statement: one by one each costs three times as much."""

_FIND_BLOBS = _FIND_BLOB.replace("b.id = ?", f"b.id IN ({', '.join('?' * TOGETHER)})")
_CHUNKS = "SELECT chunks FROM manifests WHERE blob = ?"
_PACKS = """
SELECT id, tier, name, bytes, index_offset, index_digest, plaintext, live, live_blobs, created, due, dead_since
FROM packs WHERE
"""


class Catalog(CatalogFile):
    """The catalog of one store; arguments as `CatalogFile`."""

    _has_manifests = False

    def find(self, key: bytes) -> State | None:
        """Look a key up."""
        row = self._row(_FIND, (key,))
        return found_state(row) if row is not None else None

    def find_many(self, keys: Iterable[bytes]) -> dict[bytes, State]:
        """Look many keys up on one connection."""

        def query(connection: apsw.Connection) -> dict[bytes, State]:
            found = {}
            for key in keys:
                row = connection.execute(_FIND, (key,)).fetchone()
                if row is not None:
                    found[key] = found_state(row)
            return found

        return self._read(query)

    def find_blob(self, digest: bytes) -> FoundBlob | None:
        """Look a content up."""
        row = self._row(_FIND_BLOB, (self.blob_number(digest),))
        found = found_blob(row) if row is not None else None
        return found if found is not None and found.digest == digest else None

    def find_blobs(self, digests: Iterable[bytes]) -> dict[bytes, FoundBlob]:
        """Look many contents up on one connection."""
        wanted = set(digests)
        numbers = [self.blob_number(digest) for digest in wanted]

        def query(connection: apsw.Connection) -> dict[bytes, FoundBlob]:
            found = {}
            for start in range(0, len(numbers), TOGETHER):
                some = numbers[start : start + TOGETHER]
                some += some[-1:] * (TOGETHER - len(some))  # always as many, so that the statement is prepared once
                for row in connection.execute(_FIND_BLOBS, some):
                    blob = found_blob(row)
                    if blob.digest in wanted:
                        found[blob.digest] = blob
            return found

        return self._read(query)

    def blobs_by_number(self, number: int) -> list[FoundBlob]:
        """Return the blob of a number, in a list of one or none."""
        row = self._row(_FIND_BLOB, (number,))
        return [found_blob(row)] if row is not None else []

    def chunks_of(self, digest: bytes) -> list[bytes]:
        """Return the digests of a large content's chunks, each once; none of one that is kept whole."""
        if not self.lists_large_values():
            return []

        def query(connection: apsw.Connection) -> list[bytes]:
            row = connection.execute(_CHUNKS, (self.blob_number(digest),)).fetchone()
            found = []
            for number in sorted(set(numbers_in(row[0]))) if row is not None else ():
                chunk = connection.execute("SELECT digest FROM blobs WHERE id = ?", (number,)).fetchone()
                if chunk is not None:
                    found.append(whole_digest(number, chunk[0]))
            return found

        return self._read(query)

    def manifests(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield (blob, bytes of the value, bytes of its chunks, their numbers as `numbers_in` reads them) of all."""
        return all_rows(self._rows) if self.lists_large_values() else iter(())

    def large_size(self, blob: int) -> int | None:
        """Return how many bytes of plaintext a large value has; None for a content that is kept whole."""
        sql = "SELECT size FROM manifests WHERE blob = ?"
        row = self._row(sql, (blob,)) if self.lists_large_values() else None
        return int(row[0]) if row is not None else None

    def lists_large_values(self) -> bool:
        """Tell whether the table of manifests is there: an earlier release's catalog that is only read lacks it."""
        if not self._has_manifests:
            self._has_manifests = bool(self._rows("SELECT 1 FROM sqlite_schema WHERE name = 'manifests'"))
        return self._has_manifests

    def keys_after(self, prefix: bytes, after: bytes | None, limit: int) -> list[tuple[bytes, int, bool]]:
        """Return up to `limit` (key, expires, tombstone) of a prefix in byte order, behind `after`."""
        low, above = (prefix, ">=") if after is None else (after, ">")
        high = _prefix_end(prefix)
        rows = self._rows(
            f"SELECT key, expires, blob IS NULL FROM keys WHERE key {above} ?"  # noqa: S608 -- only an operator
            + (" AND key < ?" if high is not None else "")
            + " ORDER BY key LIMIT ?",
            (low, limit) if high is None else (low, high, limit),
        )
        return [(key, expires or 0, bool(dead)) for key, expires, dead in rows]

    def count_live_without(self, keys: Iterable[bytes], now: int) -> int:
        """Count the keys with a value that is not past its time, `keys` left out, as of one moment."""

        def query(connection: apsw.Connection) -> int:
            with connection:  # a transaction: all three see the same commit
                row = connection.execute("SELECT value FROM meta WHERE name = 'live_keys'").fetchone()
                count: int = row[0] if row is not None else 0
                expired = "SELECT count(*) FROM keys WHERE expires <= ? AND blob IS NOT NULL"
                count -= sum(found[0] for found in connection.execute(expired, (now,)))
                for key in keys:
                    row = connection.execute("SELECT blob, expires FROM keys WHERE key = ?", (key,)).fetchone()
                    if row is not None and row[0] is not None and not (row[1] and row[1] <= now):
                        count -= 1
            return count

        return self._read(query)

    def expired_keys(self, now: int, limit: int) -> list[bytes]:
        """Return keys past their time."""
        return [row[0] for row in self._rows("SELECT key FROM keys WHERE expires <= ? LIMIT ?", (now, limit))]

    def keys_written_before(self, moment: int, namespace: int, limit: int) -> list[bytes]:
        """Return prunable keys of a namespace last written before `moment` (milliseconds)."""
        sql = "SELECT key FROM keys WHERE written < ? AND namespace = ? LIMIT ?"
        return [row[0] for row in self._rows(sql, (moment, namespace, limit))]

    def pinned_keys(self) -> list[tuple[bytes, int]]:
        """Return (key, tier) of all pins."""
        return [(row[0], row[1]) for row in self._rows("SELECT key, pin FROM keys WHERE pin > 0")]

    def tombstones(self, limit: int) -> list[bytes]:
        """Return keys whose deletion the wrapped engine has not confirmed."""
        return [row[0] for row in self._rows("SELECT key FROM keys WHERE blob IS NULL LIMIT ?", (limit,))]

    def packs(self, where: str = "1", values: Row = ()) -> list[PackRow]:
        """Return packs by an SQL condition over their columns."""
        sql = _PACKS + where + " ORDER BY id"  # conditions are constants of this package
        return [PackRow(*row) for row in self._rows(sql, values)]

    def pack(self, number: int) -> PackRow | None:
        """Return one pack."""
        found = self.packs("id = ?", (number,))
        return found[0] if found else None

    def rows(self, sql: str, values: Row = ()) -> list[Row]:
        """Run a query of the mover, the statistics or the verifier; `sql` is a constant of this package."""
        return self._rows(sql, values)


def _prefix_end(prefix: bytes) -> bytes | None:
    """Return the least byte string above all that begin with `prefix`; None where there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
