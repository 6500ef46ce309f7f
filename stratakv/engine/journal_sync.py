"""The thread that hands the journal to the medium on an interval, so that power loss takes no more than that."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from stratakv.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.clock import Clock
    from stratakv.engine.journal import Journal


class JournalSync:
    """Syncs one journal until it is told to stop, or the first failure, which latches the journal.

    Args:
        journal: What is synced.
        clock: Its time.
        seconds: The interval.
        stop: Set when the store shuts down.
        failed: Takes the failure.
    """

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        seconds: float,
        stop: threading.Event,
        failed: Callable[[OSError], None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._seconds = seconds
        self._stop = stop
        self._failed = failed
        self._thread = threading.Thread(target=self._work, name="stratakv-sync", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ended(self, deadline: float) -> bool:
        """Wait until the thread ends or monotonic time reaches `deadline`; return whether it has ended."""
        self._thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not self._thread.is_alive()

    def _work(self) -> None:
        while not self._clock.wait(self._stop, self._seconds):
            try:
                self._journal.sync()
            except ClosedError:
                return  # latched, or closing: every write says so itself
            except OSError as failure:
                self._failed(failure)
                return
