"""`CircuitBreaker`: stops asking a tier that does not answer, and finds out when it does again.

Closed, calls pass. After some failures in a row, or one that took long, it is open: calls are refused at once, for a
rest that doubles each time. Then it is half-open: one call is let through as a probe, and its outcome decides. It does
no I/O and reads no clock but the injected one; safe under threads. Source: M. Nygard, Release It!, 2007.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratakv.clock import Clock

FAILURES = 3
PATIENCE_SECONDS = 5.0
FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0


class CircuitBreaker:
    """One tier's breaker.

    Args:
        clock: Its time.
        failures: So many failures in a row open it.
        patience: A failure that took so many seconds opens it alone: a hanging tier must not hold many callers.

    Attributes:
        opened: How often it has opened.
        last_failure: The text of the failure that came last, or None.
    """

    def __init__(self, clock: Clock, *, failures: int = FAILURES, patience: float = PATIENCE_SECONDS) -> None:
        self._clock = clock
        self._most = failures
        self._patience = patience
        self._lock = threading.Lock()
        self._failures = 0
        self._rest = FIRST_REST_SECONDS
        self._open_until: float | None = None
        self._prober: int | None = None
        self.opened = 0
        self.last_failure: str | None = None

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        with self._lock:
            if self._open_until is None:
                return "closed"
            return "open" if self._clock.monotonic() < self._open_until else "half-open"

    def rest(self) -> float:
        """Return the seconds until it is worth asking again, 0 where a call may try. Lets nothing through."""
        with self._lock:
            return 0.0 if self._open_until is None else max(0.0, self._open_until - self._clock.monotonic())

    def admit(self) -> float:
        """Let a call through, and return 0; or return the seconds until it is worth asking again.

        Whoever was let through owes one of `succeeded`, `failed` and `gave_up`, from the same thread.
        """
        with self._lock:
            if self._open_until is None:
                return 0.0
            left = self._open_until - self._clock.monotonic()
            if left > 0 or self._prober is not None:
                return max(left, FIRST_REST_SECONDS)
            self._prober = threading.get_ident()
            return 0.0

    def succeeded(self) -> None:
        """The tier answered."""
        if self._open_until is None and not self._failures:
            return
        with self._lock:
            self._failures = 0
            self._open_until = None
            self._prober = None
            self._rest = FIRST_REST_SECONDS

    def failed(self, reason: str, seconds: float) -> None:
        """The tier did not answer as it should; the call took `seconds`."""
        with self._lock:
            self._failures += 1
            self.last_failure = reason
            probed = self._ends_probe()
            if self._open_until is not None and not probed:
                return  # a call that began before it opened says nothing new
            if probed or self._failures >= self._most or seconds >= self._patience:
                self.opened += 1
                self._open_until = self._clock.monotonic() + self._rest
                self._rest = min(2 * self._rest, LONGEST_REST_SECONDS)

    def gave_up(self) -> None:
        """The call ended without telling anything about the tier, such as by an interrupt."""
        with self._lock:
            self._ends_probe()

    def _ends_probe(self) -> bool:
        """Tell whether the calling thread was the one let through: calls from before the opening may end meanwhile."""
        if self._prober != threading.get_ident():
            return False
        self._prober = None
        return True
