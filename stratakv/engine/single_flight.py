"""Single flight: concurrent callers for one thing share one piece of work.

Owns which work is under way. A failure reaches every caller that shared it. Invariant: nobody joins work that ended.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class _Flight(Generic[T]):
    __slots__ = ("done", "failure", "owner", "result")

    def __init__(self, owner: int) -> None:
        # Held by the leader until its work ended; a third of the price of an Event.
        self.done = threading.Lock()
        self.done.acquire()
        self.owner = owner
        self.result: T | None = None
        self.failure: BaseException | None = None


class SingleFlight(Generic[T]):
    """Runs work once for all who ask for it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight[T]] = {}

    def run(self, name: Hashable, work: Callable[[], T]) -> T:
        """Return what `work` returns, ours or that of a caller who came first. Re-entry runs the work itself."""
        me = threading.get_ident()
        with self._lock:
            flight = self._flights.get(name)
            if flight is None:
                mine = self._flights[name] = _Flight(me)
        if flight is None:
            return self._lead(name, mine, work)
        if flight.owner == me:
            return work()
        with flight.done:
            pass
        if flight.failure is not None:
            raise flight.failure
        return flight.result  # type: ignore[return-value]  # set before `done`, may be None only if T allows it

    def _lead(self, name: Hashable, flight: _Flight[T], work: Callable[[], T]) -> T:
        try:
            flight.result = work()
            return flight.result
        except BaseException as failure:
            flight.failure = failure
            raise
        finally:
            with self._lock:
                del self._flights[name]
            flight.done.release()
