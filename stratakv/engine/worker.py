"""`Worker`: one background thread: when it works, how it rests, and where its failures go.

Owns the thread, the lock that makes its work exclusive (a caller who does the work himself holds it too), and the
growing intervals at which work that failed is tried again. Knows nothing of what the work is.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from stratakv.errors import StrataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stratakv.clock import Clock

SLICE_SECONDS = 0.001
REST_SECONDS = 0.0005
AWAITED_REST_SECONDS = 0.00005
"""While somebody waits for the work, a rest only lets others at the interpreter."""
TICK_SECONDS = 0.25
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0


class StoppedError(Exception):
    """The store is shutting down: what is under way is left for the next opening."""


def do_all(steps: Iterable[Callable[[], object]], after_failure: Callable[[], None]) -> None:
    """Do each step even where another fails, then raise the first failure."""
    failures = []
    for step in steps:
        try:
            step()
        except StrataError as failure:
            failures.append(failure)
            after_failure()
    if failures:
        raise failures[0]


def no_pause() -> None:
    """A caller's own thread works without resting."""


class Worker:
    """One thread.

    Args:
        name: The thread's.
        clock: Its time.
        step: Does what is due, calling what it is given between small pieces of work.
        failed: Takes what a step raised.

    Attributes:
        lock: Held while the work is being done, on whichever thread.
        last_failure: The text of the failure that came last, or None.
        failures: How many there were.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        step: Callable[[Callable[[], None]], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._clock = clock
        self._step = step
        self._failed = failed
        self.lock = threading.RLock()
        self._awaiting: set[int] = set()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._round = threading.Condition()
        self._rounds = 0
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._started = False
        self.last_failure: str | None = None
        self.failures = 0
        self._retry_at = 0.0
        self._retry_delay = FIRST_RETRY_SECONDS

    # -- life ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._started = True
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Have the work end at its next pause."""
        self._stop.set()
        self._wake.set()
        self.end_round()

    def ended(self, deadline: float) -> bool:
        """Wait until the thread ends or monotonic time reaches `deadline`; return whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not self._thread.is_alive()

    @property
    def running(self) -> bool:
        """Whether there is a thread."""
        return self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def is_current(self) -> bool:
        """Tell whether the caller is this worker's thread."""
        return threading.current_thread() is self._thread

    # -- work ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            self._clock.wait(self._wake, TICK_SECONDS)
            self._wake.clear()
            if self._stop.is_set():
                return
            if self.resting:
                continue
            try:
                with self.lock:
                    self._step(self.pacer())
            except StoppedError:
                return
            except BaseException as failure:  # noqa: BLE001 -- kept for the caller's next operation
                if self._stop.is_set():
                    return  # the store was closed under it; what it did not finish is left for the next opening
                self.note(failure)
                self._failed(failure)
            else:
                self._retry_delay = FIRST_RETRY_SECONDS
            self.end_round()

    def pacer(self) -> Callable[[], None]:
        """Return a function that rests after each millisecond of work, and ends the work when the store stops."""
        clock, stop = self._clock, self._stop
        rest = threading.Event()
        since = clock.monotonic()

        def pause() -> None:
            nonlocal since
            if stop.is_set():
                raise StoppedError
            if clock.monotonic() - since >= SLICE_SECONDS:
                clock.wait(rest, AWAITED_REST_SECONDS if self._awaiting else REST_SECONDS)
                since = clock.monotonic()

        return pause

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Have the work hurry for the caller's thread, who waits for `lock` or for the end of a round.

        An interrupt leaves nothing behind but shorter rests, until the same thread waits again.
        """
        thread = threading.get_ident()
        self._awaiting.add(thread)
        try:
            yield
        finally:
            self._awaiting.discard(thread)

    def nudge(self) -> None:
        """Have the thread look now whether something is due; one that was not started yet is."""
        self._wake.set()
        if not self._started and not self._stop.is_set():
            self.start()

    def await_round(self, seconds: float) -> None:
        """Nudge it and wait until a round has ended, at most so long."""
        with self.awaited(), self._round:
            seen = self._rounds
            self._wake.set()
            self._round.wait_for(lambda: self._rounds != seen, timeout=seconds)

    def end_round(self) -> None:
        """Tell those who wait that something has changed."""
        with self._round:
            self._rounds += 1
            self._round.notify_all()

    # -- failures --------------------------------------------------------------------------------------------

    def note(self, failure: BaseException) -> None:
        """Remember a failure, and rest before the next attempt, longer each time."""
        self.failures += 1
        self.last_failure = f"{type(failure).__name__}: {failure}"
        self._retry_at = self._clock.monotonic() + self._retry_delay
        self._retry_delay = min(2 * self._retry_delay, LONGEST_RETRY_SECONDS)

    def forgive(self) -> None:
        """The work has succeeded on a caller's thread: the next round need not wait."""
        self._retry_at, self._retry_delay = 0.0, FIRST_RETRY_SECONDS

    @property
    def resting(self) -> bool:
        """Whether the next attempt has to wait after a failure."""
        return self._clock.monotonic() < self._retry_at
