"""Backups: the catalog and the dictionaries, kept in a remote cold tier so that it alone restores the store.

A backup is a chain of parts: a base, written in as many as it takes, and after it one for what changed since, on an
interval. A base is read while the store goes on; what changes meanwhile is noted in the catalog like any change, so the
part that completes the chain makes it whole. That part is read from one moment of the catalog. What it covers is struck
off the notes only when it is durable, and disposal spares packs that are noted.

Owns the names in `meta`: `backup` (the chain), `backup_progress` (a base under way), `backup_number`, `tracked`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from stratakv.engine.backup_format import DICTIONARY_PREFIX, PREFIX, PartWriter, epoch_and_number
from stratakv.engine.catalog_changes import BLOB, KEY, MARK, PACK
from stratakv.engine.records import IN_COLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

ROWS_AT_ONCE = 250
"""Rows that are read before the next pause: about half a millisecond of the interpreter."""

PART_BYTES = 8 << 20
LONGEST_CHAIN = 256
LEAST_GROWTH_BYTES = 1 << 20
STRUCK_AT_ONCE = 2000

KEY_FIELDS = "key, blob, version, namespace, pin, expires, written, extra"
PACK_FIELDS = "id, name, bytes, index_offset, index_digest, plaintext, created"
_COLD_BLOBS = """
SELECT b.id, b.digest, b.namespace, b.pack, b.block, b.offset, b.size FROM blobs b JOIN packs p ON p.id = b.pack
WHERE p.tier = ? AND b.id
"""
_KEPT_META = ("store_id", "created", "format", "last_sequence", "next_dictionary")


class Backup:
    """Backs one store up.

    Args:
        parts: The store's pieces; its cold tier is remote.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._cold = parts.backends[IN_COLD]
        self._saved: set[str] | None = None
        self._erase_within = parts.config.storage.erase_within_days * 86_400
        parts.secure_dictionaries = self.secure_dictionaries

    def is_due(self) -> bool:
        """Tell whether anything has changed since the last backup."""
        catalog = self._parts.catalog
        return self._state() is None or bool(catalog.rows("SELECT 1 FROM changed LIMIT 1"))

    def age(self) -> float:
        """Return the seconds since the last backup; infinity where there is none."""
        state = self._state()
        return self._parts.wall() - state["saved"] if state is not None and "saved" in state else float("inf")

    def run(self, pause: Callable[[], None]) -> None:
        """Bring the backup up to date.

        Raises:
            TierUnavailableError, StoreLockedError: The tier cannot be reached, or is another owner's by now.
        """
        parts = self._parts
        if parts.claim is not None:
            parts.claim.check()
        self.secure_dictionaries({row[0] for row in parts.catalog.rows("SELECT id FROM dictionaries")})
        state = self._state()
        if state is None or self._outgrown(state):
            state = self._write_base(pause)
        state = self._complete(state, pause)
        self._remove_past(state)

    def _state(self) -> dict[str, Any] | None:
        found = self._parts.catalog.meta("backup")
        return None if found is None else dict(json.loads(found))

    def _outgrown(self, state: dict[str, Any]) -> bool:
        """Tell whether a new base is worth it, or the old one holds what has to be erased by now."""
        grown = state["changes_bytes"] > max(LEAST_GROWTH_BYTES, state["base_bytes"] // 2)
        aged = bool(state["chain"]) and self._parts.wall() - state["based"] > self._erase_within / 2
        return grown or aged or len(state["chain"]) >= LONGEST_CHAIN

    def _open_part(self) -> PartWriter:
        """Return a writer with a name that was never used: what a failed attempt left must not be overwritten."""
        parts = self._parts
        number = int(parts.catalog.meta("backup_number", 0)) + 1
        with parts.catalog.write(parts.wall()) as transaction:
            transaction.set_meta("backup_number", number)
        return PartWriter(parts.store_id, parts.epoch, number)

    # -- a base ----------------------------------------------------------------------------------------------

    def _write_base(self, pause: Callable[[], None]) -> dict[str, Any]:
        """Write all rows, in parts; one that was stopped goes on where it was."""
        parts = self._parts
        found = parts.catalog.meta("backup_progress")
        if found is None:
            progress: dict[str, Any] = {"chain": [], "bytes": 0, "stage": "keys", "after": None, "based": parts.wall()}
            mark = int(parts.catalog.meta(MARK, 0))
            self._keep_progress(progress)
            # From here on the base reads these rows itself. Notes about packs stay: they hold up disposal.
            self._strike_off(mark, (KEY, BLOB), pause)
        else:
            progress = json.loads(found)
        while progress["stage"] != "done":
            part = self._open_part()
            while progress["stage"] != "done" and part.size < PART_BYTES:
                self._add_rows(part, progress)
                pause()
            if part.rows:
                content = part.finish(complete=False)
                self._cold.put(part.name, content)
                progress["chain"].append(part.name)
                progress["bytes"] += len(content)
            self._keep_progress(progress)
            parts.at_point("backup-based")
        return {
            "chain": progress["chain"],
            "base_bytes": progress["bytes"],
            "changes_bytes": 0,
            "based": progress["based"],
        }

    def _add_rows(self, part: PartWriter, progress: dict[str, Any]) -> None:
        """Add the next rows of the base to a part and move on."""
        catalog = self._parts.catalog
        if progress["stage"] == "keys":
            after = bytes.fromhex(progress["after"] or "")
            rows = catalog.rows(
                f"SELECT {KEY_FIELDS} FROM keys WHERE key > ? ORDER BY key LIMIT ?",  # noqa: S608 -- constants
                (after, ROWS_AT_ONCE),
            )
            part.add("keys", rows)
            if rows:
                progress["after"] = rows[-1][0].hex()
            else:
                progress["stage"], progress["after"] = "blobs", None
        else:
            start = -(1 << 63) if progress["after"] is None else progress["after"] + 1
            rows = catalog.rows(f"{_COLD_BLOBS} >= ? ORDER BY b.id LIMIT ?", (IN_COLD, start, ROWS_AT_ONCE))
            part.add("blobs", rows)
            if rows and rows[-1][0] < (1 << 63) - 1:
                progress["after"] = rows[-1][0]
            else:
                packs = catalog.rows(f"SELECT {PACK_FIELDS} FROM packs WHERE tier = ?", (IN_COLD,))  # noqa: S608
                part.add("packs", packs)
                progress["stage"], progress["after"] = "done", None

    def _keep_progress(self, progress: dict[str, Any] | None) -> None:
        with self._parts.catalog.write(self._parts.wall()) as transaction:
            transaction.set_meta("backup_progress", None if progress is None else json.dumps(progress))

    # -- what changed ----------------------------------------------------------------------------------------

    def _complete(self, state: dict[str, Any], pause: Callable[[], None]) -> dict[str, Any]:
        """Write what changed since the chain's last part; with it the chain is a whole backup."""
        parts = self._parts
        part = self._open_part()
        part.add("chain", [(name,) for name in state["chain"]])
        with parts.catalog.snapshot() as query:
            mark = self._add_changes(part, query, pause)
        content = part.finish(complete=True)
        parts.at_point("backup-made")
        self._cold.put(part.name, content)
        parts.at_point("backup-put")
        state = {
            **state,
            "chain": [*state["chain"], part.name],
            "changes_bytes": state["changes_bytes"] + len(content),
            "saved": parts.wall(),
            "bytes": state["base_bytes"] + state["changes_bytes"] + len(content),
        }
        with parts.catalog.write(parts.wall()) as transaction:
            transaction.set_meta("backup", json.dumps(state))
            transaction.set_meta("backup_progress", None)
        self._strike_off(mark, (KEY, BLOB, PACK), pause)
        return state

    def _add_changes(self, part: PartWriter, query: Callable[..., Any], pause: Callable[[], None]) -> int:
        """Add the present rows of what is noted as changed; return the mark that this covers."""
        ((mark,),) = query("SELECT coalesce((SELECT value FROM meta WHERE name = ?), 0)", (MARK,)).fetchall() or ((0,),)
        meta = [(name, value) for name, value in query("SELECT name, value FROM meta", ()) if name in _KEPT_META]
        part.add("meta", [*meta, ("saved", self._parts.wall())])
        part.add("namespaces", query("SELECT id, name, salt FROM namespaces", ()).fetchall())
        part.add("displaced", query("SELECT digest, id FROM displaced", ()).fetchall())
        rows = query("SELECT id, namespace, created, content FROM dictionaries", ()).fetchall()
        part.add("dictionaries", [(*row[:3], dictionary_name(row[0], row[3])) for row in rows])
        for kind, table, present in (
            (KEY, "keys", f"SELECT {KEY_FIELDS} FROM keys WHERE key = ?"),  # noqa: S608 -- constants
            (BLOB, "blobs", f"{_COLD_BLOBS} = ?"),
            (PACK, "packs", f"SELECT {PACK_FIELDS} FROM packs WHERE tier = ? AND name = ?"),  # noqa: S608
        ):
            after = b""
            while True:
                ids = query(
                    "SELECT id FROM changed WHERE kind = ? AND id > ? ORDER BY id LIMIT ?", (kind, after, ROWS_AT_ONCE)
                ).fetchall()
                if not ids:
                    break
                after = ids[-1][0]
                rows, gone = [], []
                for (stored,) in ids:
                    what = _id_of(kind, stored)
                    row = query(present, (what,) if kind == KEY else (IN_COLD, what)).fetchone()
                    rows.append(row) if row is not None else gone.append((what,))
                part.add(table, rows)
                part.add(f"gone_{table}", gone)
                pause()
        return int(mark)

    def _strike_off(self, mark: int, kinds: tuple[int, ...], pause: Callable[[], None]) -> None:
        """Forget the notes of what a durable part covers; what changed since then has a higher mark and stays."""
        catalog = self._parts.catalog
        for kind in kinds:
            while True:
                rows = catalog.rows(
                    "SELECT id FROM changed WHERE kind = ? AND mark <= ? LIMIT ?", (kind, mark, STRUCK_AT_ONCE)
                )
                if not rows:
                    break
                with catalog.write(self._parts.wall()) as transaction:
                    transaction.strike_off(kind, mark, [row[0] for row in rows])
                pause()

    # -- dictionaries and what is past -----------------------------------------------------------------------

    def secure_dictionaries(self, numbers: set[int]) -> None:
        """Have dictionaries in the cold tier before anything there needs them."""
        for number in sorted(numbers):
            rows = self._parts.catalog.rows("SELECT content FROM dictionaries WHERE id = ?", (number,))
            for (content,) in rows:
                name = dictionary_name(number, content)
                if name not in self._known_saved():
                    self._cold.put(name, content)
                    self._known_saved().add(name)

    def _known_saved(self) -> set[str]:
        if self._saved is None:
            self._saved = {info.name for info in self._cold.list(DICTIONARY_PREFIX)}
        return self._saved

    def _remove_past(self, state: dict[str, Any]) -> None:
        """Remove parts and dictionaries that the present backup does not need and that were this owner's own."""
        parts = self._parts
        chain = set(state["chain"])
        newest = max(chain)
        past = []
        for info in self._cold.list(PREFIX):
            place = epoch_and_number(info.name)
            ours = place is not None and (parts.claim is None or parts.claim.wrote_epoch(place[0]))
            if ours and info.name not in chain and info.name < newest:
                past.append(info.name)
        rows = parts.catalog.rows("SELECT id, content FROM dictionaries")
        needed = {dictionary_name(number, content) for number, content in rows}
        if parts.claim is None or parts.claim.wrote_epoch(1):
            # Else another machine wrote here before, and what it needs is not known.
            past += sorted(self._known_saved() - needed)
            self._saved = self._known_saved() & needed
        self._cold.delete_many(past)


def dictionary_name(number: int, content: bytes) -> str:
    """Return the object's name of a dictionary in its stored form."""
    return f"{DICTIONARY_PREFIX}{number:08d}-{hashlib.sha256(content).hexdigest()[:16]}.dict"


def _id_of(kind: int, stored: bytes) -> bytes | int | str:
    """Return the id of a note as the noted row has it."""
    if kind == BLOB:
        return int.from_bytes(stored, "big", signed=True)
    return stored.decode() if kind == PACK else stored
