"""`Store`: the one store behind all doors. Ties reader, writer and mover together and owns their life.

Checks on every call that the store is open and in its own process; knows nothing of wrapped engines. Every door
(`OptimizationMiddleware`, `TieredStorageManager`, `DeduplicationEngine`) is a thin face over an instance of this.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from typing import TYPE_CHECKING

from stratakv.clock import Clock, SystemClock
from stratakv.engine import lifetimes
from stratakv.engine.closing import abandon_pieces, close_pieces, tried
from stratakv.engine.large.ranges import Ranges
from stratakv.engine.large.value_file import open_value
from stratakv.engine.listing import Listing
from stratakv.engine.medium import warn_of
from stratakv.engine.mover import Mover
from stratakv.engine.opening import open_parts
from stratakv.engine.ownership import remove_store
from stratakv.engine.reading import Reader, Value
from stratakv.engine.recording import Recording
from stratakv.engine.records import check_key
from stratakv.engine.snapshot import write_snapshot
from stratakv.engine.statistics import Statistics
from stratakv.engine.terms import DEFAULTS, PutOptions
from stratakv.engine.tuning import Tuning
from stratakv.engine.writing import Writer
from stratakv.errors import ClosedError, ConfigurationError, StoreLockedError, StrataError
from stratakv.files import Files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from io import BufferedReader

    from stratakv.backends.base import Backend
    from stratakv.config import OptimizationConfig
    from stratakv.engine.contents import Content
    from stratakv.engine.large.sources import Source
    from stratakv.engine.state import State
    from stratakv.types import StorageTier


log = logging.getLogger("stratakv")

LAST_BACKUP_SECONDS = 2.0  # shutdown waits so long for a backup of what changed, and never for a whole one


class Store:
    """One open store.

    Args:
        config: Validated and ours to keep.
        clock: Time; a manual one means no threads.
        backends: Instead of those configured, by tier (WARM, COLD).
        read_only: Open for reading; nothing on disk changes.
        files: The file layer of the journal.
        catalog_vfs: SQLite's file layer for the catalog.
    """

    def __init__(
        self,
        config: OptimizationConfig,
        *,
        clock: Clock | None = None,
        backends: Mapping[StorageTier, Backend] | None = None,
        read_only: bool = False,
        files: Files | None = None,
        catalog_vfs: str | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._closed: str | None = "the store is not open yet"
        self.parts = parts = open_parts(
            config,
            clock=clock,
            backends=backends,
            read_only=read_only,
            files=files or Files(),
            catalog_vfs=catalog_vfs,
        )
        self.reader = Reader(parts)
        self.listing = Listing(parts, self.reader)
        self._ranges = Ranges(parts, self.reader)
        self.statistics = Statistics(parts)
        self.tuning = Tuning(parts, self.statistics.reduction)
        self.statistics.tuning = self.tuning
        self._recording = Recording(parts)
        self.mover: Mover | None = None
        self._writer: Writer | None = None
        self._closing = threading.Lock()
        self._closed = None
        self.get = self.reader.get
        if parts.journal is not None:
            self.mover = Mover(parts, parts.journal)
            self._writer = Writer(parts, parts.journal, self.reader, self.mover.relieve)
            parts.labels.introduce = self._writer.introduce
            self.mover.publish = self._publish
            self.statistics.background = self.mover
            self.mover.regularly += [self.tuning.step, self._recording.step]
            self.mover.start()
        lifetimes.begin(self)
        warn_of(parts.path, temporary=parts.temporary)

    # -- open or not -----------------------------------------------------------------------------------------

    def await_writers(self) -> None:
        """Return when every change that was under way is visible."""
        self._writable().await_all()

    def check_open(self) -> None:
        """Raise `ClosedError` where the store was shut down or belongs to the parent process."""
        if self._closed is not None:
            raise ClosedError(self._closed)

    def _writable(self, *, freeing: bool = False) -> Writer:
        """Return the writer; what went wrong in the background is raised first, a full disk not to who frees room."""
        if self._closed is not None:
            raise ClosedError(self._closed)
        if self._writer is None or self.mover is None:
            raise ClosedError("the store was opened with read_only=True: open it without to write")
        claim = self.parts.claim
        if claim is not None and claim.lost is not None:
            # What is written here now would be known to this machine alone, and never reach the tier or a backup.
            raise StoreLockedError(claim.lost)
        self.mover.raise_failure(full_disk=not freeing)
        return self._writer

    # -- single keys -----------------------------------------------------------------------------------------

    def read(self, key: str) -> Value | None:
        """Return a value with its tier, version, expiry and extra; None on a miss."""
        self.check_open()
        check_key(key)
        return self.reader.get_with_tier(key)

    def retrieve(self, key: str, default: object = None) -> object:
        """Return a value, or the default on a miss."""
        if self._closed is not None:
            raise ClosedError(self._closed)
        if type(key) is not str:
            check_key(key)
        return self.get(key, default)

    def put(self, key: str, value: object, options: PutOptions = DEFAULTS) -> Content | None:
        """Store a value; see `Writer.put`."""
        return self._writable().put(key, value, options)

    def put_stream(self, key: str, file: Source, options: PutOptions) -> Content:
        """Store what a file holds; see `Writer.put_stream`."""
        return self._writable().put_stream(key, file, options)

    def get_range(self, key: str, start: int, stop: int, default: object = None) -> object:
        """Return a part of a value; see `Ranges.read`."""
        self.check_open()
        check_key(key)
        return self._ranges.read(key, start, stop, default)

    def open_value(self, key: str) -> BufferedReader | None:
        """Return a key's bytes as a file; see `open_value`."""
        self.check_open()
        check_key(key)
        return open_value(self.parts, self.reader, key, self.check_open)

    def add(self, key: str, value: object, options: PutOptions = DEFAULTS) -> bool:
        """Store a value if the key has none; return whether it was stored."""
        return self._writable().put(key, value, options, _absent) is not None

    def replace(self, key: str, value: object, expected: object, options: PutOptions = DEFAULTS) -> bool:
        """Store a value if the present one equals `expected`, type and all; return whether it was stored."""
        writer = self._writable()

        def unchanged(state: State | None) -> bool:
            return state is not None and state.digest == writer.contents.digest_of(expected, state.namespace)

        return writer.put(key, value, options, unchanged) is not None

    def delete(self, key: str, *, tombstone: bool = False) -> bool:
        """Delete a key; return whether it had a value."""
        return self._writable(freeing=True).delete(key, tombstone=tombstone)

    def confirm_deleted(self, key: str) -> None:
        """A wrapped engine has deleted its copy too: the key's tombstone is not needed any more."""
        self._writable().confirm_deleted(key)

    def move(self, key: str, tier: StorageTier, *, pin: bool | None = None) -> bool:
        """Ask for a key in a tier; see `Writer.move`."""
        return self._writable().move(key, tier, pin=pin)

    def state(self, key: str) -> State | None:
        """Return what is known of a key, expired and deleted ones included."""
        self.check_open()
        check_key(key)
        return self.reader.state(key)

    def __contains__(self, key: object) -> bool:
        self.check_open()
        check_key(key)
        return self.reader.contains(str(key))

    def locked(self, key: str) -> threading.RLock:
        """Return the lock that serialises changes of a key; re-entrant."""
        return self._writable().locked(key)

    # -- many keys -------------------------------------------------------------------------------------------

    def put_many(self, items: Mapping[str, object], options: PutOptions = DEFAULTS) -> int:
        """Store many values: all or none; return how many."""
        return self._writable().put_many(items, options)

    def get_many(self, keys: Iterable[str]) -> dict[str, object]:
        """Return the values of the keys that have one."""
        self.check_open()
        wanted = list(keys)
        for key in wanted:
            check_key(key)
        return self.reader.get_many(wanted)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete many keys: all or none; return how many had a value."""
        return self._writable(freeing=True).delete_many(keys)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys that begin with `prefix`: weakly consistent, none twice.

        A key that was there throughout is among them.
        """
        self.check_open()
        if type(prefix) is not str:
            raise ConfigurationError(f"a prefix is str, not {type(prefix).__name__}")
        return self.listing.keys(prefix, self.check_open)

    def __len__(self) -> int:
        """Count the keys that have a value. Costs a look at what is dirty, never at all keys."""
        self.check_open()
        return self.listing.count()

    # -- upkeep ----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return when every acknowledged write is on the medium."""
        self.check_open()
        if self.parts.journal is None:
            raise ClosedError("the store was opened with read_only=True: open it without to write")
        self.parts.journal.sync()

    def maintain(self, *, settle: bool = False) -> None:
        """Run what is due in the background; with `settle` idle and grace times count as elapsed."""
        self._writable()
        if self.mover is not None:
            self.mover.run(settle=settle)

    def _publish(self) -> None:
        try:
            write_snapshot(self.parts.path, self.statistics.published())
        except (OSError, StrataError) as failure:
            log.warning("the statistics for readers beside the owner could not be written: %s", failure)

    def close(self, *, remove: bool | None = None) -> None:
        """Stop the background, persist what is dirty, close. Idempotent.

        A failure to persist is raised after everything is closed; what was acknowledged is in the journal.
        """
        with self._closing:
            if self._closed is not None:
                return
            parts = self.parts
            problems: list[BaseException] = []
            if self.mover is not None:
                if not self.mover.stop():
                    problems.append(ClosedError("the background thread did not stop within 5 seconds"))
                else:
                    problems += tried(self._persist)
            self._closed = "the store is closed: open it again to use it"
            problems += close_pieces(parts)
            lifetimes.end(self)
            if parts.temporary if remove is None else remove:
                remove_store(parts.path)
            if problems:
                raise problems[0]

    def _persist(self) -> None:
        if self.mover is None:
            return
        if not self.parts.temporary:
            self.mover.checkpoint()
            self.mover.carrier.save_last(LAST_BACKUP_SECONDS)
            self.mover.learning.save_filter()
            self.tuning.save()
            self._recording.stop()
            self.parts.catalog.compact(rewrite=False)
            self._publish()
        self.mover.raise_failure()

    def leave_to_journal(self) -> None:
        """At interpreter exit: hand the journal to the medium, nothing more."""
        if self._closed is None and self.parts.journal is not None:
            self.parts.journal.sync()
            if self.parts.temporary:
                shutil.rmtree(self.parts.path, ignore_errors=True)

    def abandon(self) -> None:
        """In a child after fork: let go of everything without touching the parent's files."""
        self._closed = f"this store belongs to process {os.getppid()}: open a store after the fork, not before"
        abandon_pieces(self.parts)


def _absent(state: State | None) -> bool:
    return state is None
