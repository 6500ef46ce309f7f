"""Owns driving diskcache with its defaults, alone and below a cache of live objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import diskcache
from cachetools import LRUCache

from benchmarks.peers.live_objects import LiveObjects

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.peers.protocol import Room


class Diskcache:
    """A `diskcache.Cache` as it comes: pickled values, SQLite, files for what is longer than 32 KB."""

    def __init__(self, path: Path, _: Room) -> None:
        self._cache = diskcache.Cache(str(path))
        self.set = self._cache.set
        self.get = self._cache.get
        self.delete = self._cache.delete
        self.close = self._cache.close


class CachetoolsOverDiskcache(LiveObjects):
    """Every value goes to diskcache; those used last stay in RAM."""

    def __init__(self, path: Path, room: Room) -> None:
        super().__init__(LRUCache(room.values))
        self._below = diskcache.Cache(str(path))

    def set(self, key: str, value: Any, /) -> object:
        self._below.set(key, value)
        self._cache[key] = value
        return True

    def _read(self, key: str) -> Any:
        return self._below.get(key)

    def delete(self, key: str, /) -> object:
        self._cache.pop(key, None)
        return self._below.delete(key)

    def close(self) -> None:
        self._below.close()
