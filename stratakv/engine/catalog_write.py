"""One write transaction of the catalog: the verbs by which rows change.

Keeps two sums true by construction: a blob's reference count equals the key rows and the chunks of manifests that name
it, and a pack's live bytes equal the blob rows that lie in it. Both are gathered while the verbs run and written when
the transaction ends.
Rows are sorted before they are written, see `catalog_blob_rows`. What most transactions do, new keys of new contents,
takes two statements for each and one for many.
"""

from __future__ import annotations

from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from stratakv.engine.catalog_blob_rows import BlobRows
from stratakv.engine.catalog_schema import LATER_TABLES
from stratakv.engine.in_runs import in_runs
from stratakv.engine.records import IN_COLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import apsw

    from stratakv.engine.catalog_changes import Changes
    from stratakv.engine.records import KeyRecord

LOOKED_UP_TOGETHER = 64
"""So many keys are looked up in one statement."""

_KEYS = f"SELECT key, blob FROM keys WHERE key IN ({', '.join('?' * LOOKED_UP_TOGETHER)})"  # noqa: S608 -- question marks
_COUNT = "UPDATE blobs SET refs = refs + ? WHERE id = ? RETURNING refs"
_COUNTED = "SELECT refs + ? FROM blobs WHERE id = ?"
_PUT_KEY = "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class Transaction(BlobRows):
    """Handed out by `Catalog.write()`; not for use after its block.

    Args:
        connection: The writer, inside a transaction.
        blob_number: The number a digest has by the rows committed so far.
        live_keys: How many keys have a content.
        changes: Takes note of what changes, for the next backup.
    """

    def __init__(
        self, connection: apsw.Connection, blob_number: Callable[[bytes], int], live_keys: int, changes: Changes
    ) -> None:
        super().__init__(connection, blob_number, changes)
        self.connection = connection
        """For what fills a new catalog; everybody else uses the verbs."""
        self.live_keys = live_keys

    # -- keys ------------------------------------------------------------------------------------------------

    def put_keys(self, states: Iterable[tuple[bytes, KeyRecord, bool]]) -> None:
        """Write the present state of keys, each of them once: (key, record, whether its age may prune it)."""
        ordered = in_runs(states, itemgetter(0))
        while together := list(islice(ordered, LOOKED_UP_TOGETHER)):
            keys = [key for key, _, _ in together]
            keys += keys[:1] * (LOOKED_UP_TOGETHER - len(keys))
            old = {row[0]: row[1] for row in self._connection.execute(_KEYS, keys)}
            rows = []
            for key, record, prunable in together:
                if old.get(key) is not None:
                    self._references[old[key]] -= 1
                    self.live_keys -= 1
                self._changes.key(key)
                if record.digest is None and not record.tombstone:
                    if key in old:
                        self._connection.execute("DELETE FROM keys WHERE key = ?", (key,))
                    continue
                new = self.number(record.digest) if record.digest is not None else None
                if new is not None:
                    self._references[new] += 1
                    self.live_keys += 1
                rows.append(
                    (
                        key, new, record.version, record.namespace, record.pin, record.expires or None,
                        record.written if prunable else None, record.extra,
                    )
                )  # fmt: skip
            self._connection.executemany(_PUT_KEY, rows)

    def remove_keys(self, keys: Iterable[bytes]) -> int:
        """Remove key rows; return how many there were."""
        removed = 0
        for key in sorted(keys):
            row = self._one("DELETE FROM keys WHERE key = ? RETURNING blob", (key,))
            if row is None:
                continue
            removed += 1
            self._changes.key(key)
            if row[0] is not None:
                self._references[row[0]] -= 1
                self.live_keys -= 1
        return removed

    # -- packs -----------------------------------------------------------------------------------------------

    def add_pack(
        self,
        tier: int,
        name: str,
        size: int,
        index_offset: int,
        index_digest: bytes,
        plaintext: int,
        now: int,
    ) -> int:
        """Add a pack without content yet and return its number; `place_blobs` fills it."""
        row = self._one(
            "INSERT INTO packs VALUES (NULL, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0, NULL) RETURNING id",
            (tier, name, size, index_offset, index_digest, plaintext, now),
        )
        if row is None:
            raise AssertionError("INSERT RETURNING gave no row")
        if tier == IN_COLD:
            self._changes.pack(name)
        return int(row[0])

    def keep_index(self, pack: int, content: bytes) -> None:
        """Keep the index of a pack, so that reading from it asks its tier for nothing else."""
        self._connection.execute("INSERT INTO indexes VALUES (?, ?)", (pack, content))

    def use_dictionaries(self, pack: int, dictionaries: Iterable[int]) -> None:
        """Keep dictionaries as long as the pack is there."""
        self._connection.executemany(
            "INSERT OR IGNORE INTO pack_dictionaries VALUES (?, ?)", [(pack, d) for d in sorted(dictionaries)]
        )

    def set_due(self, pack: int, due: int) -> None:
        """Note when the pack's blobs are worth another look."""
        self._connection.execute("UPDATE packs SET due = ? WHERE id = ?", (due, pack))

    def bring_forward(self, tier: int, seconds: int) -> None:
        """Look at a tier's packs so much sooner than noted."""
        self._connection.execute("UPDATE packs SET due = max(0, due - ?) WHERE tier = ?", (seconds, tier))

    def doom_packs(self, packs: Iterable[int], now: int) -> None:
        """Take packs without live blobs out of the catalog; their objects are removed after a grace period."""
        for pack in packs:
            row = self._one("SELECT tier, name FROM packs WHERE id = ?", (pack,))
            if row is not None and row[0] == IN_COLD:
                self._changes.pack(row[1])
            self._connection.execute(
                "INSERT OR REPLACE INTO doomed SELECT name, tier, bytes, ? FROM packs WHERE id = ?",
                (now, pack),
            )
            self._connection.execute("DELETE FROM packs WHERE id = ?", (pack,))
            self._connection.execute("DELETE FROM pack_dictionaries WHERE pack = ?", (pack,))
            self._connection.execute("DELETE FROM indexes WHERE pack = ?", (pack,))

    def forget_doomed(self, tier: int, name: str) -> None:
        """The object is gone."""
        self._connection.execute("DELETE FROM doomed WHERE tier = ? AND name = ?", (tier, name))

    def add_later_tables(self) -> None:
        """Give the catalog of an earlier release the tables that it lacks."""
        self._connection.execute(LATER_TABLES)

    # -- the sums --------------------------------------------------------------------------------------------

    def finish(self, now: int) -> None:
        """Write reference counts and live bytes; blobs that lost their last reference enter their grace period."""
        self._changes.finish()
        changed = ((n, change) for n, change in self._references.items() if change or n not in self._named)
        for number, change in in_runs(changed, itemgetter(0)):
            row = self._one(_COUNT if change else _COUNTED, (change, number))
            if row is None:
                continue
            if row[0] < 0:
                raise AssertionError(f"blob {number} would have {row[0]} references")
            if row[0] == 0:
                self._connection.execute("INSERT OR IGNORE INTO dead VALUES (?, ?)", (number, now))
            elif row[0] == change:  # it had none
                self._connection.execute("DELETE FROM dead WHERE blob = ?", (number,))
        for pack in sorted(self._live):
            self._connection.execute(
                "UPDATE packs SET live = live + ?, live_blobs = live_blobs + ? WHERE id = ?",
                (self._live[pack], self._live_blobs[pack], pack),
            )
        for pack in sorted(self._died):
            self._connection.execute("UPDATE packs SET dead_since = ? WHERE id = ? AND dead_since IS NULL", (now, pack))
        self._references.clear()
        self._named.clear()
        self._live.clear()
        self._live_blobs.clear()
        self._died.clear()
