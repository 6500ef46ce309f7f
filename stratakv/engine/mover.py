"""The mover: when background work runs, who waits for it, and where its failures go.

Owns one thread for all background work and one that syncs the journal on an interval. With a manual clock there are
none: everything runs in `run()` on the caller's thread. Only one run is under way at a time. A failure is kept, counted
and raised once by the caller's next writing operation; work that failed is tried again, at growing intervals.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from stratakv.engine.afterwards import finish_opening
from stratakv.engine.checkpoint import Checkpoint
from stratakv.engine.collection import Collection
from stratakv.engine.compaction import Compaction
from stratakv.engine.learning import Learning
from stratakv.engine.movement import Movement
from stratakv.engine.telemetry import BACKGROUND_FAILURES, COLLECTED, COMPACTIONS
from stratakv.errors import CapacityError, ClosedError, StrataError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.journal import Journal
    from stratakv.engine.parts import Parts
    from stratakv.engine.reading import Reader

log = logging.getLogger("stratakv")

SLICE_SECONDS = 0.001
REST_SECONDS = 0.0005
TICK_SECONDS = 0.25
ATTEMPTS = 8
STOP_WITHIN_SECONDS = 5.0
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
CHECKPOINT_SHARE = 0.25
"""A checkpoint starts when the dirty table is this full, so that writers seldom meet its bound."""

FIRST_SNAPSHOT_SECONDS = 5.0
"""A reader beside a new owner finds its statistics after so long at the latest."""

TOUCHED_AT_MOST = 20_000
"""Reads below RAM that are counted before they go into the catalog with a checkpoint."""


class StoppedError(Exception):
    """The store is shutting down: what is under way is left for the next opening."""


class Mover:
    """Background work of one store."""

    def __init__(self, parts: Parts, journal: Journal, reader: Reader) -> None:
        self._parts = parts
        self._journal = journal
        self._checkpoint = Checkpoint(parts, journal, reader)
        self._movement = Movement(parts)
        self._compaction = Compaction(parts)
        self.collection = Collection(parts)
        self.learning = Learning(parts)
        self.publish: Callable[[], None] = lambda: None
        """Writes the statistics snapshot for readers beside the owner."""
        self._publish_by: float | None = parts.clock.monotonic() + FIRST_SNAPSHOT_SECONDS
        """When the first snapshot is due; None once there is one."""
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._round = threading.Condition()
        self._rounds = 0
        self._failure: BaseException | None = None
        self.last_failure: str | None = None
        self._threads: list[threading.Thread] = []
        storage = parts.config.storage
        self._dirty_bytes = storage.dirty_limit_mb * 1024 * 1024
        self._dirty_entries = storage.dirty_limit_entries
        self._checkpoint_age = storage.checkpoint_interval_seconds
        self._sync_seconds = storage.sync_interval_ms / 1000
        self._interval = parts.config.effective_migration_interval
        self._next_upkeep = parts.clock.monotonic() + self._interval
        self._retry_at = 0.0
        self._retry_delay = FIRST_RETRY_SECONDS

    # -- threads ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads; none with a manual clock."""
        if self._parts.clock.manual:
            return
        self._threads = [threading.Thread(target=self._work, name="stratakv-mover", daemon=True)]
        if self._parts.config.storage.durability == "process":
            self._threads.append(threading.Thread(target=self._sync, name="stratakv-sync", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> bool:
        """Stop the threads; False if one did not end within 5 seconds."""
        self._stop.set()
        self._wake.set()
        deadline = self._parts.clock.monotonic() + STOP_WITHIN_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._parts.clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        clock = self._parts.clock
        while not self._stop.is_set():
            clock.wait(self._wake, TICK_SECONDS)
            self._wake.clear()
            if self._stop.is_set():
                return
            if clock.monotonic() < self._retry_at:
                continue
            try:
                self._step()
            except StoppedError:
                return
            except BaseException as failure:  # noqa: BLE001 -- kept for the caller's next operation
                self._keep(failure)
            else:
                self._retry_delay = FIRST_RETRY_SECONDS
            self._end_round()

    def _step(self) -> None:
        with self._lock:
            finish_opening(self._parts)
            checkpointed = self._checkpoint_due()
            if checkpointed:
                self._checkpoint.run(self._pacer())
                self.learning.train(self._pacer())
                self.learning.refresh_filter(self._pacer())
            if self._publish_by is not None and (checkpointed or self._parts.clock.monotonic() >= self._publish_by):
                self._snapshot()
            if self._parts.clock.monotonic() >= self._next_upkeep:
                self._next_upkeep = self._parts.clock.monotonic() + self._interval
                self._upkeep(self._pacer(), settle=False)

    def _sync(self) -> None:
        clock = self._parts.clock
        never = self._stop
        while not clock.wait(never, self._sync_seconds):
            try:
                self._journal.sync()
            except ClosedError:
                return  # latched, or closing: every write says so itself
            except OSError as failure:
                self._keep(failure)
                return

    def _pacer(self) -> Callable[[], None]:
        """Return a function that rests after each millisecond of work, and ends the work when the store stops."""
        clock, stop = self._parts.clock, self._stop
        rest = threading.Event()
        since = clock.monotonic()

        def pause() -> None:
            nonlocal since
            if stop.is_set():
                raise StoppedError
            if clock.monotonic() - since >= SLICE_SECONDS:
                clock.wait(rest, REST_SECONDS)
                since = clock.monotonic()

        return pause

    # -- runs ------------------------------------------------------------------------------------------------

    def run(self, *, settle: bool = False) -> None:
        """Do on the caller's thread whatever is due, a checkpoint in any case."""

        def all_work() -> None:
            self._checkpoint.run(_no_pause)
            self.learning.train(_no_pause)
            self.learning.refresh_filter(_no_pause)
            self._upkeep(_no_pause, settle=settle)

        with self._lock:
            finish_opening(self._parts)
            self._attempt(all_work, settle=settle)
            self._next_upkeep = self._parts.clock.monotonic() + self._interval
        self._retry_at, self._retry_delay = 0.0, FIRST_RETRY_SECONDS
        self._end_round()

    def checkpoint(self) -> None:
        """Persist what is dirty, on the caller's thread."""
        with self._lock:
            finish_opening(self._parts)
            self._attempt(lambda: self._checkpoint.run(_no_pause))
        self._end_round()

    def _upkeep(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Do each step even where another fails: on a full disk or beside a sick tier the others still help."""
        failures = []
        for step in (self.collection, self._movement, self.collection, self._compaction, self.collection):
            try:
                step.run(pause, settle=settle)
                self._parts.catalog.fold_long_log()
            except StrataError as failure:
                failures.append(failure)
                self._clear_up()
        self._parts.compression.trim()
        self._parts.catalog.shrink_memory()
        self._parts.hot.shrink()
        if failures:
            raise failures[0]
        if settle:
            self._parts.catalog.compact()
            self._parts.rest()
        self._parts.reserve.fill()
        self._snapshot()

    def _snapshot(self) -> None:
        self._publish_by = None
        self.publish()

    def _attempt(self, work: Callable[[], object], *, settle: bool = False) -> None:
        """Do work on the caller's thread, again as long as it lacks room and some more could be freed."""
        for left in reversed(range(ATTEMPTS)):
            try:
                work()
            except CapacityError:
                if not self._free_room(_no_pause, settle=settle) or not left:
                    raise
            except StrataError:
                self._clear_up()
                raise
            else:
                return

    def _free_room(self, pause: Callable[[], None], *, settle: bool) -> bool:
        """On a full disk: lend the reserve, then remove what was deleted; tell whether anything was freed."""
        counters = self._parts.counters
        with self._lock:
            before = counters.total(COLLECTED) + counters.total(COMPACTIONS)
            freed = self._parts.reserve.give_back()
            self._clear_up()
            try:
                self._checkpoint.commit_known()
                for step in (self.collection, self._compaction, self.collection):
                    step.run(pause, settle=settle)
            except (StrataError, StoppedError) as failure:
                log.info("no more room could be made: %s", failure)
                self._clear_up()
            return freed or counters.total(COLLECTED) + counters.total(COMPACTIONS) > before

    def _clear_up(self) -> None:
        """Remove the packs of a run that failed before it committed them."""
        try:
            with self._lock:
                self.collection.remove_orphans()
        except StrataError as failure:
            log.warning("packs of a failed run stay until the next one: %s", failure)

    def _checkpoint_due(self) -> bool:
        dirty = self._parts.dirty
        if dirty.journal_bytes >= CHECKPOINT_SHARE * self._dirty_bytes:
            return True
        if len(dirty) >= CHECKPOINT_SHARE * self._dirty_entries:
            return True
        since = dirty.current.since
        if dirty.frozen is not None:
            return True  # an earlier checkpoint failed
        if len(self._parts.touched) >= TOUCHED_AT_MOST:
            return True
        return since is not None and self._parts.clock.monotonic() - since >= self._checkpoint_age

    # -- back-pressure ---------------------------------------------------------------------------------------

    def nudge(self) -> None:
        """Have the mover look whether a checkpoint is due."""
        self._wake.set()

    def relieve(self) -> None:
        """Return when the dirty table has room.

        Raises:
            CapacityError: No room can be made because the disk is full.
            StrataError: The checkpoint fails for another reason.
        """
        if not self._threads or threading.current_thread() in self._threads:
            self.checkpoint()
            return
        dirty = self._parts.dirty
        failed_before = self.last_failure
        while len(dirty) >= self._dirty_entries or dirty.journal_bytes >= self._dirty_bytes:
            if self._stop.is_set():
                raise ClosedError("the store is shutting down")
            with self._round:
                seen = self._rounds
                self._wake.set()
                self._round.wait_for(lambda seen=seen: self._rounds != seen, timeout=1.0)  # type: ignore[misc]
            if self.last_failure is not None and self.last_failure is not failed_before:
                self.raise_failure()
                raise CapacityError(f"too much is waiting to be written and the checkpoint fails: {self.last_failure}")
            if self._retry_at > self._parts.clock.monotonic() and self.last_failure is not None:
                raise CapacityError(f"too much is waiting to be written and the checkpoint fails: {self.last_failure}")

    def _end_round(self) -> None:
        with self._round:
            self._rounds += 1
            self._round.notify_all()

    # -- failures --------------------------------------------------------------------------------------------

    def _keep(self, failure: BaseException) -> None:
        self._parts.counters.add(BACKGROUND_FAILURES, 1)
        self.last_failure = f"{type(failure).__name__}: {failure}"
        # A tier that cannot be reached is expected trouble: its keys say so themselves, and the work is tried again.
        if not isinstance(failure, TierUnavailableError):
            self._failure = failure
        if isinstance(failure, CapacityError):
            self._free_room(self._pacer(), settle=False)
        elif isinstance(failure, StrataError):
            self._clear_up()
        self._retry_at = self._parts.clock.monotonic() + self._retry_delay
        self._retry_delay = min(2 * self._retry_delay, LONGEST_RETRY_SECONDS)

    def raise_failure(self, *, full_disk: bool = True) -> None:
        """Raise, once, what went wrong in the background since the last call; on request not that the disk is full."""
        failure = self._failure
        if failure is None or (isinstance(failure, CapacityError) and not full_disk):
            return
        self._failure = None
        if isinstance(failure, StrataError):
            raise type(failure)(f"background work failed: {failure}") from failure
        raise StrataError(f"background work failed: {type(failure).__name__}: {failure}") from failure


def _no_pause() -> None:
    """A caller's own thread works without resting."""
