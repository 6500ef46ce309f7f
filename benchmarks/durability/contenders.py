"""Owns what is compared: stores of one interface, each in a directory of its own, used by many threads at once.

The peers are set up as their manuals say for the durability that is named. SQLite has a connection for each thread.
"One at a time" means that a lock of the process stands before the peer's own: its waiting threads then sleep in the
interpreter and not in SQLite's busy handler, which looks again after up to 100 ms.
"""

from __future__ import annotations

import pickle
import sqlite3
import threading
from abc import ABC, abstractmethod
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import diskcache

from stratakv import OptimizationConfig, OptimizationMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

BUSY_SECONDS = 600
NORMAL, FULL = 1, 2
"""Values of `PRAGMA synchronous`: in WAL mode the first survives a killed process, the second loss of power."""


class Contender(ABC):
    """A store under test, used by any thread."""

    @abstractmethod
    def write(self, key: str, value: Any) -> object:
        """Store a value; acknowledged on return."""

    @abstractmethod
    def read(self, key: str) -> Any:
        """Return the value."""

    def settle(self) -> None:  # noqa: B027 -- SQLite checkpoints its log in the writes themselves
        """Do at once what a background would do later."""

    def leave(self) -> None:  # noqa: B027 -- not all keep anything for a thread
        """Let go of what is kept for the calling thread; the crew's threads call it at their end."""

    @abstractmethod
    def close(self) -> None:
        """Let go of all that is open."""


class Strata(Contender):
    """This project's store."""

    def __init__(self, path: Path, durability: str) -> None:
        # Checkpoints come with `settle`, and else only where very much waits: not in another contender's turn.
        settings = {"durability": durability, "checkpoint_interval_seconds": 3600}
        config = OptimizationConfig(enabled=True, storage=settings)
        self._memory = OptimizationMiddleware(config=config, path=path)

    def write(self, key: str, value: Any) -> object:
        return self._memory.store(key, value)

    def read(self, key: str) -> Any:
        return self._memory.retrieve(key)

    def settle(self) -> None:
        self._memory.maintain()

    def close(self) -> None:
        self._memory.shutdown()


class Diskcache(Contender):
    """diskcache that neither evicts nor counts, so that a write is one transaction."""

    def __init__(self, path: Path, synchronous: int, *, alone: bool = False) -> None:
        self._cache = diskcache.Cache(
            str(path), timeout=BUSY_SECONDS, eviction_policy="none", cull_limit=0, statistics=0, size_limit=1 << 50,
            sqlite_journal_mode="wal", sqlite_synchronous=synchronous,
        )  # fmt: skip
        self._lock: AbstractContextManager[object] = threading.Lock() if alone else nullcontext()

    def write(self, key: str, value: Any) -> object:
        with self._lock:
            return self._cache.set(key, value)

    def read(self, key: str) -> Any:
        return self._cache.get(key)

    def leave(self) -> None:
        self._cache.close()

    def close(self) -> None:
        self._cache.close()


class Sqlite(Contender):
    """A table of pickles with nothing around it."""

    def __init__(self, path: Path, synchronous: int, *, alone: bool = False) -> None:
        path.mkdir()
        self._file = path / "values.db"
        self._synchronous = synchronous
        self._mine = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._lock: AbstractContextManager[object] = threading.Lock() if alone else nullcontext()
        self._connection().execute("CREATE TABLE IF NOT EXISTS stored (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._mine, "connection", None)
        if found is None:
            found = sqlite3.connect(self._file, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            found.execute("PRAGMA journal_mode = wal")
            found.execute(f"PRAGMA synchronous = {self._synchronous}")
            self._mine.connection = found
            self._opened.append(found)
        return found

    def write(self, key: str, value: Any) -> object:
        pickled = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        with self._lock:
            return self._connection().execute("INSERT OR REPLACE INTO stored VALUES (?, ?)", (key, pickled))

    def read(self, key: str) -> Any:
        row = self._connection().execute("SELECT value FROM stored WHERE key = ?", (key,)).fetchone()
        return pickle.loads(row[0])

    def close(self) -> None:
        for connection in self._opened:
            connection.close()


class Way(NamedTuple):
    """A contender that can be opened.

    Attributes:
        name: As the tables have it.
        survives: What an acknowledged write survives.
        opened: Opens it in a directory that is not there yet.
    """

    name: str
    survives: str
    opened: Callable[[Path], Contender]


NOTHING, KILL, POWER = "not promised", "kill -9", "power loss"
NONE, PROCESS, SYNC = "stratakv none", "stratakv process", "stratakv sync"
DISKCACHE, SQLITE = "diskcache normal", "SQLite normal"
FULL_DISKCACHE, FULL_SQLITE = "diskcache full", "SQLite full"
LOCKED_DISKCACHE, LOCKED_SQLITE = f"{FULL_DISKCACHE}, one at a time", f"{FULL_SQLITE}, one at a time"
LOCKED = (LOCKED_DISKCACHE, LOCKED_SQLITE)

WAYS = (
    Way(NONE, NOTHING, partial(Strata, durability="none")),
    Way(PROCESS, KILL, partial(Strata, durability="process")),
    Way(DISKCACHE, KILL, partial(Diskcache, synchronous=NORMAL)),
    Way(SQLITE, KILL, partial(Sqlite, synchronous=NORMAL)),
    Way(SYNC, POWER, partial(Strata, durability="sync")),
    Way(FULL_DISKCACHE, POWER, partial(Diskcache, synchronous=FULL)),
    Way(LOCKED_DISKCACHE, POWER, partial(Diskcache, synchronous=FULL, alone=True)),
    Way(FULL_SQLITE, POWER, partial(Sqlite, synchronous=FULL)),
    Way(LOCKED_SQLITE, POWER, partial(Sqlite, synchronous=FULL, alone=True)),
)
