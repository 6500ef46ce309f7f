"""The verbs for contents: where each lies, and the chunks that a large one names.

Gathers what they do to reference counts and to the live bytes of packs; `catalog_write` writes the sums. Rows are
sorted before they are written: random inserts in order of the tree cost a third of unsorted ones.
"""

from __future__ import annotations

import secrets
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import apsw

from stratakv.engine.catalog_manifests import ManifestRows
from stratakv.engine.catalog_rows import whole_digest
from stratakv.engine.catalog_small_rows import SmallRows
from stratakv.engine.in_runs import in_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from stratakv.engine.catalog_changes import Changes
    from stratakv.engine.records import Place


class BlobRows(SmallRows):
    """Part of a `Transaction`.

    Args:
        connection: The writer, inside a transaction.
        blob_number: The number a digest has by the rows committed so far.
        changes: Takes note of what changes, for the next backup.
    """

    def __init__(self, connection: apsw.Connection, blob_number: Callable[[bytes], int], changes: Changes) -> None:
        super().__init__(connection, changes)
        self._manifests = ManifestRows(connection)
        self._committed_number = blob_number
        self.displaced: dict[bytes, int] = {}
        self._references: Counter[int] = Counter()
        self._live: Counter[int] = Counter()
        self._live_blobs: Counter[int] = Counter()
        self._died: set[int] = set()
        self._named: set[int] = set()
        self._expected: Mapping[bytes, int] = {}

    def _one(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return row

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

    def expect_references(self, expected: Mapping[bytes, int]) -> None:
        """Tell how many keys will name each new content by the end, so that its row need not be written twice.

        An expectation that is not met is put right at the end.
        """
        self._expected = expected

    def place_blobs(
        self, placed: Iterable[tuple[bytes, int, Place]], copied_from: frozenset[int] | None = None
    ) -> None:
        """Record where contents lie: (digest, namespace, place). A content that had a place leaves it.

        With `copied_from` these are copies out of some packs: one whose content has left them, because somebody else
        moved, healed or removed it meanwhile, is dead from the start.
        """
        for digest, namespace, place in in_runs(placed, itemgetter(0)):
            if copied_from is not None and self._pack_of(digest) not in copied_from:
                self._died.add(place.pack)
                continue
            if copied_from is None and self._insert(digest, namespace, place):
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

    def _insert(self, digest: bytes, namespace: int, place: Place) -> bool:
        """Record a new content, unless its number is taken: by itself, or by another one that begins alike."""
        number = self._committed_number(digest)
        if digest in self.displaced or number.to_bytes(8, "big", signed=True) != digest[:8]:
            return False
        references = self._expected.get(digest, 0)
        try:
            self._connection.execute(
                "INSERT INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (number, digest[8:], namespace, *place, references),
            )
        except apsw.ConstraintError:
            return False
        # What no key names by the end is dead; `finish` settles which ones are.
        self._references[number] -= references
        if references:
            self._named.add(number)
        self._changes.blob(number)
        self._live[place.pack] += place.size
        self._live_blobs[place.pack] += 1
        return True

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


def _prefix(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)
