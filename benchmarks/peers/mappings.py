"""Owns driving what looks like a dict: zict with LZ4, and shelve."""

from __future__ import annotations

import dbm
import pickle
import shelve
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lz4.frame
import zict

from benchmarks.peers.live_objects import LiveObjects

if TYPE_CHECKING:
    from benchmarks.peers.protocol import Room


class ZictFile(LiveObjects):
    """A file a value, pickled and compressed, written through; those used last stay in RAM.

    Written through by hand: `zict.Buffer` writes only what falls out of the LRU, so that the rest would be gone with
    the process, and `zict.Cache` has no value of a key that an earlier process set.
    """

    def __init__(self, path: Path, room: Room) -> None:
        super().__init__(zict.LRU(room.values, {}))
        self._files = zict.Func(_dumped, _loaded, zict.File(path))

    def set(self, key: str, value: Any, /) -> object:
        self._files[key] = value
        self._cache[key] = value
        return True

    def _read(self, key: str) -> Any:
        return self._files.get(key)

    def delete(self, key: str, /) -> object:
        self._cache.pop(key, None)
        del self._files[key]
        return True

    def close(self) -> None:
        self._files.close()


def _dumped(value: Any) -> bytes:
    compressed: bytes = lz4.frame.compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
    return compressed


def _loaded(payload: bytes) -> Any:
    return pickle.loads(lz4.frame.decompress(payload))


class Shelf:
    """A `shelve` as it comes, on the dbm that this Python has."""

    def __init__(self, path: Path, _: Room) -> None:
        self._shelf = shelve.open(str(path / "values"))  # noqa: SIM115 -- `close` closes it

    def set(self, key: str, value: Any, /) -> object:
        self._shelf[key] = value
        return True

    def get(self, key: str, /) -> Any:
        return self._shelf.get(key)

    def delete(self, key: str, /) -> object:
        del self._shelf[key]
        return True

    def close(self) -> None:
        self._shelf.close()


def dbm_below() -> str:
    """Return which dbm a new shelf lies on, such as "dbm.dumb"."""
    with tempfile.TemporaryDirectory(prefix="stratakv-peers-") as directory:
        name = str(Path(directory) / "probe")
        with closing(dbm.open(name, "c")):
            pass
        return dbm.whichdb(name) or "unknown"
