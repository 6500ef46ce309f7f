"""Single flight: concurrent callers for one thing share one piece of work.

Owns which work is under way. A failure reaches every caller that shared it. Invariant: nobody joins work that ended.
"""

from __future__ import annotations

from threading import Lock, get_ident
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

A = TypeVar("A")
T = TypeVar("T")


class _Flight(Generic[T]):
    __slots__ = ("done", "failure", "owner", "result")

    def __init__(self, owner: int) -> None:
        # Held by the leader until its work ended; a third of the price of an Event.
        self.done = Lock()
        self.done.acquire()
        self.owner = owner
        self.result: T | None = None
        self.failure: BaseException | None = None

    def wait(self) -> T:
        with self.done:
            pass
        if self.failure is not None:
            raise self.failure
        return self.result  # type: ignore[return-value]  # set before `done`, may be None only if T allows it


class SingleFlight(Generic[T]):
    """Runs work once for all who ask for it at the same time."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    def run(self, name: Hashable, work: Callable[[A], T], argument: A) -> T:
        """Return what `work` returns of `argument`, ours or that of a caller who came first.

        Re-entry runs the work itself. `name` consists of built-in types, so that nobody comes between a look for
        its flight and the entry of another.
        """
        mine: _Flight[T] = _Flight(get_ident())
        flight = self._flights.setdefault(name, mine)
        if flight is not mine:
            return work(argument) if flight.owner == mine.owner else flight.wait()
        try:
            mine.result = result = work(argument)
            return result
        except BaseException as failure:
            mine.failure = failure
            raise
        finally:
            del self._flights[name]
            mine.done.release()
