"""`Mode`: what the face asks for, whatever stands behind it."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from stratakv.engine.large.ranges import as_file, check_range, part_of
from stratakv.engine.large.sources import read_all
from stratakv.engine.wrapping import MISSING

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from stratakv.engine.large.sources import Source
    from stratakv.engine.store import Store
    from stratakv.engine.terms import PutOptions
    from stratakv.engine.wrapping import EngineValue


class Mode(ABC):
    """The operations of the face. Keys are checked by whoever keeps them; misses are values.

    Attributes:
        store: The store behind it, None where there is none.
    """

    store: Store | None = None

    @abstractmethod
    def get(self, key: str, default: object) -> object:
        """Return the value or the default."""

    def quickest_get(self) -> Callable[[str, object], object]:
        """Return what does the same with the fewest calls between."""
        return self.get

    @abstractmethod
    def get_detailed(self, key: str) -> tuple[EngineValue, float | None]:
        """Return the value with its extra, and the wall time in seconds at which it expires."""

    @abstractmethod
    def put(self, key: str, value: object, options: PutOptions) -> None:
        """Store a value."""

    @abstractmethod
    def delete(self, key: str) -> bool:
        """Delete a key; return whether there was one."""

    @abstractmethod
    def add(self, key: str, value: object, options: PutOptions) -> bool:
        """Store if absent."""

    @abstractmethod
    def replace(self, key: str, value: object, expected: object, options: PutOptions) -> bool:
        """Store if the present value equals `expected`."""

    @abstractmethod
    def contains(self, key: str) -> bool:
        """Tell whether there is a value, without loading it."""

    @abstractmethod
    def keys(self, prefix: str) -> Iterator[str]:
        """Yield keys."""

    @abstractmethod
    def length(self) -> int:
        """Count keys."""

    @abstractmethod
    def put_many(self, items: Mapping[str, object], options: PutOptions) -> None:
        """Store many."""

    @abstractmethod
    def get_many(self, keys: Iterable[str]) -> dict[str, object]:
        """Return those that are there."""

    @abstractmethod
    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete many; return how many were there."""

    def put_stream(self, key: str, file: Source, options: PutOptions) -> None:
        """Store what a file holds as a bytes value; an engine alone takes it as a whole."""
        self.put(key, read_all(file), options)

    def get_range(self, key: str, start: int, stop: int, default: object) -> object:
        """Return a part of a value; see `Ranges.read`."""
        check_range(start, stop)
        value = self.get(key, MISSING)
        return default if value is MISSING else part_of(value, start, stop)

    def open(self, key: str) -> io.BufferedReader | None:
        """Return a bytes value as a file; None where there is none."""
        return as_file(self.get(key, MISSING))

    def locked(self, key: str) -> contextlib.AbstractContextManager[object]:
        """Return what keeps other changes of a key away; nothing where an engine alone is behind it."""
        return contextlib.nullcontext() if self.store is None else self.store.locked(key)

    def take(self, key: str) -> object:
        """Remove a key and return its value, MISSING for none. Of two callers at once only one gets it."""
        with self.locked(key):
            value = self.get(key, MISSING)
            if value is not MISSING:
                self.delete(key)
            return value

    def release(self) -> int:
        """Give everything back to the engine; return how many values."""
        return 0

    def close(self) -> None:
        """Close what this mode opened."""
        if self.store is not None:
            self.store.close()

    def statistics(self) -> dict[str, Any]:
        """Return what the mode counts."""
        return {}
