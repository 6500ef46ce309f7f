"""Cold tiers that are ill in ways that a real one is. Tests nothing itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from stratakv.backends.directory import DirectoryBackend
from stratakv.testing import Call, RecordingBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stratakv.backends.base import Backend, ObjectInfo

NEVER_SICK = frozenset({"close", "bytes_on_disk"})


class SickBackend(RecordingBackend):
    """Fails or hangs on request, in all calls or some, until it recovers.

    Attributes:
        hangs: Set while a call is being held.
    """

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self._failure: Callable[[], BaseException] | None = None
        self._only: frozenset[str] | None = None
        self._may_go = threading.Event()
        self._may_go.set()
        self.hangs = threading.Event()

    def fail_with(self, kind: type[BaseException], text: str, only: Iterable[str] | None = None) -> None:
        self._only = None if only is None else frozenset(only)
        self._failure = lambda: kind(text)

    def recover(self) -> None:
        self._failure = None

    def hang(self, only: Iterable[str] | None = None) -> None:
        self._only = None if only is None else frozenset(only)
        self._may_go.clear()

    def go_on(self) -> None:
        self._may_go.set()

    def _around(self, call: str, name: str, size: int, act: Callable[[], Any]) -> Any:
        ill = call not in NEVER_SICK and (self._only is None or call in self._only)
        failure = self._failure
        if ill and not self._may_go.is_set():
            self.hangs.set()
            self._may_go.wait()
        if ill and failure is not None:
            self.calls.append(Call(call, name, size))
            raise failure()
        return super()._around(call, name, size, act)


class LaggingList(RecordingBackend):
    """Lists what was there when it last caught up: new objects are missing, deleted ones are shown."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self._listed: tuple[ObjectInfo, ...] | None = None

    def fall_behind(self) -> None:
        self._listed = tuple(self.inner.list())

    def lag_like(self, other: LaggingList) -> None:
        self._listed = other._listed

    def catch_up(self) -> None:
        self._listed = None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        listed = self._listed
        if listed is None:
            return super().list(prefix)
        return iter([info for info in listed if info.name.startswith(prefix)])


class CarelessBackend(DirectoryBackend):
    """Tells everybody that creates an object that he was the one, as servers do that ignore the condition."""

    def create(self, name: str, content: bytes) -> bool:
        self.put(name, content)
        return True

    def get(self, name: str) -> bytes:
        self._forget(name)  # objects change here, so no file may be kept open
        return super().get(name)
