"""Owns what is quickly written by hand: SQLite with pickle and zstd, LMDB with MessagePack and zstd."""

from __future__ import annotations

import pickle
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any

import lmdb
import msgpack  # type: ignore[import-untyped]  # it has no types
import numpy as np
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.peers.protocol import Peer, Room

LEVEL = 3
_MAP_BYTES = 1 << 35  # address space, not disk: the file grows as it is written
_ARRAY = 1


class SqliteZstd:
    """One table, one transaction a call, a write-ahead log."""

    def __init__(self, path: Path, room: Room, *, synchronous: str) -> None:
        self._connection = sqlite3.connect(path / "values.db", isolation_level=None)
        self._execute = self._connection.execute
        self._execute("PRAGMA journal_mode = WAL")
        self._execute(f"PRAGMA synchronous = {synchronous}")
        self._execute(f"PRAGMA cache_size = {-(room.size >> 10)}")
        self._execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
        self._compress = zstandard.ZstdCompressor(level=LEVEL).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def set(self, key: str, value: Any, /) -> object:
        payload = self._compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))
        return self._execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, payload))

    def get(self, key: str, /) -> Any:
        row = self._execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return None if row is None else pickle.loads(self._decompress(row[0]))

    def delete(self, key: str, /) -> object:
        return self._execute("DELETE FROM kept WHERE key = ?", (key,))

    def close(self) -> None:
        self._connection.close()


def packed(value: Any) -> bytes:
    """Return a value as MessagePack; arrays are an extension of our own.

    Raises:
        TypeError, ValueError, OverflowError: MessagePack has no form for it.
    """
    found: bytes = msgpack.packb(value, default=_extension)
    return found


def unpacked(payload: bytes) -> Any:
    """Return what `packed` was given; tuples come back as lists."""
    return msgpack.unpackb(payload, ext_hook=_array, strict_map_key=False)


def _extension(value: Any) -> msgpack.ExtType:
    if not isinstance(value, np.ndarray) or value.dtype.hasobject:
        raise TypeError(f"MessagePack has no form for a {type(value).__name__}")
    return msgpack.ExtType(_ARRAY, msgpack.packb((value.dtype.str, value.shape, value.tobytes())))


def _array(code: int, payload: bytes) -> Any:
    if code != _ARRAY:
        raise ValueError(f"there is no extension {code}")
    dtype, shape, content = msgpack.unpackb(payload)
    return np.frombuffer(content, dtype).reshape(shape).copy()


class LmdbMsgpackZstd:
    """One environment, one transaction a call. It has no cache of its own: the file is mapped."""

    def __init__(self, path: Path, _: Room, *, sync: bool) -> None:
        self._environment = lmdb.open(str(path), map_size=_MAP_BYTES, sync=sync)
        self._compress = zstandard.ZstdCompressor(level=LEVEL).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def set(self, key: str, value: Any, /) -> object:
        payload = self._compress(packed(value))
        with self._environment.begin(write=True) as transaction:
            return transaction.put(key.encode(), payload)

    def get(self, key: str, /) -> Any:
        with self._environment.begin(buffers=True) as transaction:
            payload = transaction.get(key.encode())
            return None if payload is None else unpacked(self._decompress(payload))

    def delete(self, key: str, /) -> object:
        with self._environment.begin(write=True) as transaction:
            return transaction.delete(key.encode())

    def close(self) -> None:
        self._environment.close()


def sqlite_zstd(synchronous: str) -> Callable[[Path, Room], Peer]:
    """Return what opens a table, with SQLite's `synchronous`: NORMAL or FULL."""
    return partial(SqliteZstd, synchronous=synchronous)


def lmdb_msgpack_zstd(*, sync: bool) -> Callable[[Path, Room], Peer]:
    """Return what opens an environment; `sync` is LMDB's own, on by default."""
    return partial(LmdbMsgpackZstd, sync=sync)
