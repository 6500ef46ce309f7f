"""`MemoryBackend`: objects in a dictionary. For tests, and for a tier that need not outlive the process.

Never touches a disk. Relies on each dictionary operation being atomic; only a listing takes a copy first.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from stratakv.backends.base import Backend, ObjectInfo, ObjectNotFoundError
from stratakv.backends.names import check_name
from stratakv.errors import ClosedError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator


class MemoryBackend(Backend):
    """Holds objects in RAM until it is closed."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._creating = threading.Lock()
        self._closed = False

    def __repr__(self) -> str:
        return f"MemoryBackend({len(self._objects)} objects)"

    def put(self, name: str, content: bytes) -> None:
        check_name(name)
        self._check_open()
        self._objects[name] = bytes(content)

    def create(self, name: str, content: bytes) -> bool:
        check_name(name)
        self._check_open()
        with self._creating:
            if name in self._objects:
                return False
            self._objects[name] = bytes(content)
            return True

    def get(self, name: str) -> bytes:
        self._check_open()
        try:
            return self._objects[name]
        except KeyError:
            check_name(name)
            raise ObjectNotFoundError(f"no object {name} in memory") from None

    def get_range(self, name: str, start: int, length: int) -> bytes:
        content = self.get(name)
        if start < 0 or length < 0:
            raise ConfigurationError(f"a range starts at 0 or later and is not negative: {start}, {length}")
        return content[start : start + length]

    def size(self, name: str) -> int:
        return len(self.get(name))

    def delete(self, name: str) -> bool:
        check_name(name)
        self._check_open()
        return self._objects.pop(name, None) is not None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._check_open()
        snapshot = self._objects.copy().items()
        return (ObjectInfo(name, len(content)) for name, content in snapshot if name.startswith(prefix))

    def bytes_on_disk(self) -> int:
        self._check_open()
        return 0

    def close(self) -> None:
        self._closed = True
        self._objects = {}

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("MemoryBackend is closed")
