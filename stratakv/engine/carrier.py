"""The carrier: everything that moves between this machine and the cold tier, and when it is due.

Owns the order of that work and the state that writers look at when warm is over its capacity. Each step may be stopped
by a cold tier that does not answer; what was committed stays, the rest is done when it answers again.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from stratakv.backends.base import ObjectNotFoundError
from stratakv.engine.backup import Backup
from stratakv.engine.guarded import GuardedBackend
from stratakv.engine.movement import Movement
from stratakv.engine.records import IN_COLD
from stratakv.engine.worker import StoppedError, do_all
from stratakv.errors import CapacityError, StrataError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.compaction import Compaction
    from stratakv.engine.disposal import Disposal
    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

NO_OBJECT = "probes/none"


class Carrier:
    """The work of one store that needs its cold tier.

    Args:
        parts: The store's pieces.
        compaction: Compacts a tier.
        disposal: Removes a tier's dead objects.
    """

    def __init__(self, parts: Parts, compaction: Compaction, disposal: Disposal) -> None:
        self._parts = parts
        self._cold = parts.backends[IN_COLD]
        self._movement = Movement(parts)
        self._compaction = compaction
        self._disposal = disposal
        self.backup = Backup(parts) if self._cold.remote else None
        self._interval = parts.config.effective_migration_interval
        self._backup_interval = parts.config.tiered_storage.cold.backup_interval_seconds
        self._next_move = parts.clock.monotonic() + self._interval
        # Of a store that is open for minutes at a time, too: what counts is the last backup, not the opening.
        age = self.backup.age() if self.backup is not None else 0.0
        self._next_backup = parts.clock.monotonic() + max(0.0, self._backup_interval - age)
        self._unmovable = 0
        """Bytes over warm's capacity that the last round could not move: pinned there, or damaged."""
        self.leave_hot = self._movement.leave_hot
        self.is_overgrown = self._movement.is_overgrown

    def stop(self) -> None:
        """The store shuts down: nothing waits any more."""
        if isinstance(self._cold, GuardedBackend):
            self._cold.stopping.set()

    # -- when it is due --------------------------------------------------------------------------------------

    def is_due(self, *, pressed: bool) -> bool:
        """Tell whether there is anything to do; with `pressed` also whether warm has grown over its capacity."""
        now = self._parts.clock.monotonic()
        if now >= self._next_move or (self.backup is not None and now >= self._next_backup):
            return True
        return pressed and self._pressure() > 0

    def step(self, pause: Callable[[], None]) -> bool:
        """Do what is due; return whether that was a round of movement."""
        if not self._parts.opened:
            return False  # what a crash left in warm is being looked for: nothing may be put there meanwhile
        if not self._is_reachable():
            self._judge_room(self._why_not())
            return False
        now = self._parts.clock.monotonic()
        pressed = self._pressure() > 0
        moves = now >= self._next_move or pressed
        if not pressed:
            self._judge_room(None)
        if moves:
            do_all(
                (
                    lambda: self.move(pause, settle=False),
                    lambda: self.compact(pause, settle=False),
                    lambda: self.dispose(pause, settle=False),
                ),
                after_failure=lambda: self._disposal.suspect(IN_COLD),
            )
            self._next_move = now + self._interval
        if self.backup is not None and now >= self._next_backup:
            self.save(pause, settle=False)
            self._next_backup = now + self._backup_interval
        return moves

    def _is_reachable(self) -> bool:
        """Tell whether there is any use in asking the cold tier; where it failed before, ask it when a probe is due."""
        if self._is_fenced():
            return False
        if not isinstance(self._cold, GuardedBackend):
            return True
        state = self._cold.breaker.state
        if state == "half-open":
            try:
                self._cold.size(NO_OBJECT)
            except ObjectNotFoundError:
                log.info("the cold tier at %s answers again", self._cold.place)
            except TierUnavailableError as failure:
                log.info("%s", failure)
            return self._cold.breaker.state == "closed"
        return state == "closed"

    def _is_fenced(self) -> bool:
        """Tell whether another owner has the tier: it was said once, and nothing more is asked of the tier."""
        claim = self._parts.claim
        return claim is not None and claim.lost is not None

    def _why_not(self) -> str:
        claim = self._parts.claim
        if claim is not None and claim.lost is not None:
            return claim.lost
        return str(self._cold.breaker.last_failure) if isinstance(self._cold, GuardedBackend) else ""

    def _judge_room(self, reason: str | None) -> None:
        """Refuse new values while warm is over its capacity and cold takes nothing; `reason` None where it does."""
        full = reason is not None and self._pressure() > 0
        refusal = (
            "the warm tier is over its capacity (tiered_storage.warm_capacity_mb) and the cold tier takes nothing, so "
            f"nothing was stored; delete values, raise the capacity, or see to the cold tier: {reason}"
        )
        if full and self._parts.no_room is None:
            log.warning("%s", refusal)
        self._parts.no_room = refusal if full else None

    def refuse(self, reason: str | None) -> None:
        """The last attempt failed and the next one is some time off: judge by that."""
        self._judge_room(reason or self._why_not())

    def _pressure(self) -> int:
        """Return by how many bytes warm is over its capacity, as far as that can be helped."""
        return self._movement.excess() - self._unmovable

    def _hold_claim(self) -> None:
        """Be the owner of a remote tier, which could perhaps not be reached at opening."""
        claim = self._parts.claim
        if claim is not None and claim.held is None:
            take_over = self._parts.config.tiered_storage.cold.take_over
            self._parts.epoch = claim.take(self._parts.wall(), take_over=take_over)

    # -- the steps -------------------------------------------------------------------------------------------

    def move(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Carry blobs down and up, as far as that is due.

        Raises:
            TierUnavailableError, CapacityError: Cold takes nothing. Where warm is over its capacity too, new values
                are refused from now on.
        """
        if self._is_fenced():
            self._judge_room(self._why_not())
            return
        before = self._movement.demoted
        try:
            self._hold_claim()
            self._movement.run(pause, settle=settle)
        except (TierUnavailableError, CapacityError) as failure:
            self._judge_room(str(failure))
            raise
        self._unmovable = 0 if self._movement.demoted > before else max(0, self._movement.excess())
        self._judge_room(None)

    def compact(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Compact cold packs that are worth it."""
        if not self._is_fenced():
            self._compaction.run(IN_COLD, pause, settle=settle)

    def save(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Bring the backup in a remote tier up to date; errors as `move`."""
        if self.backup is not None and not self._is_fenced() and (settle or self.backup.is_due()):
            self._hold_claim()
            self.backup.run(pause)

    def save_last(self, seconds: float) -> None:
        """At shutdown: bring the backup up to date if that takes no longer than so; say so where it does not."""
        if self.backup is None or self._is_fenced() or not self.backup.is_due():
            return
        stop, saved = threading.Event(), False

        def pause() -> None:
            if stop.is_set():
                raise StoppedError

        def work() -> None:
            nonlocal saved
            try:
                saved = self.backup is not None and self.backup.save_changes(pause)
            except (StrataError, StoppedError) as failure:
                log.info("the last backup failed: %s", failure)

        reachable = not isinstance(self._cold, GuardedBackend) or self._cold.breaker.state == "closed"
        if reachable and self._parts.clock.manual:
            work()
        elif reachable:
            thread = threading.Thread(target=work, name="stratakv-last-backup", daemon=True)
            thread.start()
            thread.join(seconds)
            stop.set()
        if not saved:
            log.warning(
                "changes since the last backup are not in %s yet: the next opening saves them", self._cold.place
            )

    def dispose(self, pause: Callable[[], None], *, settle: bool) -> None:
        """Remove dead cold packs."""
        if not self._is_fenced():
            self._disposal.run(IN_COLD, pause, settle=settle)

    # -- what writers look at --------------------------------------------------------------------------------

    def is_behind(self) -> bool:
        """Tell whether warm is so far over its capacity that it must not grow meanwhile."""
        return self._pressure() > self._movement.slack
