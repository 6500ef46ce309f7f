"""The catalog: key -> blob, blob -> place and references, packs, dictionaries; on disk, in SQLite.

Owns the only view of what is checkpointed. Reads run beside one writer, each on a connection of a small pool.
Everything that changes goes through `write()`, one transaction at a time, durable when it ends. Reference counts are
derived from key rows inside the same transaction, never counted anywhere else.

A blob's number is the first 8 bytes of its digest, so neither an index nor a second copy of the digest is needed; in
the unlikely case that two digests begin alike the later one is listed in `displaced`.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from stratakv.engine import catalog_upkeep
from stratakv.engine.catalog_rows import Found, FoundBlob, PackRow, Row, found_blob, found_key
from stratakv.engine.catalog_schema import CACHE_KIB, FORMAT_VERSION, SCHEMA, open_connection, translate
from stratakv.engine.catalog_write import Transaction
from stratakv.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")

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


_PACKS = """
SELECT id, tier, name, bytes, index_offset, index_digest, plaintext, live, live_blobs, created, due, dead_since
FROM packs WHERE
"""


class Catalog:
    """Open or create the catalog.

    Args:
        path: The SQLite file.
        vfs: The SQLite file layer to use instead of the checksumming one.
        keep_log: Leave a write-ahead log that is there as it is, for whoever only reads.
    """

    def __init__(self, path: Path, *, vfs: str | None = None, keep_log: bool = False) -> None:
        self.path = path
        log = path.with_name(path.name + "-wal")
        keep_log = keep_log and log.exists() and log.stat().st_size > 0
        self._vfs = vfs
        self._closed = False
        self._writer_lock = threading.Lock()
        self._readers: list[apsw.Connection] = []
        self._reader_count = 0
        self._writer = open_connection(path, create=True, vfs=vfs)
        try:
            self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(keep_log))
            self._initialise()
            self._displaced: dict[bytes, int] = dict(self._rows("SELECT digest, id FROM displaced"))
            self.live_keys = int(self.meta("live_keys", 0))
        except BaseException:
            self._writer.close()
            raise

    def _initialise(self) -> None:
        try:
            with self._writer:
                if not self._writer.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
                    self._writer.execute(SCHEMA)
                    self._writer.execute("INSERT INTO meta VALUES ('format', ?)", (FORMAT_VERSION,))
        except apsw.Error as failure:
            raise translate(failure, self.path) from failure

    # -- reading ---------------------------------------------------------------------------------------------

    def _read(self, query: Callable[[apsw.Connection], T]) -> T:
        try:
            connection = self._readers.pop()
        except IndexError:
            if self._closed:
                raise ClosedError("the store is closed") from None
            connection = open_connection(self.path, create=False, vfs=self._vfs)
            self._reader_count += 1
        return self._use(connection, query)

    def _use(self, connection: apsw.Connection, query: Callable[[apsw.Connection], T]) -> T:
        """Run a query on a connection taken out of the pool, and put it back."""
        try:
            return query(connection)
        except apsw.Error as failure:
            raise translate(failure, self.path) from failure
        finally:
            if self._closed:
                connection.close()
            else:
                self._readers.append(connection)

    def _row(self, sql: str, values: Row = ()) -> Row | None:
        found: Row | None = self._read(lambda connection: connection.execute(sql, values).fetchone())
        return found

    def _rows(self, sql: str, values: Row = ()) -> list[Row]:
        rows: list[Row] = self._read(lambda connection: connection.execute(sql, values).fetchall())
        return rows

    def find(self, key: bytes) -> Found | None:
        """Look a key up."""
        row = self._row(_FIND, (key,))
        return found_key(row) if row is not None else None

    def find_many(self, keys: Iterable[bytes]) -> dict[bytes, Found]:
        """Look many keys up on one connection."""

        def query(connection: apsw.Connection) -> dict[bytes, Found]:
            found = {}
            for key in keys:
                row = connection.execute(_FIND, (key,)).fetchone()
                if row is not None:
                    found[key] = found_key(row)
            return found

        return self._read(query)

    def blob_number(self, digest: bytes) -> int:
        """Return the number that a content has or would have."""
        if self._displaced:
            number = self._displaced.get(digest)
            if number is not None:
                return number
        return int.from_bytes(digest[:8], "big", signed=True)

    def find_blob(self, digest: bytes) -> FoundBlob | None:
        """Look a content up."""
        row = self._row(_FIND_BLOB, (self.blob_number(digest),))
        found = found_blob(row) if row is not None else None
        return found if found is not None and found.digest == digest else None

    def find_blobs(self, digests: Iterable[bytes]) -> dict[bytes, FoundBlob]:
        """Look many contents up on one connection."""
        wanted = list(digests)

        def query(connection: apsw.Connection) -> dict[bytes, FoundBlob]:
            found = {}
            for digest in wanted:
                row = connection.execute(_FIND_BLOB, (self.blob_number(digest),)).fetchone()
                if row is not None and (blob := found_blob(row)).digest == digest:
                    found[digest] = blob
            return found

        return self._read(query)

    def blobs_by_number(self, number: int) -> list[FoundBlob]:
        """Return the blob of a number, in a list of one or none."""
        row = self._row(_FIND_BLOB, (number,))
        return [found_blob(row)] if row is not None else []

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

    def meta(self, name: str, default: Any = None) -> Any:
        """Return a named value."""
        row = self._row("SELECT value FROM meta WHERE name = ?", (name,))
        return row[0] if row is not None else default

    # -- writing ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def write(self, now: int) -> Iterator[Transaction]:
        """Open the one write transaction; it is durable when the block ends and undone when it raises.

        `now` is wall time in seconds: blobs that lose their last reference start their grace period there.
        """
        with self._writer_lock:
            if self._closed:
                raise ClosedError("the store is closed")
            transaction = Transaction(self._writer, self.blob_number, self.live_keys)
            try:
                with self._writer:
                    yield transaction
                    transaction.finish(now)
                    transaction.set_meta("live_keys", transaction.live_keys)
            except apsw.Error as failure:
                raise translate(failure, self.path) from failure
            self.live_keys = transaction.live_keys
            self._displaced.update(transaction.displaced)

    def compact(self, *, rewrite: bool = True) -> None:
        """Give the write-ahead log back to the file system and, with `rewrite`, free pages, in as long as it takes."""
        self._upkeep(lambda writer: catalog_upkeep.compact(writer, rewrite=rewrite))

    def fold_long_log(self) -> None:
        """Fold the write-ahead log into the file if it has become long, unless a reader is at work."""
        self._upkeep(lambda writer: catalog_upkeep.fold_long_log(writer, self.path))

    def _upkeep(self, work: Callable[[apsw.Connection], None]) -> None:
        with self._writer_lock:
            try:
                work(self._writer)
            except apsw.Error as failure:
                raise translate(failure, self.path) from failure

    def shrink_memory(self) -> None:
        """Give page caches back that are not in use."""
        idle: list[apsw.Connection] = []
        while True:
            try:  # readers take connections meanwhile: asking first whether there is one would not do
                idle.append(self._readers.pop())
            except IndexError:
                break
        for connection in idle:
            connection.execute("PRAGMA shrink_memory")
            self._readers.append(connection)
        with self._writer_lock:
            if not self._closed:
                self._writer.execute("PRAGMA shrink_memory")

    def integrity_errors(self) -> list[str]:
        """Return what SQLite finds wrong with the file, nothing where it is sound."""
        try:
            rows = self._rows("PRAGMA integrity_check(100)")
        except Exception as failure:  # noqa: BLE001 -- a check reports every failure as a finding
            return [str(failure)]
        return [str(row[0]) for row in rows if row[0] != "ok"]

    @property
    def bytes_on_disk(self) -> int:
        """Length of the file, its log and its shared index."""
        total = 0
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                total += self.path.with_name(self.path.name + suffix).stat().st_size
        return total

    @property
    def ram_bytes(self) -> int:
        """Bytes of page cache held by the idle connections; one that is at work in another thread cannot be asked."""
        used = 0
        if self._writer_lock.acquire(blocking=False):
            try:
                if not self._closed:
                    used += _cache_bytes(self._writer)
            finally:
                self._writer_lock.release()
        for _ in range(len(self._readers)):
            try:
                connection = self._readers.pop(0)
            except IndexError:
                break
            used += self._use(connection, _cache_bytes)
        return min(used, CACHE_KIB * 1024 * (1 + self._reader_count))

    def close(self) -> None:
        """Close all connections; the last one folds the write-ahead log into the file. Idempotent."""
        with self._writer_lock:
            if self._closed:
                return
            self._closed = True
            while self._readers:
                self._readers.pop().close()
            self._writer.close()

    def connections(self) -> list[apsw.Connection]:
        """Return all connections, for a child process that must not finalise them."""
        self._closed = True
        return [self._writer, *self._readers]


def _prefix_end(prefix: bytes) -> bytes | None:
    """Return the least byte string above all that begin with `prefix`; None where there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None


def _cache_bytes(connection: apsw.Connection) -> int:
    return int(connection.status(apsw.SQLITE_DBSTATUS_CACHE_USED)[0])
