"""Backends that misbehave on request, by delegation to a real one. No patching: they implement `Backend`.

Each wraps `inner` and, with nothing asked of it, behaves exactly like `inner`. They keep no objects
themselves. Thread-safe as far as `inner` is. Many deletions arrive one by one, so that each may go wrong.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from stratakv.backends.base import Backend, ObjectInfo
from stratakv.errors import ConfigurationError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stratakv.clock import Clock

Moment = Literal["before", "after"]
Result = TypeVar("Result")

CALLS = frozenset({"put", "create", "get", "get_range", "size", "delete", "list", "bytes_on_disk", "close"})
"""The calls of a backend, as `call=` names them."""
_NO_SIZE = -1


class SimulatedCrash(BaseException):
    """The process "died" here. Derives from BaseException so that no handler of errors goes on after it."""


class _Wrapper(Backend):
    """Hands every call to `_around`, which decides what happens before and after it."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.remote = inner.remote

    @property
    def place(self) -> str:
        return self.inner.place

    def requests(self) -> dict[str, int]:
        return self.inner.requests()

    def tidy(self) -> None:
        self.inner.tidy()

    @abstractmethod
    def _around(self, call: str, name: str, size: int, act: Callable[[], Result]) -> Result:
        """Do `act`, or not. `size` is the length of the content to store or of the range, else -1."""

    def put(self, name: str, content: bytes) -> None:
        self._around("put", name, len(content), lambda: self.inner.put(name, content))

    def create(self, name: str, content: bytes) -> bool:
        return self._around("create", name, len(content), lambda: self.inner.create(name, content))

    def get(self, name: str) -> bytes:
        return self._around("get", name, _NO_SIZE, lambda: self.inner.get(name))

    def get_range(self, name: str, start: int, length: int) -> bytes:
        return self._around("get_range", name, length, lambda: self.inner.get_range(name, start, length))

    def size(self, name: str) -> int:
        return self._around("size", name, _NO_SIZE, lambda: self.inner.size(name))

    def delete(self, name: str) -> bool:
        return self._around("delete", name, _NO_SIZE, lambda: self.inner.delete(name))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return self._around("list", prefix, _NO_SIZE, lambda: self.inner.list(prefix))

    def bytes_on_disk(self) -> int:
        return self._around("bytes_on_disk", "", _NO_SIZE, self.inner.bytes_on_disk)

    def close(self) -> None:
        self._around("close", "", _NO_SIZE, self.inner.close)


class CrashBackend(_Wrapper):
    """Dies at the n-th call of a kind, then refuses every call; open the directory anew to see what survived.

    Args:
        inner: The backend that does the work.
        call: Which call counts: one of `CALLS`, or "any". None: it never dies.
        at: At which of those calls, from 1.
        when: Before the call's effect or after it.
        matching: Only calls for names that contain this text count.

    Attributes:
        crashed: Whether it has died.

    Raises:
        ConfigurationError: No such call, or `at` below 1.
    """

    def __init__(
        self,
        inner: Backend,
        call: str | None = None,
        *,
        at: int = 1,
        when: Moment = "before",
        matching: str = "",
    ) -> None:
        super().__init__(inner)
        if call is not None and call != "any":
            _check_call(call)
        if at < 1:
            raise ConfigurationError(f"at is {at}: the first call is 1")
        self._call = call
        self._left = at
        self._when = when
        self._matching = matching
        self._lock = threading.Lock()
        self.crashed = False

    def _around(self, call: str, name: str, size: int, act: Callable[[], Result]) -> Result:  # noqa: ARG002  # the same for all wrappers
        with self._lock:
            self._refuse_the_dead(call)
            dies = self._counts(call, name)
            if dies and self._when == "before":
                self._die(call, name)
        result = act()
        if dies:
            with self._lock:
                self._die(call, name)
        with self._lock:
            # Another thread's call may have been the fatal one: the dead acknowledge nothing.
            self._refuse_the_dead(call)
        return result

    def _counts(self, call: str, name: str) -> bool:
        if self._call not in (call, "any") or self._matching not in name:
            return False
        self._left -= 1
        return self._left == 0

    def _refuse_the_dead(self, call: str) -> None:
        if self.crashed:
            raise SimulatedCrash(f"{call} after the crash")

    def _die(self, call: str, name: str) -> None:
        self.crashed = True
        raise SimulatedCrash(f"{self._when} {call} {name}")


