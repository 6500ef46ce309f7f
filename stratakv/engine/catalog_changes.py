"""Which rows of the catalog changed since the last backup: noted in the transaction that changes them.

Owns the table `changed`. An entry is (kind, id, mark); the mark is the number of the transaction, so that a backup
that has read everything up to a mark takes away just that, and what changed meanwhile stays for the next one. Only
stores with a remote cold tier note changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import apsw

KEY, BLOB, PACK = 1, 2, 3
"""Kinds: a key as it is stored, a blob's number (8 bytes, signed, big-endian), a cold pack's object name."""

MARK = "change_mark"
"""Name in `meta` of the number of the last transaction that noted changes."""


class Changes:
    """Gathers what one transaction changes.

    Args:
        connection: The writer, inside the transaction.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._noted: dict[int, set[bytes]] = {KEY: set(), BLOB: set(), PACK: set()}

    def key(self, key: bytes) -> None:
        """Note a key row."""
        self._noted[KEY].add(key)

    def blob(self, number: int) -> None:
        """Note a blob row."""
        self._noted[BLOB].add(number.to_bytes(8, "big", signed=True))

    def pack(self, name: str) -> None:
        """Note a cold pack that came or went."""
        self._noted[PACK].add(name.encode())

    def finish(self) -> None:
        """Write what was noted, with a new mark."""
        if not any(self._noted.values()):
            return
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (MARK,)).fetchone()
        mark = (row[0] if row is not None else 0) + 1
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (MARK, mark))
        self._connection.executemany(
            "INSERT OR REPLACE INTO changed VALUES (?, ?, ?)",
            ((kind, what, mark) for kind in sorted(self._noted) for what in sorted(self._noted[kind])),
        )
        for noted in self._noted.values():
            noted.clear()


class Unnoted(Changes):
    """Notes nothing: the store has no backups."""

    def __init__(self) -> None:
        """Need no connection."""

    def key(self, key: bytes) -> None:
        pass

    def blob(self, number: int) -> None:
        pass

    def pack(self, name: str) -> None:
        pass

    def finish(self) -> None:
        pass
