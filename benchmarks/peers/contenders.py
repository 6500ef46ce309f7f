"""Owns the list of the stores that are compared, in the order of the tables."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.by_hand import lmdb_msgpack_zstd, packed, sqlite_zstd, unpacked
from benchmarks.peers.caches import CachetoolsOverDiskcache, Diskcache
from benchmarks.peers.mappings import Shelf, ZictFile
from benchmarks.peers.ours import stratakv
from benchmarks.peers.protocol import Contender


def _as_it_was(value: Any) -> Any:
    return value


def _by_msgpack(value: Any) -> Any:
    return unpacked(packed(value))


OURS = {"process": "stratakv", "sync": "stratakv sync"}
"""What is compared with which of ours, by durability."""

_ENCODED = "encoded values, as many as fit"
_OBJECTS = "live objects, as many as fit by their mean size"
_MESSAGEPACK = "MessagePack, zstd-3"
_LOG = "when SQLite moves its log, every 1000 pages"

CONTENDERS = (
    Contender(
        OURS["process"], "process", stratakv(), _as_it_was, "own, contests of codecs", _ENCODED,
        "every second (sync_interval_ms), in the background",
    ),
    Contender(
        "stratakv, settled", "process", stratakv(settled=True), _as_it_was, "own, contests of codecs", _ENCODED,
        "the same; before it closes, everything moves into the cold tier",
    ),
    Contender(
        "diskcache", "process", Diskcache, _as_it_was, "pickle", "SQLite's pages, 32 MB by default",
        f"{_LOG}; files of values above 32 KB never",
    ),
    Contender(
        "cachetools over diskcache", "process", CachetoolsOverDiskcache, _as_it_was, "pickle", _OBJECTS,
        "as diskcache",
    ),
    Contender(
        "zict LRU + LZ4 + File", "process", ZictFile, _as_it_was, "pickle, LZ4, a file a value", _OBJECTS, "never"
    ),
    Contender(
        "SQLite + zstd", "process", sqlite_zstd("NORMAL"), _as_it_was, "pickle, zstd-3", "SQLite's pages", _LOG
    ),
    Contender(
        "LMDB sync=False + msgpack + zstd", "process", lmdb_msgpack_zstd(sync=False), _by_msgpack, _MESSAGEPACK,
        "none of its own; maps the file", "never unasked; a power loss may damage the whole file",
    ),
    Contender(
        "shelve", "process", Shelf, _as_it_was, "pickle", "none for values",
        "never by itself; dbm.dumb writes its index at sync() and close() only",
    ),
    Contender(
        OURS["sync"], "sync", stratakv("sync"), _as_it_was, "own, contests of codecs", _ENCODED,
        "before each acknowledgement",
    ),
    Contender(
        "SQLite + zstd, FULL", "sync", sqlite_zstd("FULL"), _as_it_was, "pickle, zstd-3", "SQLite's pages",
        "at each commit",
    ),
    Contender(
        "LMDB + msgpack + zstd", "sync", lmdb_msgpack_zstd(sync=True), _by_msgpack, _MESSAGEPACK,
        "none of its own; maps the file", "at each commit",
    ),
)  # fmt: skip
BY_NAME = {contender.name: contender for contender in CONTENDERS}
