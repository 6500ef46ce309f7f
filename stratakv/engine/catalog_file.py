"""The catalog's file in use: readers beside one writer, transactions, and upkeep of the file.

Owns the writer's connection, and when all of them close; the readers' are `catalog_readers`'. Knows no table but `meta`
and the numbers of displaced digests; what the rows mean is the catalog's. Reads run beside the writer; everything that
changes goes through `write()`, one transaction at a time, durable when it ends.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from stratakv.engine import catalog_upkeep
from stratakv.engine.catalog_changes import Changes, Unnoted
from stratakv.engine.catalog_readers import Readers
from stratakv.engine.catalog_schema import CACHE_KIB, FORMAT_VERSION, SCHEMA, open_connection, translate
from stratakv.engine.catalog_write import Transaction
from stratakv.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stratakv.engine.catalog_rows import Row

T = TypeVar("T")


class CatalogFile:
    """Open or create the catalog's file.

    Args:
        path: The SQLite file.
        vfs: The SQLite file layer to use instead of the checksumming one.
        keep_log: Leave a write-ahead log that is there as it is, for whoever only reads.

    Attributes:
        notes_changes: Whether transactions note what they change, for the next backup.
    """

    def __init__(self, path: Path, *, vfs: str | None = None, keep_log: bool = False) -> None:
        self.path = path
        self.notes_changes = False
        log = path.with_name(path.name + "-wal")
        keep_log = keep_log and log.exists() and log.stat().st_size > 0
        self._vfs = vfs
        self._closed = False
        self._writer_lock = threading.Lock()
        self._readers = Readers(lambda: open_connection(path, create=False, vfs=vfs))
        self._writer = open_connection(path, create=True, vfs=vfs)
        try:
            self._writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(keep_log))
            self._initialise()
        except BaseException:
            self._writer.close()
            raise

    def _initialise(self) -> None:
        try:
            with self._writer:
                if not self._writer.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone():
                    self._writer.execute(SCHEMA)
                    self._writer.execute("INSERT INTO meta VALUES ('format', ?)", (FORMAT_VERSION,))
            self._count()
        except apsw.Error as failure:
            raise translate(failure, self.path) from failure

    def _count(self) -> None:
        """Take from the file what is kept of it in RAM."""
        displaced: list[Any] = self._writer.execute("SELECT digest, id FROM displaced").fetchall()
        counted: list[Any] = self._writer.execute("SELECT value FROM meta WHERE name = 'live_keys'").fetchall()
        self._displaced: dict[bytes, int] = dict(displaced)
        self.live_keys = int(counted[0][0]) if counted else 0

    # -- reading ---------------------------------------------------------------------------------------------

    def _read(self, query: Callable[[apsw.Connection], T]) -> T:
        reader = self._readers.take()
        try:
            found = query(reader.connection)
        except apsw.Error as failure:
            self._readers.discard(reader)
            raise translate(failure, self.path) from failure
        except BaseException:
            self._readers.discard(reader)
            raise
        self._readers.put_back(reader)
        return found

    def _row(self, sql: str, values: Row = ()) -> Row | None:
        rows = self._rows(sql, values)
        return rows[0] if rows else None

    def _rows(self, sql: str, values: Row = ()) -> list[Row]:
        reader = self._readers.take()
        try:  # written out, because every read below RAM comes here
            rows: list[Row] = reader.execute(sql, values).fetchall()
        except apsw.Error as failure:
            self._readers.discard(reader)
            raise translate(failure, self.path) from failure
        except BaseException:
            self._readers.discard(reader)
            raise
        self._readers.put_back(reader)
        return rows

    def blob_number(self, digest: bytes) -> int:
        """Return the number that a content has or would have."""
        if self._displaced:
            number = self._displaced.get(digest)
            if number is not None:
                return number
        return int.from_bytes(digest[:8], "big", signed=True)

    def meta(self, name: str, default: Any = None) -> Any:
        """Return a named value."""
        row = self._row("SELECT value FROM meta WHERE name = ?", (name,))
        return row[0] if row is not None else default

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Callable[[str, Row], Iterator[Row]]]:
        """Hand out a function that runs queries, all of which see the catalog as of one moment."""
        connection = open_connection(self.path, create=False, vfs=self._vfs)
        try:
            with connection:
                yield connection.execute
        except apsw.Error as failure:
            raise translate(failure, self.path) from failure
        finally:
            connection.close()

    # -- writing ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def write(self, now: int) -> Iterator[Transaction]:
        """Open the one write transaction; it is durable when the block ends and undone when it raises.

        `now` is wall time in seconds: blobs that lose their last reference start their grace period there.
        """
        with self._writer_lock:
            if self._closed:
                raise ClosedError("the store is closed")
            changes = Changes(self._writer) if self.notes_changes else Unnoted()
            transaction = Transaction(self._writer, self.blob_number, self.live_keys, changes)
            # So that the log can begin anew, and that none sees what was before when this is committed, wherever an
            # interrupt comes.
            with self._readers.holding_nothing():
                try:
                    yield from self._transact(transaction, now)
                except apsw.Error as failure:
                    raise translate(failure, self.path) from failure

    def _transact(self, transaction: Transaction, now: int) -> Iterator[Transaction]:
        """Commit what is done in a transaction, and keep in step what is known in RAM."""
        try:
            with self._writer:
                yield transaction
                transaction.finish(now)
                transaction.set_meta("live_keys", transaction.live_keys)
            self.live_keys = transaction.live_keys
            self._displaced.update(transaction.displaced)
        except BaseException:
            self._count()  # behind an interrupt it may have been committed or not
            raise

    def compact(self, *, rewrite: bool = True) -> None:
        """Give the write-ahead log back to the file system and, with `rewrite`, free pages, in as long as it takes."""
        self._upkeep(lambda writer: catalog_upkeep.compact(writer, rewrite=rewrite))

    def fold_long_log(self) -> None:
        """Fold the write-ahead log into the file if it has become long, unless a reader is at work."""
        self._upkeep(lambda writer: catalog_upkeep.fold_long_log(writer, self.path))

    def _upkeep(self, work: Callable[[apsw.Connection], None]) -> None:
        with self._writer_lock:
            if self._closed:
                raise ClosedError("the store is closed")
            try:
                with self._readers.holding_nothing():
                    work(self._writer)
            except apsw.Error as failure:
                raise translate(failure, self.path) from failure

    def shrink_memory(self) -> None:
        """Give page caches back that are not in use."""
        for reader in self._readers.each_idle():
            reader.connection.execute("PRAGMA shrink_memory")
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
        used += sum(_cache_bytes(reader.connection) for reader in self._readers.each_idle())
        return min(used, CACHE_KIB * 1024 * (1 + self._readers.count))

    def close(self) -> None:
        """Close all connections; the last one folds the write-ahead log into the file. Idempotent."""
        with self._writer_lock:
            if self._closed:
                return
            self._closed = True
            self._readers.close()
            self._writer.close()

    def connections(self) -> list[apsw.Connection]:
        """Return all connections, for a child process that must not finalise them."""
        self._closed = True
        return [self._writer, *self._readers.all_idle()]


def _cache_bytes(connection: apsw.Connection) -> int:
    return int(connection.status(apsw.SQLITE_DBSTATUS_CACHE_USED)[0])
