"""Loading: rows of a backup into a new catalog, and every sum recomputed from them.

Owns the statements for that, and nothing of where rows come from. A catalog that was loaded holds what `verify` asks
for: references, live bytes and dead marks agree with the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apsw

from stratakv.engine.backup_rows import CHUNK_BYTES
from stratakv.engine.catalog_manifests import references
from stratakv.engine.catalog_schema import FORMAT_VERSION
from stratakv.engine.records import IN_COLD
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stratakv.engine.catalog import Catalog

_INSERT = {
    "namespaces": "INSERT OR REPLACE INTO namespaces VALUES (?, ?, ?)",
    "packs": "INSERT OR REPLACE INTO packs VALUES (?1, 3, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, 0, NULL)",
    "gone_packs": "DELETE FROM packs WHERE name = ?",
    "blobs": "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
    "gone_blobs": "DELETE FROM blobs WHERE id = ?",
    "manifests": (
        "INSERT INTO manifests VALUES (?1, ?2, 0, ?4) "
        "ON CONFLICT DO UPDATE SET size = ?2, chunks = iif(?3, CAST(chunks || ?4 AS BLOB), ?4)"
    ),
    "displaced": "INSERT OR REPLACE INTO displaced VALUES (?, ?)",
    "keys": "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "gone_keys": "DELETE FROM keys WHERE key = ?",
}
ROWS_AT_ONCE = 20_000
"""Rows that are held until they are written."""

MANIFESTS_AT_ONCE = 64
"""So many of them are held: each may have a megabyte of chunks."""

_SIZE = "SELECT size FROM blobs WHERE id = ?"
_LOST = "SELECT key FROM keys WHERE blob IS NOT NULL AND blob NOT IN (SELECT id FROM blobs)"
# Chunks are added to what keys name by who counts the manifests.
_NAMED = """
DELETE FROM blobs WHERE pack NOT IN (SELECT id FROM packs);
DELETE FROM manifests WHERE blob NOT IN (SELECT id FROM blobs);
DELETE FROM displaced WHERE id NOT IN (SELECT id FROM blobs);
DELETE FROM pack_dictionaries WHERE pack NOT IN (SELECT id FROM packs);
CREATE TEMP TABLE named (blob INTEGER PRIMARY KEY, count INTEGER);
INSERT INTO named SELECT blob, count(*) FROM keys WHERE blob IS NOT NULL GROUP BY blob;
"""
_CHUNK = "INSERT INTO named VALUES (?1, ?2) ON CONFLICT DO UPDATE SET count = count + ?2"
_SUMS = """
UPDATE blobs SET refs = coalesce((SELECT count FROM named WHERE blob = id), 0);
DROP TABLE named;
CREATE TEMP TABLE held (pack INTEGER PRIMARY KEY, size INTEGER, count INTEGER);
INSERT INTO held SELECT pack, sum(size), count(*) FROM blobs GROUP BY pack;
UPDATE packs SET live = coalesce((SELECT size FROM held WHERE pack = id), 0),
    live_blobs = coalesce((SELECT count FROM held WHERE pack = id), 0);
