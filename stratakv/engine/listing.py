"""Listing: which keys there are, from the dirty table and the catalog together.

Never loads a value. Weakly consistent: a key that is there throughout is listed once, one that comes or goes meanwhile
may be listed or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.records import decode_key, encode_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stratakv.engine.parts import Parts
    from stratakv.engine.reading import Reader

KEYS_AT_ONCE = 1000


class Listing:
    """Lists the keys of one store."""

    def __init__(self, parts: Parts, reader: Reader) -> None:
        self._parts = parts
        self._expired = reader.is_expired

    def keys(self, prefix: str, check_open: Callable[[], None]) -> Iterator[str]:
        """Yield the keys that begin with `prefix`; dirty ones first, then the others in byte order."""
        # The dirty ones are noted before the catalog is read: a checkpoint may move them there meanwhile.
        dirty = {key: record for key, record in self._parts.dirty.states().items() if key.startswith(prefix)}
        for key, record in dirty.items():
            if record.digest is not None and not self._expired(record.expires):
                yield key
        low, after = encode_key(prefix), None
        while True:
            check_open()
            rows = self._parts.catalog.keys_after(low, after, KEYS_AT_ONCE)
            for stored, expires, tombstone in rows:
                if not tombstone and not self._expired(expires):
                    key = decode_key(stored)
                    if key not in dirty:
                        yield key
            if len(rows) < KEYS_AT_ONCE:
                return
            after = rows[-1][0]

    def gone(self) -> list[str]:
        """Return the keys without a value that are still known, so that an engine's copy stays hidden."""
        states = self._parts.dirty.states()
        catalog = self._parts.catalog
        stored = {*catalog.tombstones(-1), *catalog.expired_keys(self._parts.wall_ms(), -1)}
        keys = [decode_key(key) for key in stored]
        keys += [key for key, record in states.items() if record.tombstone or self._expired(record.expires)]
        return sorted(set(keys))

    def count(self) -> int:
        """Count the keys that have a value. Looks at what is dirty, never at all keys."""
        states = self._parts.dirty.states()
        count = self._parts.catalog.count_live_without((encode_key(key) for key in states), self._parts.wall_ms())
        return count + sum(
            1 for record in states.values() if record.digest is not None and not self._expired(record.expires)
        )
