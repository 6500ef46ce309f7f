"""Owns reading through a cache of live objects: what both stores that keep such a cache by hand do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class LiveObjects(ABC):
    """Hands out the very objects that were stored or read; those used last stay.

    Args:
        cache: Bounded; what it drops is read again from below.
    """

    def __init__(self, cache: MutableMapping[str, Any]) -> None:
        self._cache = cache

    def get(self, key: str, /) -> Any:
        try:
            return self._cache[key]
        except KeyError:
            value = self._read(key)
            if value is not None:
                self._cache[key] = value
            return value

    @abstractmethod
    def _read(self, key: str) -> Any:
        """Return what lies below; None where there is nothing."""
