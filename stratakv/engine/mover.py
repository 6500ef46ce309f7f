"""The mover: which background work there is, who waits for it, and what its failures mean to callers.

Two workers share it. One does what needs nothing but this machine: checkpoints, collection, compaction of warm. The
other, the carrier, does what may wait for the cold tier: demotion, promotion, compaction of cold, backups, disposal. So
a cold tier that hangs holds up neither checkpoints nor writers. A third thread syncs the journal on an interval. With a
manual clock there are none: everything runs in `run()` on the caller's thread.

Who takes both locks takes the carrier's first. A failure is kept, counted and raised once by the caller's next writing
operation.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from stratakv.engine.afterwards import finish_opening
from stratakv.engine.carrier import Carrier
from stratakv.engine.checkpoint import Checkpoint
from stratakv.engine.collection import Collection
from stratakv.engine.compaction import Compaction
from stratakv.engine.disposal import Disposal
from stratakv.engine.journal_sync import JournalSync
from stratakv.engine.kept_failure import KeptFailure
from stratakv.engine.learning import Learning
from stratakv.engine.records import IN_WARM
from stratakv.engine.telemetry import COLLECTED, COMPACTIONS
from stratakv.engine.worker import StoppedError, Worker, do_all, no_pause
from stratakv.errors import CapacityError, ClosedError, StoreLockedError, StrataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.journal import Journal
    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

ATTEMPTS = 8
STOP_WITHIN_SECONDS = 4.5
CHECKPOINT_SHARE = 0.25
"""A checkpoint starts when the dirty table is this full, so that writers seldom meet its bound."""

FIRST_SNAPSHOT_SECONDS = 5.0
"""A reader beside a new owner finds its statistics after so long at the latest."""

TOUCHED_AT_MOST = 20_000
"""Reads below RAM that are counted before they go into the catalog with a checkpoint."""


class Mover:
    """Background work of one store."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        self._parts = parts
        self._journal = journal
        self._checkpoint = Checkpoint(parts, journal)
        self._compaction = Compaction(parts)
        self._disposal = Disposal(parts)
        self.collection = Collection(parts)
        self.learning = Learning(parts)
        self.regularly: list[Callable[[Callable[[], None]], None]] = []
        """What others want done at each of this machine's steps, beside the moving."""
        self.carrier = Carrier(parts, self._compaction, self._disposal)
        self.publish: Callable[[], None] = lambda: None
        """Writes the statistics snapshot for readers beside the owner."""
        self._publish_by: float | None = parts.clock.monotonic() + FIRST_SNAPSHOT_SECONDS
        """When the first snapshot is due; None once there is one."""
        self._here = Worker("stratakv-mover", parts.clock, self._step, self._failed_here)
        self._carrying = Worker("stratakv-carrier", parts.clock, self._carry, self._failed_carrying)
        self._syncing: JournalSync | None = None
        self._stop = threading.Event()
        self._failure = KeptFailure(parts.counters)
        self.raise_failure = self._failure.raise_once
        storage = parts.config.storage
        self._checkpoint_age = storage.checkpoint_interval_seconds
        self._interval = parts.config.effective_migration_interval
        self._next_upkeep = parts.clock.monotonic() + self._interval
        self._moved = False
        """Whether blobs have left warm since what they left behind was looked at."""

    # -- threads ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the threads; none with a manual clock."""
        if self._parts.clock.manual:
            return
        self._here.start()
        storage = self._parts.config.storage
        if storage.durability == "process":
            seconds = storage.sync_interval_ms / 1000
            self._syncing = JournalSync(self._journal, self._parts.clock, seconds, self._stop, self._sync_failed)
            self._syncing.start()

    def stop(self) -> bool:
        """Stop the threads; False if one that must end did not within 5 seconds.

        The carrier may hang in a request. It is left behind: what it still does is told to nobody, and what it has
        uploaded without committing it the next opening removes.
        """
        self._stop.set()
        self.carrier.stop()
        deadline = self._parts.clock.monotonic() + STOP_WITHIN_SECONDS
        for worker in (self._here, self._carrying):
            worker.ask_to_stop()
        ended = self._here.ended(deadline)
        if self._syncing is not None:
            ended = self._syncing.ended(deadline) and ended
        if not self._carrying.ended(deadline):
            log.warning("the cold tier still owes an answer at shutdown: what it was asked for is left")
        return ended

    def _step(self, pause: Callable[[], None]) -> None:
        """Do on this machine what is due."""
        finish_opening(self._parts)
        checkpointed = self._checkpoint_due() and not self._must_wait_for_carrier()
        if checkpointed:
            self._checkpoint.run(pause)
            self.learning.run(pause)
        for work in self.regularly:
            work(pause)
        if self._publish_by is not None and (checkpointed or self._parts.clock.monotonic() >= self._publish_by):
            self._snapshot()
        if self._parts.clock.monotonic() >= self._next_upkeep:
            self._next_upkeep = self._parts.clock.monotonic() + self._interval
            self._upkeep(pause)
        elif self._moved and self.carrier.is_overgrown():
            self._reclaim(pause, settle=False)
        self._moved = False
        if self.carrier.is_due(pressed=checkpointed):
            self._carrying.nudge()

    def _must_wait_for_carrier(self) -> bool:
        """Tell whether warm is so far over its capacity that writers have to be held back while cold catches up."""
        if self._parts.no_room is not None or not self.carrier.is_behind():
            return False
        if self._carrying.resting:
            self.carrier.refuse(self._carrying.last_failure)
            return False
        self._carrying.nudge()
        return True

    def _carry(self, pause: Callable[[], None]) -> None:
        if self.carrier.step(pause):
            self._publish_by = self._parts.clock.monotonic()
            self._moved = True
            self._here.nudge()

    # -- runs ------------------------------------------------------------------------------------------------

    def run(self, *, settle: bool = False) -> None:
        """Do on the caller's thread whatever is due, a checkpoint in any case."""

        def all_work() -> None:
            self._checkpoint.run(no_pause)
            self.learning.run(no_pause)
            for work in self.regularly:
                work(no_pause)
            self._all_upkeep(settle=settle)

        with self._carrying.awaited(), self._carrying.lock, self._here.awaited(), self._here.lock:
            finish_opening(self._parts)
            self._attempt(all_work, settle=settle)
            self._next_upkeep = self._parts.clock.monotonic() + self._interval
        for worker in (self._here, self._carrying):
            worker.forgive()
        self._here.end_round()

    def checkpoint(self) -> None:
        """Persist what is dirty, on the caller's thread."""
        with self._here.awaited(), self._here.lock:
            finish_opening(self._parts)
            self._attempt(lambda: self._checkpoint.run(no_pause))
        self._here.end_round()

    def _upkeep(self, pause: Callable[[], None]) -> None:
        """Do each step even where another fails: on a full disk or with damage the others still help."""
        self._each(lambda: self.carrier.leave_hot(settle=False), lambda: self._reclaim(pause, settle=False))
        self._rest(settle=False)

    def _all_upkeep(self, *, settle: bool) -> None:
        """The upkeep of both workers, one after the other; with `settle` idle and grace times count as elapsed."""
        pause, carrier = no_pause, self.carrier
        self._each(
            lambda: self.collection.run(pause, settle=settle),
            lambda: carrier.leave_hot(settle=settle),
            lambda: carrier.move(pause, settle=settle),
            lambda: self._reclaim(pause, settle=settle),
            lambda: carrier.compact(pause, settle=settle),
            lambda: self.collection.run(pause, settle=settle),
            lambda: carrier.save(pause, settle=settle),
            lambda: self._disposal.run(IN_WARM, pause, settle=settle),
            lambda: carrier.dispose(pause, settle=settle),
        )
        self._rest(settle=settle)

    def _reclaim(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Collect and compact what lies on this machine."""
        self._each(
            lambda: self.collection.run(pause, settle=settle),
            lambda: self._disposal.run(IN_WARM, pause, settle=settle),
            lambda: self._compaction.run(IN_WARM, pause, settle=settle),
            lambda: self.collection.run(pause, settle=settle),
            lambda: self._disposal.run(IN_WARM, pause, settle=settle),
        )

    def _each(self, *steps: Callable[[], object]) -> None:
        do_all(steps, after_failure=self._clear_up)
        self._parts.catalog.fold_long_log()

    def _rest(self, *, settle: bool) -> None:
        self._parts.compression.trim()
        self._parts.catalog.shrink_memory()
        self._parts.hot.shrink()
        if settle:
            self._parts.catalog.compact()
            self._parts.rest()
        self._parts.free_memory.give_back()
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
                if not self._free_room(no_pause, settle=settle) or not left:
                    raise
            except StrataError:
                self._clear_up()
                raise
            else:
                return

    def _free_room(self, pause: Callable[[], None], *, settle: bool) -> bool:
        """On a full disk: lend the reserve, then remove what was deleted; tell whether anything was freed."""
        counters = self._parts.counters
        with self._here.awaited(), self._here.lock:
            before = counters.total(COLLECTED) + counters.total(COMPACTIONS)
            freed = self._parts.reserve.give_back()
            self._clear_up()
            try:
                self._checkpoint.commit_known()
                self._reclaim(pause, settle=settle)
            except (StrataError, StoppedError) as failure:
                log.info("no more room could be made: %s", failure)
                self._clear_up()
            return freed or counters.total(COLLECTED) + counters.total(COMPACTIONS) > before

    def _clear_up(self) -> None:
        """Remove the packs of a run that failed before it committed them; those in a remote tier when it is due."""
        for tier, backend in self._parts.backends.items():
            try:
                if backend.remote:
                    self._disposal.suspect(tier)
                else:
                    self._disposal.remove_orphans(tier)
            except StrataError as failure:
                log.warning("packs of a failed run stay until the next one: %s", failure)

    def _checkpoint_due(self) -> bool:
        dirty = self._parts.dirty
        if dirty.fills(self._parts.config.storage, CHECKPOINT_SHARE):
            return True
        since = dirty.current.since
        if dirty.frozen is not None:
            return True  # an earlier checkpoint failed
        if len(self._parts.touched) >= TOUCHED_AT_MOST:
            return True
        return since is not None and self._parts.clock.monotonic() - since >= self._checkpoint_age

    def collect(self, pause: Callable[[], None], *, settle: bool, compact: bool) -> None:
        """Remove on the caller's thread what is due and what a crash left; on request compact what is due before."""

        def all_work() -> None:
            finish_opening(self._parts)
            self._checkpoint.run(pause)
            self._clear_up()
            if compact:
                self._reclaim(pause, settle=settle)
                self.carrier.compact(pause, settle=settle)
            self.collection.run(pause, settle=settle)
            self.carrier.save(pause, settle=settle)
            self._disposal.run(IN_WARM, pause, settle=settle)
            self.carrier.dispose(pause, settle=settle)

        with self._carrying.awaited(), self._carrying.lock, self._here.awaited(), self._here.lock:
            self._attempt(all_work, settle=settle)
        self._here.end_round()

    # -- back-pressure ---------------------------------------------------------------------------------------

    def relieve(self, *, urgent: bool = False) -> None:
        """Return when the dirty table has room. What is urgent, because it frees some, does not wait for the cold tier.

        Raises:
            CapacityError: No room can be made because the disk, or every tier, is full.
            StrataError: The checkpoint fails for another reason.
        """
        here = self._here
        if not here.running or here.is_current():
            self.checkpoint()
            return
        dirty = self._parts.dirty
        failures = here.failures
        while dirty.fills(self._parts.config.storage):
            if self._stop.is_set():
                raise ClosedError("the store is shutting down")
            if urgent and self.carrier.is_behind():
                return
            here.await_round(1.0)
            if self._parts.no_room is not None:
                raise CapacityError(self._parts.no_room)
            if here.failures != failures or here.resting:
                self.raise_failure()
                raise CapacityError(f"too much is waiting to be written and the checkpoint fails: {here.last_failure}")

    # -- failures --------------------------------------------------------------------------------------------

    @property
    def last_failure(self) -> str | None:
        """The text of a failure of the background, or None."""
        return self._here.last_failure or self._carrying.last_failure

    def _failed_here(self, failure: BaseException) -> None:
        self._failure.keep(failure)
        if isinstance(failure, CapacityError):
            self._free_room(self._here.pacer(), settle=False)
        elif isinstance(failure, StrataError):
            self._clear_up()

    def _sync_failed(self, failure: OSError) -> None:
        self._here.note(failure)
        self._failed_here(failure)

    def _failed_carrying(self, failure: BaseException) -> None:
        # Where cold is full, writers hear of it once warm has no room either; where it is lost, at each write.
        self._failure.keep(failure, CapacityError, StoreLockedError)
        if isinstance(failure, StrataError):
            self._clear_up()
