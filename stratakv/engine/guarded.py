"""`GuardedBackend`: a cold tier behind a circuit breaker, with a bound on what is written to it.

Owns no objects: every call is the inner backend's. While the breaker is open calls fail at once with a retryable error
that names the tier and its place, so a tier that hangs holds up one caller, not all. Writes pass at a bounded rate, so
that a backlog which piled up while the tier was away does not take the network when it returns.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from stratakv.backends.base import Backend, ObjectInfo
from stratakv.errors import TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stratakv.clock import Clock
    from stratakv.engine.breaker import CircuitBreaker

Result = TypeVar("Result")


class GuardedBackend(Backend):
    """A cold tier.

    Args:
        inner: The backend that does the work.
        breaker: Decides whether it is asked.
        clock: Its time.
        bytes_per_second: Most bytes a second that are written; None for no bound.

    Attributes:
        stopping: Set when the store shuts down: writes do not wait any more.
    """

    def __init__(
        self, inner: Backend, breaker: CircuitBreaker, clock: Clock, bytes_per_second: float | None = None
    ) -> None:
        self.inner = inner
        self.remote = inner.remote
        self.breaker = breaker
        self.stopping = threading.Event()
        self._clock = clock
        self._rate = bytes_per_second
        self._rate_lock = threading.Lock()
        self._free_from = clock.monotonic()

    def __repr__(self) -> str:
        return f"GuardedBackend({self.inner!r})"

    @property
    def place(self) -> str:
        return self.inner.place

    def _ask(self, call: Callable[[], Result]) -> Result:
        """Make one call of the inner backend, if the breaker lets it, and tell the breaker how it went."""
        rest = self.breaker.admit()
        if rest:
            raise self._refusal(rest)
        since = self._clock.monotonic()
        try:
            result = call()
        except TierUnavailableError as failure:
            self.breaker.failed(str(failure), self._clock.monotonic() - since)
            raise TierUnavailableError(f"the cold tier at {self.place} failed: {failure}") from failure
        except Exception:
            # A missing object, a full tier: it answered.
            self.breaker.succeeded()
            raise
        except BaseException:
            self.breaker.gave_up()
            raise
        self.breaker.succeeded()
        return result

    def _refusal(self, rest: float) -> TierUnavailableError:
        return TierUnavailableError(
            f"the cold tier at {self.place} is not asked for another {rest:.1f} s, since it failed: "
            f"{self.breaker.last_failure}; try again then"
        )

    def put(self, name: str, content: bytes) -> None:
        rest = self.breaker.rest()
        if rest:  # before it waits for its turn, and takes it from others
            raise self._refusal(rest)
        self._await_turn(len(content))
        self._ask(lambda: self.inner.put(name, content))

    def create(self, name: str, content: bytes) -> bool:
        return self._ask(lambda: self.inner.create(name, content))

    def get(self, name: str) -> bytes:
        return self._ask(lambda: self.inner.get(name))

    def get_range(self, name: str, start: int, length: int) -> bytes:
        return self._ask(lambda: self.inner.get_range(name, start, length))

    def size(self, name: str) -> int:
        return self._ask(lambda: self.inner.size(name))

    def delete(self, name: str) -> bool:
        return self._ask(lambda: self.inner.delete(name))

    def delete_many(self, names: Iterable[str]) -> None:
        wanted = tuple(names)
        if wanted:
            self._ask(lambda: self.inner.delete_many(wanted))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        # Whole, so that a failure on a later page is this call's.
        return iter(self._ask(lambda: tuple(self.inner.list(prefix))))

    def bytes_on_disk(self) -> int:
        return self.inner.bytes_on_disk()

    def requests(self) -> dict[str, int]:
        return self.inner.requests()

    def tidy(self) -> None:
        self.inner.tidy()

    def close(self) -> None:
        self.inner.close()

    def _await_turn(self, size: int) -> None:
        """Wait until so many bytes fit into the rate. What is written first in a while waits for nothing."""
        if self._rate is None:
            return
        with self._rate_lock:
            now = self._clock.monotonic()
            wait = self._free_from - now
            self._free_from = max(now, self._free_from) + size / self._rate
        if wait > 0:
            self._clock.wait(self.stopping, wait)
