"""Group commit: many writers wait for one sync, which one of them makes.

Owns the queue of written records that are not visible yet, and who of their writers leads: the first that still waits.
It never writes, syncs or shows a record; the journal does. Its invariants, whenever the journal's lock is free: records
stand in journal order; while any writer waits, the first of them leads and knows it; and nobody waits at a closed gate
whose record has left the queue.

A sync by somebody else, who flushes or switches segments, takes the same records in the same order. Leadership needs no
flag that could be lost: it follows from the queue. Whoever fails or is interrupted leaves, and the next one leads; so
a journal that takes nothing any more tells its waiting writers one after the other. This is the writers' queue of
LevelDB and RocksDB, with a gate for each writer, so that none is woken in vain.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from stratakv.engine.pending import Pending


class GroupCommit:
    """The writers that wait.

    Args:
        lock: The journal's, which guards the queue. Held by the caller of what says so.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._queue: list[Pending] = []

    # -- with the lock held ----------------------------------------------------------------------------------

    def add(self, record: Pending) -> None:
        """Take in a record that was written. The lock is held."""
        self._queue.append(record)
        self._name_leader()

    def withdraw(self, sequence: int) -> None:
        """Forget what was added with this number, because its write is undone. The lock is held."""
        self._queue = [record for record in self._queue if record.sequence < sequence]

    def waiting(self) -> list[Pending]:
        """Return the records in journal order. They stay until `advance` finds them visible. The lock is held."""
        return self._queue.copy()

    def advance(self) -> None:
        """Have the next writer lead, and let go those whose records are visible. The lock is held.

        Doing it again does no harm, so an interrupt in between is made good by the next call.
        """
        self._name_leader()  # first, so that its sync begins before all the others want the interpreter
        shown = 0
        for record in self._queue:
            if not record.visible:
                break
            record.open_gate()
            shown += 1
        del self._queue[:shown]

    def _name_leader(self) -> None:
        for record in self._queue:
            if not (record.gone or record.visible):
                record.leads = True
                record.open_gate()
                return

    # -- a writer --------------------------------------------------------------------------------------------

    def wait(self, record: Pending, lead: Callable[[Pending], None]) -> None:
        """Return when the record is visible. If its writer is to lead, it calls `lead`, which shows it or raises."""
        while not record.visible:
            if not record.leads:
                record.await_news()
                continue
            lead(record)
            if self._queue:
                os.sched_yield()  # lets go of the interpreter, too: the next sync begins before this writer goes on

    def leave(self, record: Pending) -> None:
        """Go without the record being visible: if its writer was to lead, the next one does."""
        with self._lock:
            record.gone = True
            self.advance()