DROP TABLE held;
"""


class CatalogLoading:
    """Fills one new catalog.

    Args:
        catalog: Empty.
        now: Wall time in seconds.

    Attributes:
        now: As given.
        saved: Wall time in seconds as of which the rows are.
        dictionaries: (id, namespace, created, object's name) that the rows list, by id.
        doomed: (name, bytes, since) of packs that the rows list as dead, by name.
    """

    def __init__(self, catalog: Catalog, now: int) -> None:
        self._catalog = catalog
        self.now = now
        self._waiting: list[tuple[str, Sequence[tuple[Any, ...]]]] = []
        self._waiting_rows = 0
        self._meta: dict[str, Any] = {}
        self._needs: dict[tuple[int, int], None] = {}
        self.saved = 0
        self.dictionaries: dict[int, tuple[int, int, int, str]] = {}
        self.doomed: dict[str, tuple[str, int, int]] = {}

    def apply(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take rows of a table of a backup; later ones replace earlier ones."""
        if table == "meta":
            self._meta.update(rows)
        elif table == "dictionaries":
            self.dictionaries.update((row[0], (row[0], row[1], row[2], row[3])) for row in rows)
        elif table == "needs":
            self._needs.update(((row[0], row[1]), None) for row in rows)
        elif table == "doomed":
            self.doomed.update((row[0], (row[0], row[1], row[2])) for row in rows)
        elif table != "chain":
            self._waiting.append((table, rows))
            self._waiting_rows += len(rows) * (ROWS_AT_ONCE // MANIFESTS_AT_ONCE if table == "manifests" else 1)
            if self._waiting_rows >= ROWS_AT_ONCE:
                self.commit()

    def begin_part(self) -> None:
        """Of the tables that a whole backup has in its last part, what an earlier one had is void."""
        self.dictionaries.clear()
        self.doomed.clear()
        self._needs.clear()

    def commit(self) -> None:
        """Write what was taken.

        Raises:
            CorruptionError: The rows contradict each other or the catalog's rules.
        """
        waiting, self._waiting, self._waiting_rows = self._waiting, [], 0

        def work(connection: apsw.Connection) -> None:
            try:
                for table, rows in waiting:
                    if table in ("blobs", "gone_blobs"):  # their manifests follow, if they are any
                        connection.executemany("DELETE FROM manifests WHERE blob = ?", [row[:1] for row in rows])
                    if table == "manifests" and any(len(row[3]) % CHUNK_BYTES for row in rows):
                        raise CorruptionError("a manifest in the backup names half a chunk")
                    connection.executemany(_INSERT[table], rows)
            except (apsw.ConstraintError, OverflowError, TypeError) as failure:
                raise CorruptionError(f"rows of the backup cannot be those of a catalog: {failure}") from failure

        self._write(work)

    def _write(self, work: Any) -> None:
        with self._catalog.write(self.now) as transaction:
            work(transaction.connection)

    def add_dictionary(self, number: int, namespace: int, created: int, content: bytes) -> None:
        """Add a dictionary in its stored form."""
        with self._catalog.write(self.now) as transaction:
            transaction.add_dictionary(number, namespace, content, created)

    def packs(self) -> list[tuple[int, str, int]]:
        """Return (id, name, bytes) of all packs."""
        return [(row[0], row[1], row[2]) for row in self._catalog.rows("SELECT id, name, bytes FROM packs")]

    def drop_pack(self, number: int) -> None:
        """Forget a pack that is not there, and what lies in it."""

        def work(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM blobs WHERE pack = ?", (number,))
            connection.execute("DELETE FROM packs WHERE id = ?", (number,))

        self._write(work)

    def drop_lost_keys(self) -> list[bytes]:
        """Forget the keys whose content no pack holds, or not all chunks of it, and return them."""
        lost: list[bytes] = []

        def work(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM blobs WHERE pack NOT IN (SELECT id FROM packs)")
            for value in _large_values(connection):
                if not all(_number(connection, _SIZE, (chunk,)) for chunk in _chunks_of(connection, value)):
                    connection.execute("DELETE FROM blobs WHERE id = ?", (value,))
            lost.extend(row[0] for row in connection.execute(_LOST))
            connection.executemany("DELETE FROM keys WHERE key = ?", [(key,) for key in lost])

        self._write(work)
        return lost

    def drop_unnamed(self) -> None:
        """Forget contents that no key and no manifest names, and packs with nothing else: others may need those."""

        def work(connection: apsw.Connection) -> None:
            connection.execute("CREATE TEMP TABLE needed (blob INTEGER PRIMARY KEY)")
            connection.execute("INSERT INTO needed SELECT DISTINCT blob FROM keys WHERE blob IS NOT NULL")
            connection.execute("DELETE FROM manifests WHERE blob NOT IN (SELECT blob FROM needed)")
            for value in _large_values(connection):
                chunks = [(chunk,) for chunk in _chunks_of(connection, value)]
                connection.executemany("INSERT OR IGNORE INTO needed VALUES (?)", chunks)
            connection.execute("DELETE FROM blobs WHERE id NOT IN (SELECT blob FROM needed)")
            connection.execute("DELETE FROM packs WHERE id NOT IN (SELECT pack FROM blobs)")
            connection.execute("DROP TABLE needed")

        self._write(work)

    def count_gone(self, contents: Iterable[int]) -> int:
        """Count those of some contents that are not listed any more."""
        return sum(not self._catalog.rows(_SIZE, (number,)) for number in contents)

    def doom_packs(self, names: Sequence[str]) -> None:
        """Have the store's owner remove packs that were dead already and are still there."""
        rows = [(name, IN_COLD, *self.doomed[name][1:]) for name in names]
        insert = "INSERT OR REPLACE INTO doomed (name, tier, bytes, since) VALUES (?, ?, ?, ?)"
        self._write(lambda connection: connection.executemany(insert, rows))

    def finish(self, store_id: bytes, epoch: int, *, trust_pickle: bool, claimed: str | None = None) -> None:
        """Recompute all sums and write what a store needs to know of itself.

        Args:
            store_id: The store's.
            epoch: The owner's as of which the rows are.
            trust_pickle: Whether pickled values may be read.
            claimed: The place where the packs lie, if a manifest there tells whose they are.

        Raises:
            CorruptionError: The rows are of another store.
        """
        if self._meta.get("store_id", store_id) != store_id:
            raise CorruptionError("the parts of the backup belong to different stores")
        for name in ("saved", "created", "last_sequence", "next_dictionary"):
            if not isinstance(self._meta.get(name, 0), int):
                raise CorruptionError(f"the backup says {name} is {self._meta[name]!r}")
        self.saved = int(self._meta.get("saved", 0))

        def work(connection: apsw.Connection) -> None:
            connection.executemany("INSERT OR IGNORE INTO pack_dictionaries VALUES (?, ?)", list(self._needs))
            connection.execute(_NAMED).fetchall()
            for value in _large_values(connection):
                chunks = _chunks_of(connection, value)
                connection.executemany(_CHUNK, list(chunks.items()))
                stored = sum(times * _number(connection, _SIZE, (chunk,)) for chunk, times in chunks.items())
                connection.execute("UPDATE manifests SET stored = ? WHERE blob = ?", (stored, value))
            connection.execute(_SUMS).fetchall()
            connection.execute("INSERT INTO dead SELECT id, ? FROM blobs WHERE refs = 0", (self.now,))
            connection.execute("UPDATE packs SET dead_since = ? WHERE live < plaintext", (self.now,))
            newest = _number(connection, "SELECT coalesce(max(version), 0) FROM keys")
            live = _number(connection, "SELECT count(*) FROM keys WHERE blob IS NOT NULL")
            dictionary = _number(connection, "SELECT coalesce(max(id), 0) FROM dictionaries")
            meta = {
                "store_id": store_id,
                "created": self._meta.get("created", self.now),
                "format": FORMAT_VERSION,
                "last_sequence": max(newest, int(self._meta.get("last_sequence", 0))),
                "next_dictionary": max(dictionary + 1, int(self._meta.get("next_dictionary", 1))),
                "epoch": epoch,
                "wrote_from": 0,
                "distrusts_pickle": int(not trust_pickle),
                "live_keys": live,
            }
            if claimed is not None:
                meta["claimed"] = claimed
            connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(meta.items()))
            self._catalog.live_keys = live

        with self._catalog.write(self.now) as transaction:
            work(transaction.connection)
            transaction.live_keys = self._catalog.live_keys

    def counts(self) -> tuple[int, int, int]:
        """Return (keys with a value, contents that they name, packs)."""
        ((contents,),) = self._catalog.rows("SELECT count(DISTINCT blob) FROM keys WHERE blob IS NOT NULL")
        ((packs,),) = self._catalog.rows("SELECT count(*) FROM packs")
        return self._catalog.live_keys, contents, packs


def _large_values(connection: apsw.Connection) -> list[int]:
    rows: list[Any] = connection.execute("SELECT blob FROM manifests").fetchall()
    return [row[0] for row in rows]


def _chunks_of(connection: apsw.Connection, value: int) -> dict[int, int]:
    """Return how often a manifest names each of its chunks."""
    return references(connection.execute("SELECT chunks FROM manifests WHERE blob = ?", (value,)))


def _number(connection: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> int:
    row: tuple[Any, ...] | None = connection.execute(sql, values).fetchone()
    return int(row[0]) if row is not None else 0
