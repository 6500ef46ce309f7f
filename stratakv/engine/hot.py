"""The hot table: encoded blobs in RAM, by key, within a byte budget that counts Python's own overhead.

It is a cache: whatever it holds is also in the journal or below, so any entry may leave at any time. Keys with equal
contents share one blob. Reads take no lock; all changes happen under the table's lock. Which entry leaves is the
eviction policy's decision; pinned entries are never offered to it.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from stratakv.errors import CapacityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.codecs.base import Encoded
    from stratakv.policies.eviction.base import EvictionPolicy

BLOB_BYTES = 72 + 72 + 65 + 32 + 24
"""A HotBlob, its Encoded, its digest (bytes of 32) and two boxed integers."""

ENTRY_BYTES = 96 + 32 + 24
"""A HotEntry and its boxed version and time."""

SPARSE_TABLE_BYTES = 400
"""A table with more bytes than this for each entry is mostly empty: a full one has about 90."""

BYTES_HEADER = sys.getsizeof(b"")


class HotBlob:
    """One content in RAM.

    Attributes:
        digest: Its identity.
        encoded: Its payload.
        keys: How many hot keys hold it.
        ram_bytes: RAM of the blob and its payload.
    """

    __slots__ = ("digest", "encoded", "keys", "ram_bytes")

    def __init__(self, digest: bytes, encoded: Encoded) -> None:
        self.digest = digest
        self.encoded = encoded
        self.keys = 0
        self.ram_bytes = BLOB_BYTES + BYTES_HEADER + len(encoded.payload)


class HotEntry:
    """One hot key.

    Attributes:
        blob: Its content.
        version: The key's version it belongs to.
        expires: Wall time in milliseconds, 0 for never.
        namespace: The namespace's number.
        used: Monotonic time of the last use, in seconds.
        uses: How often it was read since it came in.
        extra: As in `KeyRecord`.
        pinned: Never offered to the eviction policy.
    """

    __slots__ = ("blob", "expires", "extra", "namespace", "pinned", "used", "uses", "version")

    def __init__(
        self,
        blob: HotBlob,
        version: int,
        expires: int,
        namespace: int,
        used: float,
        extra: bytes | None,
        *,
        pinned: bool,
    ) -> None:
        self.blob = blob
        self.version = version
        self.expires = expires
        self.namespace = namespace
        self.used = used
        self.uses = 0
        self.extra = extra
        self.pinned = pinned


class HotTable:
    """Bounded table of hot keys.

    Args:
        capacity: Budget in bytes.
        policy: Chooses victims.
    """

    def __init__(self, capacity: int, policy: EvictionPolicy) -> None:
        self.lock = threading.Lock()
        self.capacity = capacity
        self.entries: dict[str, HotEntry] = {}
        self.policy = policy
        self.evictions = 0
        self._blobs: dict[bytes, HotBlob] = {}
        self._content_bytes = 0
        self._pinned_bytes = 0
        self._measured = 0
        self._until_measured = 0

    def blob(self, digest: bytes) -> HotBlob | None:
        """Return the content if it is in RAM. Takes no lock."""
        return self._blobs.get(digest)

    def put(
        self,
        key: str,
        digest: bytes,
        encoded: Encoded,
        version: int,
        *,
        expires: int,
        namespace: int,
        used: float,
        extra: bytes | None = None,
        pinned: bool = False,
        unless: Callable[[], bool] | None = None,
    ) -> bool:
        """Take a key in, or replace its entry, and evict others until the budget holds.

        The entry itself is never evicted by its own write. An entry larger than what pins leave of the budget is not
        taken, and evicts nobody. `unless` is asked under the lock: where it says True nothing is done, because what is
        offered may be old. Returns whether it is in RAM now.
        """
        with self.lock:
            if unless is not None and unless():
                return False
            blob = self._blobs.get(digest)
            fresh = blob is None
            if blob is None:
                blob = HotBlob(digest, encoded)
            own = _entry_bytes(key, extra)
            size = own + blob.ram_bytes
            # A pin can be too large here too: it was made while the capacity was larger.
            if size + self._pinned_bytes > self.capacity and size > self._room_for_pin(key):
                self._remove(key)
                return False
            previous = self.entries.get(key)
            self.entries[key] = HotEntry(blob, version, expires, namespace, used, extra, pinned=pinned)
            blob.keys += 1
            if fresh:
                self._blobs[digest] = blob
            self._content_bytes += size if fresh else own
            if previous is not None:
                self._forget_previous(key, previous)
            self._tell_policy(key, size, previous, pinned=pinned)
            if self._content_bytes + self._table_bytes() > self.capacity:
                self._evict(key)
            return True

    def _evict(self, keep: str) -> None:
        while self.usage > self.capacity:
            victim = self.policy.evict(keep=keep)
            if victim is None:
                return
            self.evictions += 1
            self._drop(str(victim))

    def _table_bytes(self) -> int:
        """Return the bytes of the tables, measured anew at every 16th call: they grow in large steps only."""
        self._until_measured -= 1
        if self._until_measured < 0:
            self._until_measured = 15
            self._measured = self.usage - self._content_bytes
        return self._measured

    def _tell_policy(self, key: str, size: int, previous: HotEntry | None, *, pinned: bool) -> None:
        if pinned:
            self._pinned_bytes += size
            self.policy.remove(key)
        elif previous is None or previous.pinned:
            self.policy.insert(key, size)
        else:
            self.policy.resize(key, size)

    def _forget_previous(self, key: str, previous: HotEntry) -> None:
        if previous.pinned:
            self._pinned_bytes -= _entry_bytes(key, previous.extra) + previous.blob.ram_bytes
        self._content_bytes -= _entry_bytes(key, previous.extra)
        self._release_blob(previous.blob)

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
            saved = len(blob.encoded.payload) - len(encoded.payload)
            blob.encoded = encoded
            blob.ram_bytes -= saved
            self._content_bytes -= saved
            if entry.pinned:
                self._pinned_bytes -= saved
            else:
                self.policy.reweigh(key, _entry_bytes(key, entry.extra) + blob.ram_bytes)
            return True

    def remove(self, key: str) -> None:
        """Take a key out, pinned or not."""
        with self.lock:
            self._remove(key)

    def _remove(self, key: str) -> None:
        if key in self.entries:
            self.policy.remove(key)
            self._drop(key)

    def _drop(self, key: str) -> None:
        self._forget_previous(key, self.entries.pop(key))
        if not self.entries:
            # A dictionary keeps the table of its largest size until it is cleared.
            self.entries.clear()
            self._blobs.clear()
            self.policy.shrink()

    def check_pin(self, key: str, payload_bytes: int, extra: bytes | None = None) -> None:
        """Make sure that a pin fits.

        Raises:
            CapacityError: All pinned entries together would exceed the budget.
        """
        with self.lock:
            needed = _entry_bytes(key, extra) + BLOB_BYTES + BYTES_HEADER + payload_bytes
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
            own = _entry_bytes(key, previous.extra) + previous.blob.ram_bytes
        return self.capacity - self._pinned_bytes + own

    def unpin(self, key: str) -> None:
        """Hand a pinned entry to the eviction policy."""
        with self.lock:
            entry = self.entries.get(key)
            if entry is not None and entry.pinned:
                entry.pinned = False
                size = _entry_bytes(key, entry.extra) + entry.blob.ram_bytes
                self._pinned_bytes -= size
                self.policy.insert(key, size)

    def idle_since(self, moment: float) -> list[str]:
        """Return the unpinned keys last used before the monotonic `moment`."""
        keys, entries = self._listed()
        return [key for key, entry in zip(keys, entries, strict=True) if entry.used < moment and not entry.pinned]

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
            size = _entry_bytes(key, entry.extra) + entry.blob.ram_bytes // max(1, entry.blob.keys)
            totals[entry.namespace] = totals.get(entry.namespace, 0) + size
        return totals

    @property
    def usage(self) -> int:
        """Bytes of RAM held: payloads, objects, keys and the tables themselves."""
        return (
            self._content_bytes
            + sys.getsizeof(self.entries)
            + sys.getsizeof(self._blobs)
            + self.policy.overhead_bytes()
        )

    def shrink(self) -> None:
        """Give the tables' memory back after many entries left; a dictionary never does so by itself."""
        with self.lock:
            for table in (self.entries, self._blobs):
                if sys.getsizeof(table) > SPARSE_TABLE_BYTES * (len(table) + 8):
                    content = dict(table.items())
                    # A reader that misses an entry just now finds the value below.
                    table.clear()
                    table.update(content)  # type: ignore[arg-type]  # each with its own items
                    self.policy.shrink()

    def clear(self) -> None:
        """Let everything go."""
        with self.lock:
            for key in list(self.entries):
                self._remove(key)


def _entry_bytes(key: str, extra: bytes | None) -> int:
    return ENTRY_BYTES + sys.getsizeof(key) + (sys.getsizeof(extra) if extra is not None else 0)