class FlakyBackend(_Wrapper):
    """Raises `TierUnavailableError` on chosen calls, before their effect or, like a lost answer, after it.

    Args:
        inner: The backend that does the work.
        plan: What happens to the calls in turn: None (goes well), "before" or "after". When it is
            used up, `rate` decides.
        rate: Share of calls that fail, 0 to 1; half of them after the effect.
        chance: Source of uniform numbers in [0, 1), such as `random` of a seeded generator. `rate` needs it.
        calls: The calls that may fail and that consume the plan; `close` is not among them unless named.

    Attributes:
        failures: How many calls failed.

    Raises:
        ConfigurationError: No such call, a rate out of range or without `chance`.
    """

    def __init__(
        self,
        inner: Backend,
        *,
        plan: Iterable[Moment | None] = (),
        rate: float = 0.0,
        chance: Callable[[], float] | None = None,
        calls: Iterable[str] = CALLS - {"close"},
    ) -> None:
        super().__init__(inner)
        if not 0 <= rate <= 1 or (rate and chance is None):
            raise ConfigurationError(f"rate {rate}: it lies between 0 and 1, and needs a source `chance`")
        self._plan = iter(plan)
        self._rate = rate
        self._chance = chance
        self._calls = frozenset(calls)
        for call in self._calls:
            _check_call(call)
        self._lock = threading.Lock()
        self.failures = 0

    def _around(self, call: str, name: str, size: int, act: Callable[[], Result]) -> Result:  # noqa: ARG002  # the same for all wrappers
        with self._lock:
            moment = self._decide(call)
            self.failures += moment is not None
        if moment == "before":
            raise TierUnavailableError(f"injected: {call} {name} was refused")
        result = act()
        if moment == "after":
            raise TierUnavailableError(f"injected: {call} {name} was done, and the answer lost")
        return result

    def _decide(self, call: str) -> Moment | None:
        if call not in self._calls:
            return None
        for moment in self._plan:
            return moment
        if self._chance is None or self._chance() >= self._rate:
            return None
        return "before" if self._chance() < 0.5 else "after"


class SlowBackend(_Wrapper):
    """Lets time pass before each call; with a manual clock nobody waits.

    Args:
        inner: The backend that does the work.
        clock: Whose time passes.
        seconds: How much of it, per call.
        calls: The calls that are slow.

    Raises:
        ConfigurationError: No such call, or negative seconds.
    """

    def __init__(self, inner: Backend, clock: Clock, seconds: float, *, calls: Iterable[str] = CALLS) -> None:
        super().__init__(inner)
        if seconds < 0:
            raise ConfigurationError(f"seconds is {seconds}: give 0 or more")
        self._clock = clock
        self._seconds = seconds
        self._calls = frozenset(calls)
        for call in self._calls:
            _check_call(call)

    def _around(self, call: str, name: str, size: int, act: Callable[[], Result]) -> Result:  # noqa: ARG002  # the same for all wrappers
        if call in self._calls:
            self._clock.wait(threading.Event(), self._seconds)
        return act()


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it arrived.

    Attributes:
        call: Which, one of `CALLS`.
        name: The object, or the prefix of a listing; "" where there is none.
        size: Bytes of the content to store or of the range asked for; -1 where it does not apply.
    """

    call: str
    name: str
    size: int


class RecordingBackend(_Wrapper):
    """Notes every call before it is done.

    Attributes:
        calls: The calls in their order. Clear it to start anew.
    """

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.calls: "list[Call]" = []  # noqa: UP037  # `list` alone would be this class's method

    def _around(self, call: str, name: str, size: int, act: Callable[[], Result]) -> Result:
        self.calls.append(Call(call, name, size))
        return act()

    def count(self, call: str) -> int:
        """Return how often a call arrived.

        Raises:
            ConfigurationError: No such call.
        """
        _check_call(call)
        return sum(entry.call == call for entry in tuple(self.calls))


def _check_call(call: str) -> None:
    if call not in CALLS:
        raise ConfigurationError(f"a backend has no call {call!r}: choose from {', '.join(sorted(CALLS))}")
