"""One write transaction of the catalog: the verbs by which rows change.

Keeps two sums true by construction: a blob's reference count equals the key rows and the chunks of manifests that name
it, and a pack's live bytes equal the blob rows that lie in it. Both are gathered while the verbs run and written when
the transaction ends.
Rows are sorted before they are written: random inserts in order of the tree cost a third of unsorted ones.
"""

from __future__ import annotations

import secrets
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from stratakv.engine.catalog_manifests import ManifestRows
from stratakv.engine.catalog_rows import whole_digest
from stratakv.engine.catalog_schema import LATER_TABLES
from stratakv.engine.catalog_small_rows import SmallRows
from stratakv.engine.records import IN_COLD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import apsw

    from stratakv.engine.catalog_changes import Changes
    from stratakv.engine.records import KeyRecord, Place


class Transaction(SmallRows):
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
        super().__init__(connection, changes)
        self.connection = connection
        """For what fills a new catalog; everybody else uses the verbs."""
        self._manifests = ManifestRows(connection)
        self._committed_number = blob_number
        self.live_keys = live_keys
        self.displaced: dict[bytes, int] = {}
        self._references: Counter[int] = Counter()
        self._live: Counter[int] = Counter()
        self._live_blobs: Counter[int] = Counter()
        self._died: set[int] = set()

    def _one(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return row

    # -- blobs -----------------------------------------------------------------------------------------------

    def number(self, digest: bytes) -> int:
        """Return the number of a content, committed or new in this transaction."""
        number = self.displaced.get(digest)
        return self._committed_number(digest) if number is None else number

    def _number_for(self, digest: bytes) -> tuple[int, bool]:
        """Return (number, whether a row of this content exists), finding a free number where another one has it."""
        number = self.number(digest)
        row = self._one("SELECT digest FROM blobs WHERE id = ?", (number,))
        if row is None:
            return number, False
        if row[0] in (digest, digest[8:]) and (len(row[0]) == 32 or digest[:8] == _prefix(number)):
            return number, True
        while row is not None:
            number = secrets.randbits(64) - (1 << 63)
            row = self._one("SELECT 1 FROM blobs WHERE id = ?", (number,))
        self.displaced[digest] = number
        self._connection.execute("INSERT INTO displaced VALUES (?, ?)", (digest, number))
        return number, False

    def place_blobs(
        self, placed: Iterable[tuple[bytes, int, Place]], copied_from: frozenset[int] | None = None
    ) -> None:
        """Record where contents lie: (digest, namespace, place). A content that had a place leaves it.

        With `copied_from` these are copies out of some packs: one whose content has left them, because somebody else
        moved, healed or removed it meanwhile, is dead from the start.
        """
        for digest, namespace, place in sorted(placed, key=itemgetter(0)):
            if copied_from is not None and self._pack_of(digest) not in copied_from:
                self._died.add(place.pack)
                continue
            number, exists = self._number_for(digest)
            self._changes.blob(number)
            self._live[place.pack] += place.size
            self._live_blobs[place.pack] += 1
            if exists:
                self._leave(number)
                if copied_from is None:  # stored anew, perhaps as a whole where it was in chunks before
                    self._forget_manifest(number)
                self._connection.execute(
                    "UPDATE blobs SET pack = ?, block = ?, offset = ?, size = ? WHERE id = ?",
                    (*place, number),
                )
                self._connection.execute("DELETE FROM damaged WHERE blob = ?", (number,))
            else:
                stored = digest[8:] if digest[:8] == _prefix(number) else digest
                self._connection.execute(
                    "INSERT INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?, 0)", (number, stored, namespace, *place)
                )
                # Until a key names it, it is dead; `finish` settles which ones stay so.
                self._references[number] += 0

    def put_manifest(self, digest: bytes, size: int, chunks: Iterable[bytes]) -> None:
        """Have a content that was placed name its chunks: their digests in order, of a value of `size` bytes.

        Raises:
            CorruptionError: The catalog lacks one of them.
        """
        number = self.number(digest)
        self._forget_manifest(number)
        numbers = [self.number(chunk) for chunk in chunks]
        self._manifests.put(number, size, numbers)
        self._references.update(numbers)
        self._changes.blob(number)

    def _forget_manifest(self, number: int) -> None:
        """A content names no chunks any more, if it did."""
        chunks = self._manifests.chunks(number)
        if chunks:
            self._references.subtract(chunks)
            self._manifests.remove(number)

    def _pack_of(self, digest: bytes) -> int | None:
        """Return the pack that a content lies in; None where the catalog does not have it."""
        number = self.number(digest)
        row = self._one("SELECT digest, pack FROM blobs WHERE id = ?", (number,))
        return row[1] if row is not None and whole_digest(number, row[0]) == digest else None

    def _leave(self, number: int) -> None:
        row = self._one("SELECT pack, size FROM blobs WHERE id = ?", (number,))
        if row is not None:
            self._live[row[0]] -= row[1]
            self._live_blobs[row[0]] -= 1
            self._died.add(row[0])

    def remove_blobs(self, numbers: Iterable[int]) -> int:
        """Remove contents that nothing refers to; return how many there were."""
        removed = 0
        for number in sorted(numbers):
            row = self._one("SELECT refs FROM blobs WHERE id = ?", (number,))
            if row is None or row[0] > 0 or self._references.get(number, 0) > 0:
                continue
            self._leave(number)
            self._forget_manifest(number)
            self._changes.blob(number)
            for table, column in (
                ("blobs", "id"), ("accesses", "blob"), ("dead", "blob"), ("damaged", "blob"), ("moves", "blob"),
                ("displaced", "id"),
            ):  # fmt: skip
                self._connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))  # noqa: S608 -- constants
            removed += 1
        return removed

    def mark_damaged(self, digests: Iterable[bytes]) -> None:
        """Remember across restarts that these contents are to be healed by their next store."""
        for digest in digests:
            self._connection.execute(
                "INSERT OR IGNORE INTO damaged SELECT id FROM blobs WHERE id = ?", (self.number(digest),)
            )

    def touch(self, accesses: Iterable[tuple[int, int, int]]) -> None:
        """Record reads below RAM: (blob, wall seconds of the last, how many since it was placed)."""
        self._connection.executemany(
            "INSERT INTO accesses SELECT ?1, ?2, ?3 FROM blobs WHERE id = ?1 "
            "ON CONFLICT (blob) DO UPDATE SET last = max(last, ?2), count = max(count, ?3)",
            sorted(accesses),
        )

    def forget_accesses(self, numbers: Iterable[int]) -> None:
        """Start counting anew for blobs that moved."""
        self._connection.executemany("DELETE FROM accesses WHERE blob = ?", [(n,) for n in sorted(numbers)])

    def ask_move(self, number: int, tier: int) -> None:
        """Note that a blob, and with a manifest its chunks, are to travel to a tier."""
        travellers = {number, *self._manifests.chunks(number)}
        self._connection.executemany(
            "INSERT OR REPLACE INTO moves VALUES (?, ?)", [(traveller, tier) for traveller in sorted(travellers)]
        )

    def forget_moves(self, journeys: Iterable[tuple[int, int]]) -> None:
        """These journeys, (blob, tier), are done or void; one that was asked for meanwhile stays."""
        self._connection.executemany("DELETE FROM moves WHERE blob = ? AND tier = ?", sorted(journeys))

    # -- keys ------------------------------------------------------------------------------------------------

    def put_keys(self, states: Iterable[tuple[bytes, KeyRecord, bool]]) -> None:
        """Write the present state of keys: (key, record, whether its age may prune it)."""
        for key, record, prunable in sorted(states, key=itemgetter(0)):
            row = self._one("SELECT blob FROM keys WHERE key = ?", (key,))
            old = row[0] if row is not None else None
            if old is not None:
                self._references[old] -= 1
                self.live_keys -= 1
            self._changes.key(key)
            if record.digest is None and not record.tombstone:
                if row is not None:
                    self._connection.execute("DELETE FROM keys WHERE key = ?", (key,))
                continue
            new = self.number(record.digest) if record.digest is not None else None
            if new is not None:
                self._references[new] += 1
                self.live_keys += 1
            self._connection.execute(
                "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key, new, record.version, record.namespace, record.pin, record.expires or None,
                    record.written if prunable else None, record.extra,
                ),
            )  # fmt: skip

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
        changed = sorted(self._references.items())
        self._connection.executemany(
            "UPDATE blobs SET refs = refs + ?2 WHERE id = ?1", [pair for pair in changed if pair[1]]
        )
        for number, _ in changed:
            row = self._one("SELECT refs FROM blobs WHERE id = ?", (number,))
            if row is None:
                continue
            if row[0] < 0:
                raise AssertionError(f"blob {number} would have {row[0]} references")
            if row[0] == 0:
                self._connection.execute("INSERT OR IGNORE INTO dead VALUES (?, ?)", (number, now))
            else:
                self._connection.execute("DELETE FROM dead WHERE blob = ?", (number,))
        for pack in sorted(self._live):
            self._connection.execute(
                "UPDATE packs SET live = live + ?, live_blobs = live_blobs + ? WHERE id = ?",
                (self._live[pack], self._live_blobs[pack], pack),
            )
        for pack in sorted(self._died):
            self._connection.execute("UPDATE packs SET dead_since = ? WHERE id = ? AND dead_since IS NULL", (now, pack))
        self._references.clear()
        self._live.clear()
        self._live_blobs.clear()
        self._died.clear()


def _prefix(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)
