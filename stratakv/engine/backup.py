"""Backups: the catalog and the dictionaries, kept in a remote cold tier so that it alone restores the store.

A backup is a chain of parts: a base, written in as many as it takes, and after it some for what changed since, on an
interval. A base is read while the store goes on; what changes meanwhile is noted in the catalog like any change, so the
part that completes the chain makes it whole. What changed is read from one moment of the catalog. It is struck off the
notes only when the part that completes it is durable, and disposal spares packs that are noted.

Owns the names in `meta`: `backup` (the chain), `backup_progress` (a base under way), `backup_number`, `tracked`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stratakv.engine.backup_format import DICTIONARY_PREFIX, PREFIX, PartWriter, epoch_and_number
from stratakv.engine.backup_rows import (
    CHANGES,
    add_base_rows,
    changed_rows,
    dictionaries_of,
    dictionary_name,
    mark_of,
)
from stratakv.engine.catalog_changes import BLOB, KEY, MARK, PACK
from stratakv.engine.records import IN_COLD

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.parts import Parts

PART_BYTES = 8 << 20
LONGEST_CHAIN = 256
LEAST_GROWTH_BYTES = 1 << 20
STRUCK_AT_ONCE = 2000
MOST_AT_SHUTDOWN = 100_000
"""Changes that are written in about a second; shutdown does not wait for more."""


class Backup:
    """Backs one store up.

    Args:
        parts: The store's pieces; its cold tier is remote.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._cold = parts.backends[IN_COLD]
        self._saved: set[str] | None = None
        self._tidied = False
        self._erase_within = parts.config.storage.erase_within_days * 86_400
        parts.secure_dictionaries = self.secure_dictionaries

    def is_due(self) -> bool:
        """Tell whether the backup lacks something, or holds what it should not any more."""
        state = self._state()
        return state is None or not self._tidied or self._wants_base(state) or self._lacks_changes(state)

    def age(self) -> float:
        """Return the seconds since the last backup; infinity where there is none."""
        state = self._state()
        return self._parts.wall() - state["saved"] if state is not None and "saved" in state else float("inf")

    def run(self, pause: Callable[[], None]) -> None:
        """Bring the backup up to date; nothing is written where it is.

        Raises:
            TierUnavailableError, StoreLockedError: The tier cannot be reached, or is another owner's by now.
        """
        parts = self._parts
        if parts.claim is not None:
            parts.claim.check()
        self.secure_dictionaries({row[0] for row in parts.catalog.rows("SELECT id FROM dictionaries")})
        state = self._state()
        if state is None or self._wants_base(state):
            state = self._complete(self._write_base(pause), pause)
        elif self._lacks_changes(state):
            state = self._complete(state, pause)
        self._remove_past(state)
        self._tidied = True

    def save_changes(self, pause: Callable[[], None]) -> bool:
        """At shutdown: write what has changed, if that is not much; a base waits for the next opening.

        Returns:
            Whether the backup is up to date now. Errors as `run`.
        """
        state = self._state()
        if state is None or self._parts.catalog.meta("backup_progress") is not None:
            return False
        if self._lacks_changes(state):
            ((waiting,),) = self._parts.catalog.rows("SELECT count(*) FROM changed")
            if waiting > MOST_AT_SHUTDOWN:
                return False
            if self._parts.claim is not None:
                self._parts.claim.check()
            self._complete(state, pause)
        return True

    def _state(self) -> dict[str, Any] | None:
        found = self._parts.catalog.meta("backup")
        return None if found is None else dict(json.loads(found))

    def _lacks_changes(self, state: dict[str, Any]) -> bool:
        """Tell whether anything has changed since the chain's last part; a store without any has none to begin with."""
        return not state["chain"] or bool(self._parts.catalog.rows("SELECT 1 FROM changed LIMIT 1"))

    def _wants_base(self, state: dict[str, Any]) -> bool:
        """Tell whether a base is under way, a new one is worth it, or the old one holds what must be erased."""
        if self._parts.catalog.meta("backup_progress") is not None:
            return True  # what it covers is struck off the notes: only its end makes the backup whole
        grown = state["changes_bytes"] > max(LEAST_GROWTH_BYTES, state["base_bytes"] // 2)
        aged = state.get("changed", False) and self._parts.wall() - state["based"] > self._erase_within / 2
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
                for table, rows in add_base_rows(parts.catalog, progress):
                    part.add(table, rows)
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

    def _keep_progress(self, progress: dict[str, Any] | None) -> None:
        with self._parts.catalog.write(self._parts.wall()) as transaction:
            transaction.set_meta("backup_progress", None if progress is None else json.dumps(progress))

    # -- what changed ----------------------------------------------------------------------------------------

    def _complete(self, state: dict[str, Any], pause: Callable[[], None]) -> dict[str, Any]:
        """Write what changed since the chain's last part; the last part of it makes the chain a whole backup."""
        parts = self._parts
        part = self._open_part()
        chain, written, saved, changes = list(state["chain"]), 0, parts.wall(), 0
        with parts.catalog.snapshot() as query:
            mark = mark_of(query)
            for number, _, _, dictionary in dictionaries_of(query):
                self._secure(number, dictionary)  # one that is younger than this run's beginning
            for table, rows in changed_rows(query, saved):
                if part.size >= PART_BYTES:
                    written += self._put(part, complete=False)
                    chain.append(part.name)
                    part = self._open_part()
                changes += len(rows) if table in CHANGES else 0
                part.add(table, rows)
                pause()
        part.add("chain", [(name,) for name in chain])
        written += self._put(part, complete=True)
        parts.at_point("backup-put")
        state = {
            **state,
            "chain": [*chain, part.name],
            "changes_bytes": state["changes_bytes"] + written,
            "saved": saved,
            "changed": state.get("changed", False) or changes > 0,
            "bytes": state["base_bytes"] + state["changes_bytes"] + written,
        }
        with parts.catalog.write(parts.wall()) as transaction:
            transaction.set_meta("backup", json.dumps(state))
            transaction.set_meta("backup_progress", None)
        self._strike_off(mark, (KEY, BLOB, PACK), pause)
        return state

    def _put(self, part: PartWriter, *, complete: bool) -> int:
        """Make a part durable; return its bytes."""
        content = part.finish(complete=complete)
        self._parts.at_point("backup-made")
        self._cold.put(part.name, content)
        return len(content)

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
                self._secure(number, content)

    def _secure(self, number: int, content: bytes) -> None:
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
        if not self._tidied:
            past += [info.name for info in self._cold.list("probes/")]  # of openings that were cut short
        self._cold.delete_many(past)
