"""The verbs for the catalog's small tables: namespaces, dictionaries, named values, and the notes for backups.

What a write transaction does beside keys, contents and packs; nothing here counts references.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import apsw

    from stratakv.engine.catalog_changes import Changes


class SmallRows:
    """Part of a `Transaction`.

    Args:
        connection: The writer, inside the transaction.
        changes: Takes note of what changes, for the next backup.
    """

    def __init__(self, connection: apsw.Connection, changes: Changes) -> None:
        self._connection = connection
        self._changes = changes

    def add_namespace(self, number: int, name: str, salt: bytes | None) -> None:
        """Record a namespace."""
        self._connection.execute("INSERT OR IGNORE INTO namespaces VALUES (?, ?, ?)", (number, name, salt))

    def add_dictionary(self, number: int, namespace: int, content: bytes, now: int) -> None:
        """Record a dictionary; durable before anything is encoded with it."""
        self._connection.execute("INSERT INTO dictionaries VALUES (?, ?, ?, ?)", (number, namespace, now, content))

    def remove_dictionary(self, number: int) -> None:
        """Remove a dictionary that nothing refers to."""
        self._connection.execute("DELETE FROM dictionaries WHERE id = ?", (number,))

    def set_meta(self, name: str, value: Any) -> None:
        """Set a named value."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def strike_off(self, kind: int, mark: int, ids: Iterable[bytes]) -> None:
        """Forget changes that a durable backup covers."""
        self._connection.executemany(
            "DELETE FROM changed WHERE kind = ? AND id = ? AND mark <= ?", [(kind, what, mark) for what in ids]
        )

    def forget_changes(self) -> None:
        """Forget all notes of changes: the backup that needed them is not kept up any more, or begins anew."""
        self._connection.execute("DELETE FROM changed")

    def note_doomed(self, tier: int) -> None:
        """Note all dead packs of a tier as changed."""
        for (name,) in self._connection.execute("SELECT name FROM doomed WHERE tier = ?", (tier,)).fetchall():
            self._changes.pack(str(name))
