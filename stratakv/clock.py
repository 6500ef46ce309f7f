"""The one source of time. Nothing else in the package reads a clock or sleeps.

`SystemClock` is real time. `ManualClock` stands still until told to move; a store given one starts no threads and
does all background work in `maintain()`, so a day passes in a second.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading


class Clock(ABC):
    """Offers wall time, monotonic time and waiting.

    Attributes:
        manual: True where time moves only when told to; the store then runs without threads.
    """

    manual: bool = False

    @abstractmethod
    def now(self) -> float:
        """Seconds since the Unix epoch. May jump when the machine's clock is set."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds since some start. MUST never go back."""

    def busy(self) -> float:
        """Seconds that the calling thread has been at work, for comparing what two ways of doing a thing cost.

        Waiting for a core does not count where that is known; by default it is monotonic time.
        """
        return self.monotonic()

    @abstractmethod
    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set or `seconds` have passed; return whether it is set."""


class SystemClock(Clock):
    """The machine's clocks, without a function of ours between: they are asked on every operation."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    busy = staticmethod(time.thread_time)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return event.wait(seconds)


class ManualClock(Clock):
    """A clock that moves only by `advance`.

    Args:
        start: Wall time at the beginning, seconds since the epoch.
    """

    manual = True

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._wall = start
        self._elapsed = 0.0

    def now(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._elapsed

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Let `seconds` pass at once, unless the event is already set."""
        if not event.is_set():
            self.advance(seconds)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Let wall and monotonic time pass together.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError("time does not go back; use set_wall() to move wall time alone")
        self._wall += seconds
        self._elapsed += seconds

    def set_wall(self, now: float) -> None:
        """Move wall time alone, as an operator or a time server does."""
        self._wall = now
