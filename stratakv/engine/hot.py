"""The hot table: encoded blobs in RAM, by key, within a byte budget that counts Python's own overhead.

It is a cache: whatever it holds is also in the journal or below, so any entry may leave at any time. Keys with equal
contents share one blob. Reads take no lock; all changes happen under the table's lock. Which entry leaves is the
eviction policy's decision; pinned entries are never offered to it.
"""

from __future__ import annotations

import threading
from sys import getsizeof
from typing import TYPE_CHECKING

from stratakv.engine.divisions import Divisions
from stratakv.engine.hot_entries import BLOB_BYTES, BYTES_HEADER, HotBlob, HotEntry, own_bytes
from stratakv.errors import CapacityError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratakv.engine.codecs.base import Encoded
    from stratakv.policies.eviction.base import EvictionPolicy

MOST = 1 << 62
SLICE = 256
"""So many entries change their division while writers wait."""

SPARE = 1024
"""An eviction frees this part of the budget beyond what is needed, if that is less than room for `SPARE_ENTRIES`."""

SPARE_ENTRIES = 16
"""So the next few writes need none."""

SPARSE_TABLE_BYTES = 400
"""A table with more bytes than this for each entry is mostly empty: a full one has about 90."""


class HotTable:
    """Bounded table of hot keys.

    Args:
        capacity: Budget in bytes.
        make_policy: Makes the policy that chooses victims, for a capacity in bytes.
    """

    def __init__(self, capacity: int, make_policy: Callable[[int], EvictionPolicy]) -> None:
        self.lock = threading.Lock()
        self.capacity = capacity
        self.entries: dict[str, HotEntry] = {}
        self.divisions = Divisions(capacity, make_policy)
        self.evictions = 0
        self.on_leave: Callable[[str, HotEntry], None] = lambda _key, _entry: None
        """Told of each entry that is evicted, under the lock."""
        self._blobs: dict[bytes, HotBlob] = {}
        self._content_bytes = 0
        self._pinned_bytes = 0
        self._measured = 0
        self._is_shrinking = False
        self._until_measured = 0

    def blob(self, digest: bytes) -> HotBlob | None:
        """Return the content if it is in RAM. Takes no lock."""
        return self._blobs.get(digest)

    def enter(
        self,
        key: str,
        digest: bytes,
        encoded: Encoded,
        version: int,
        expires: int,
        namespace: int,
        used: float,
        extra: bytes | None,
        pinned: bool,
    ) -> None:
        """Take a key in, or replace its entry, and evict others until the budget holds. The lock is held.

        The entry itself is never evicted by its own write. An entry larger than what pins leave of the budget is not
        taken, and evicts nobody.
        """
        blob = self._blobs.get(digest)
        fresh = blob is None
        if blob is None:
            blob = HotBlob(digest, encoded)
        own = own_bytes(key, extra)
        size = own + blob.ram_bytes
        # A pin can be too large here too: it was made while the capacity was larger.
        if size + self._pinned_bytes > self.capacity and size > self._room_for_pin(key):
            self.forget(key)
            return
        entries = self.entries
        previous = entries.get(key)
        division = self.divisions.of(namespace)
        entries[key] = entry = HotEntry(blob, division, version, expires, namespace, used, extra, pinned)
        blob.keys += 1
        if fresh:
            self._blobs[digest] = blob
        self._content_bytes += size if fresh else own
        self._tell_policy(key, entry, previous)
        if previous is not None:
            self._uncount(key, previous)
        if self._content_bytes + self._table_bytes() > self.capacity:
            # While RAM shrinks, one writer does not evict for all.
            most = SLICE if self._is_shrinking else MOST
            self._evict(key, most, min(self.capacity // SPARE, SPARE_ENTRIES * size))

    def _evict(self, keep: str, most: int, spare: int = 0) -> None:
        """Evict all but `keep`, `most` of them, until the budget holds and `spare` bytes are free."""
        while most > 0 and (excess := self.usage + spare - self.capacity) > 0:
            # The tables are measured between rounds only: they change little, and shrink where they change.
            goal = self._content_bytes - excess
            while most > 0 and self._content_bytes > goal:
                most -= 1
                victim = self.divisions.evict(keep)
                if victim is None:
                    return
                self.evictions += 1
                entry = self.entries[victim]
                entry.division.held -= entry.bytes_as(victim)
                self.on_leave(victim, entry)
                self._drop(victim)

    def _table_bytes(self) -> int:
        """Return the bytes of the tables, measured anew at every 16th call: they grow in large steps only.

        Small tables are measured more often: their first steps are larger than all they hold.
        """
        self._until_measured -= 1
        if self._until_measured < 0:
            self._until_measured = min(15, len(self.entries) // 4)
            self._measured = self.usage - self._content_bytes
        return self._measured

    def _tell_policy(self, key: str, entry: HotEntry, previous: HotEntry | None) -> None:
        """Have an entry tracked, or not, in place of what stood under its key."""
        size = entry.bytes_as(key)
        if previous is not None and not previous.pinned:
            if not entry.pinned and previous.division is entry.division:
                entry.division.resize(key, size, previous.bytes_as(key))
                return
            previous.division.remove(key, previous.bytes_as(key))
        if entry.pinned:
            self._pinned_bytes += size
        else:
            entry.division.insert(key, size, entry)

    def _uncount(self, key: str, entry: HotEntry) -> None:
        """Take an entry that no policy tracks any more out of the sums."""
        if entry.pinned:
            self._pinned_bytes -= entry.bytes_as(key)
        self._content_bytes -= own_bytes(key, entry.extra)
        self._release_blob(entry.blob)

    def _release_blob(self, blob: HotBlob) -> None:
        blob.keys -= 1
        if blob.keys == 0:
            self._content_bytes -= blob.ram_bytes
            del self._blobs[blob.digest]

    def recode(self, key: str, entry: HotEntry, encoded: Encoded) -> bool:
        """Put a shorter payload of the same content in place of an entry's; False where the entry is gone or shared."""
        with self.lock:
            blob = entry.blob
            if self.entries.get(key) is not entry or blob.keys != 1 or len(encoded.payload) > len(blob.encoded.payload):
                return False
            before = entry.bytes_as(key)
            saved = len(blob.encoded.payload) - len(encoded.payload)
            blob.encoded = encoded
            blob.ram_bytes -= saved
            self._content_bytes -= saved
            if entry.pinned:
                self._pinned_bytes -= saved
            else:
                entry.division.reweigh(key, before - saved, before)
            return True

    def remove(self, key: str) -> None:
        """Take a key out, pinned or not."""
        with self.lock:
            self.forget(key)

    def forget(self, key: str) -> None:
        """Take a key out, pinned or not. The lock is held."""
        entry = self.entries.get(key)
        if entry is not None:
            if not entry.pinned:
                entry.division.remove(key, entry.bytes_as(key))
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._uncount(key, self.entries.pop(key))
        if not self.entries:
            # A dictionary keeps the table of its largest size until it is cleared.
            self.entries.clear()
            self._blobs.clear()
            self.divisions.shrink()

    def check_pin(self, key: str, payload_bytes: int, extra: bytes | None = None) -> None:
        """Make sure that a pin fits.

        Raises:
            CapacityError: All pinned entries together would exceed the budget.
        """
        with self.lock:
            needed = own_bytes(key, extra) + BLOB_BYTES + BYTES_HEADER + payload_bytes
            room = self._room_for_pin(key)
            if needed > room:
                raise CapacityError(
                    f"pinning {key!r} needs {needed} bytes of RAM, other pins leave {max(0, room)} of the hot tier's "
                    f"{self.capacity}: unpin others or raise tiered_storage.hot_capacity_mb"
                )

    def _room_for_pin(self, key: str) -> int:
        """Return what other pins leave of the budget. The lock is held."""
        previous = self.entries.get(key)
        own = 0
        if previous is not None and previous.pinned:
            own = previous.bytes_as(key)
        return self.capacity - self._pinned_bytes + own

    def unpin(self, key: str) -> None:
        """Hand a pinned entry to the eviction policy."""
        with self.lock:
            entry = self.entries.get(key)
            if entry is not None and entry.pinned:
                entry.pinned = False
                size = entry.bytes_as(key)
                self._pinned_bytes -= size
                entry.division.insert(key, size, entry)

    def used_before(self, moment: float) -> list[tuple[str, HotEntry]]:
        """Return the unpinned entries last used before the monotonic `moment`, with their keys."""
        keys, entries = self._listed()
        pairs = zip(keys, entries, strict=True)
        return [(key, entry) for key, entry in pairs if entry.used < moment and not entry.pinned]

    # -- the budget ------------------------------------------------------------------------------------------

    def set_budget(self, capacity: int, shares: Mapping[int, int], pause: Callable[[], None]) -> None:
        """Take another budget in bytes, and divide it: namespaces that are named have these shares of it.

        Entries are handed to their division's policy in slices, so that writers wait for none longer than for one.
        """
        with self.lock:
            self.capacity = capacity
            self.divisions.divide(shares, capacity)
            self._is_shrinking = True
        try:
            keys, _ = self._listed()
            for start in range(0, len(keys), SLICE):
                with self.lock:
                    for key in keys[start : start + SLICE]:
                        self._rehome(key)
                pause()
            self._shrink_to_capacity(pause)
        finally:
            self._is_shrinking = False

    def _shrink_to_capacity(self, pause: Callable[[], None]) -> None:
        """Evict in slices until the budget holds, and give tables back on the way: they count against it too."""
        while self.usage > self.capacity:
            before = self.evictions
            with self.lock:
                self._evict("", SLICE)
            if self.evictions == before:
                return  # what is left is pinned
            self.shrink()
            pause()

    def _rehome(self, key: str) -> None:
        """Hand an entry to the division of its namespace."""
        entry = self.entries.get(key)
        if entry is None:
            return
        old, new = entry.division, self.divisions.of(entry.namespace)
        entry.division = new
        if old is new or entry.pinned:
            return
        size = entry.bytes_as(key)
        old.remove(key, size)
        new.insert(key, size, entry)

    # -- what is there ---------------------------------------------------------------------------------------

    def _listed(self) -> tuple[list[str], list[HotEntry]]:
        """Return keys and entries in two flat lists, for who looks at all of them and must not hold the lock so long.

        A pair for each would set off the interpreter's full garbage collection.
        """
        with self.lock:
            return list(self.entries), list(self.entries.values())

    def dictionaries(self) -> set[int]:
        """Return the dictionaries that entries need for decoding."""
        with self.lock:
            blobs = list(self._blobs.values())
        return {blob.encoded.dictionary for blob in blobs if blob.encoded.dictionary}

    def last_used(self) -> dict[bytes, float]:
        """Return for each content the monotonic time of its last use."""
        used: dict[bytes, float] = {}
        for entry in self._listed()[1]:
            digest = entry.blob.digest
            used[digest] = max(used.get(digest, 0.0), entry.used)
        return used

    def by_namespace(self) -> dict[int, int]:
        """Return the bytes of each namespace's entries; a shared blob is divided among its keys."""
        totals: dict[int, int] = {}
        for key, entry in zip(*self._listed(), strict=True):
            size = own_bytes(key, entry.extra) + entry.blob.ram_bytes // max(1, entry.blob.keys)
            totals[entry.namespace] = totals.get(entry.namespace, 0) + size
        return totals

    @property
    def pinned_bytes(self) -> int:
        """Bytes of pinned entries."""
        return self._pinned_bytes

    @property
    def usage(self) -> int:
        """Bytes of RAM held: payloads, objects, keys and the tables themselves."""
        return self._content_bytes + getsizeof(self.entries) + getsizeof(self._blobs) + self.divisions.overhead_bytes()

    def shrink(self) -> None:
        """Give the tables' memory back after many entries left; a dictionary never does so by itself."""
        with self.lock:
            for table in (self.entries, self._blobs):
                if getsizeof(table) > SPARSE_TABLE_BYTES * (len(table) + 8):
                    content = dict(table.items())
                    # A reader that misses an entry just now finds the value below.
                    table.clear()
                    table.update(content)  # type: ignore[arg-type]  # each with its own items
                    self.divisions.shrink()

    def clear(self) -> None:
        """Let everything go."""
        with self.lock:
            for key in list(self.entries):
                self.forget(key)
