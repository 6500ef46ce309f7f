"""The dirty table: what is acknowledged but not yet in the catalog.

It shadows the catalog: until a checkpoint has committed, a key found here is not looked up below, so an old row never
shows. It holds key states and where in the journal each payload lies, not the payloads. There are at most two
generations: the one being written and, while a checkpoint runs, the frozen one being persisted.

Its lock also guards the three sets that keep a digest from being dropped or collected while somebody counts on it:
leases (a store that found it known and has not journaled yet), the digests named by records not yet checkpointed, and
the digests condemned by a collection that is about to commit.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.journal_format import Location

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable

    from stratakv.config import StorageConfig
    from stratakv.engine.records import KeyRecord

KEY_BYTES = 120 + 32
"""A KeyRecord and its boxed time of writing."""

BLOB_BYTES = 120 + 2 * 32
"""A DirtyBlob and its boxed numbers: its offset and two lengths, of which small ones are shared."""

DIGEST_BYTES = sys.getsizeof(bytes(32))

VERSION_BYTES = 32


class DirtyBlob(NamedTuple):
    """A content whose payload stands in the journal.

    Attributes:
        segment, offset, length: The payload's bytes, as in `Location`.
        codec: Codec number of the payload.
        dictionary: Dictionary number, 0 for none.
        size: Plaintext length in bytes.
        namespace: The namespace whose record carried it.
        kind: As in `Encoded`.
    """

    segment: int
    offset: int
    length: int
    codec: int
    dictionary: int
    size: int
    namespace: int
    kind: int = 0

    @property
    def location(self) -> Location:
        """Where the payload stands."""
        return Location(self.segment, self.offset, self.length)


class Lease:
    """Somebody counts on a digest until the lease is given back."""

    __slots__ = ("digest", "held")

    def __init__(self, digest: bytes) -> None:
        self.digest = digest
        self.held = True


class Generation:
    """The writes between two checkpoints."""

    __slots__ = ("blobs", "healing", "journal_bytes", "keys", "named", "since")

    def __init__(self) -> None:
        self.keys: dict[str, KeyRecord] = {}
        self.blobs: dict[bytes, DirtyBlob] = {}
        self.named: set[bytes] = set()
        self.healing: set[bytes] = set()
        self.journal_bytes = 0
        self.since: float | None = None


class DirtyTable:
    """Both generations and the digests that somebody counts on."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._pardoned = threading.Condition(self.lock)
        self.current = Generation()
        self.frozen: Generation | None = None
        self._leases: dict[bytes, int] = {}
        self._condemned: frozenset[bytes] = frozenset()
        self._damaged: set[bytes] = set()

    # -- keys ------------------------------------------------------------------------------------------------

    def get(self, key: str) -> KeyRecord | None:
        """Return the key's state if it is dirty. Takes no lock: entries only move from current to frozen, and the
        catalog has them before they leave.
        """
        record = self.current.keys.get(key)
        if record is not None:
            return record
        frozen = self.frozen
        return frozen.keys.get(key) if frozen is not None else None

    def put(
        self,
        key: str,
        record: KeyRecord,
        blob: DirtyBlob | None,
        journal_bytes: int,
        now: float,
        chunks: Collection[bytes] = (),
    ) -> None:
        """Make a journaled write visible. The lock is held; called in journal order.

        `chunks` are contents that the journaled one names: until a checkpoint has counted that, they must stay.
        """
        generation = self.current
        generation.journal_bytes += journal_bytes
        if generation.since is None:
            generation.since = now
        digest = record.digest
        if digest is not None:
            generation.named.add(digest)
            if chunks:
                generation.named.update(chunks)
            if blob is not None:
                if digest in self._damaged:
                    self._damaged.discard(digest)
                    generation.healing.add(digest)
                if digest not in generation.blobs:
                    generation.blobs[digest] = blob
        # Last, because readers take no lock: who sees the key must find its content.
        generation.keys[key] = record

    def drop_tombstone(self, key: str) -> None:
        """Make a tombstone a plain deletion; one that a checkpoint has taken along is confirmed by collection."""
        with self.lock:
            record = self.current.keys.get(key)
            if record is not None and record.tombstone:
                self.current.keys[key] = record._replace(tombstone=False)

    def find_blob(self, digest: bytes) -> DirtyBlob | None:
        """Return where the content's payload lies in the journal, if it is dirty."""
        blob = self.current.blobs.get(digest)
        if blob is None and (frozen := self.frozen) is not None:
            blob = frozen.blobs.get(digest)
        return blob

    def states(self) -> dict[str, KeyRecord]:
        """Return a copy of all dirty key states, newest per key."""
        with self.lock:
            merged = dict(self.frozen.keys) if self.frozen is not None else {}
            merged.update(self.current.keys)
            return merged

    def __len__(self) -> int:
        frozen = self.frozen
        return len(self.current.keys) + (len(frozen.keys) if frozen is not None else 0)

    @property
    def journal_bytes(self) -> int:
        """Journal bytes that no checkpoint has covered."""
        frozen = self.frozen
        return self.current.journal_bytes + (frozen.journal_bytes if frozen is not None else 0)

    def fills(self, storage: StorageConfig, share: float = 1) -> bool:
        """Tell whether it holds a share of the bytes or of the entries that it may, or all of them."""
        return (
            self.journal_bytes >= share * storage.dirty_limit_mb * 1024 * 1024
            or len(self) >= share * storage.dirty_limit_entries
        )

    def ram_bytes(self, hot: Container[str]) -> int:
        """Return the RAM held; a key in `hot` shares its text, digest and version with the hot table's entry."""
        total = 0
        with self.lock:
            for generation in (self.current, self.frozen):
                if generation is None:
                    continue
                keys, blobs = generation.keys, generation.blobs
                total += sys.getsizeof(keys) + sys.getsizeof(blobs) + sys.getsizeof(generation.named)
                total += KEY_BYTES * len(keys) + BLOB_BYTES * len(blobs)
                total += DIGEST_BYTES * max(0, len(keys) - len(blobs))
                alone = [key for key in keys if key not in hot]
                total += (DIGEST_BYTES + VERSION_BYTES) * len(alone) + sum(map(sys.getsizeof, alone))
        return total

    # -- generations -----------------------------------------------------------------------------------------

    def freeze(self) -> Generation:
        """Start a new current generation; called at the instant the journal switches segments.

        A frozen generation whose checkpoint failed is merged into, never lost.
        """
        with self.lock:
            if self.frozen is None:
                self.frozen = self.current
            else:
                self.frozen = _merge(self.frozen, self.current)
            self.current = Generation()
            return self.frozen

    def needed_blobs(self, generation: Generation) -> dict[bytes, DirtyBlob]:
        """Return the frozen blobs that must be persisted and forget the others.

        Needed is what a final key state names, what a newer record names (it may rely on the payload here), and what
        is leased. A blob forgotten here counts as unknown from now on: its next store carries the payload itself.
        """
        finals = {record.digest for record in generation.keys.values() if record.digest is not None}
        with self.lock:
            named = self.current.named
            keep = {
                digest: blob
                for digest, blob in generation.blobs.items()
                if digest in finals or digest in named or digest in self._leases
            }
            generation.blobs = keep
            return keep

    def thaw(self) -> None:
        """The frozen generation is in the catalog: stop shadowing it."""
        with self.lock:
            self.frozen = None

    # -- what is counted on ----------------------------------------------------------------------------------

    def lease(self, digest: bytes) -> Lease | None:
        """Keep a digest from being dropped or collected; None if it is condemned or damaged. The lock is held."""
        if digest in self._condemned or digest in self._damaged:
            return None
        self._leases[digest] = self._leases.get(digest, 0) + 1
        return Lease(digest)

    def hold(self, digests: Collection[bytes]) -> list[Lease]:
        """Keep digests from being collected, damaged ones too; waits for a collection that is about to commit."""
        with self._pardoned:
            self._pardoned.wait_for(lambda: self._condemned.isdisjoint(digests))
            for digest in digests:
                self._leases[digest] = self._leases.get(digest, 0) + 1
            return [Lease(digest) for digest in digests]

    def release(self, lease: Lease) -> None:
        """Give a lease back; once is enough, more does no harm. The lock is held."""
        if not lease.held:
            return
        lease.held = False
        left = self._leases[lease.digest] - 1
        if left:
            self._leases[lease.digest] = left
        else:
            del self._leases[lease.digest]

    def condemn(self, digests: set[bytes]) -> set[bytes]:
        """Return those that nobody counts on; until `pardon` they count as unknown."""
        with self.lock:
            frozen = self.frozen.named if self.frozen is not None else ()
            free = {
                digest
                for digest in digests
                if digest not in self._leases and digest not in self.current.named and digest not in frozen
            }
            self._condemned = frozenset(free)
            return free

    def pardon(self) -> None:
        """End a collection."""
        with self._pardoned:
            self._condemned = frozenset()
            self._pardoned.notify_all()

    def mark_damaged(self, digest: bytes) -> None:
        """From now on the content counts as unknown, so that its next store heals it."""
        with self.lock:
            self._damaged.add(digest)

    def mark_healed(self, digests: Iterable[bytes]) -> None:
        """These contents were written anew outside the journal."""
        with self.lock:
            self._damaged.difference_update(digests)

    @property
    def damaged(self) -> frozenset[bytes]:
        """Contents found damaged and not stored again since."""
        with self.lock:
            return frozenset(self._damaged)


def _merge(older: Generation, newer: Generation) -> Generation:
    merged = Generation()
    merged.keys = {**older.keys, **newer.keys}
    merged.blobs = {**newer.blobs, **older.blobs}
    merged.named = older.named | newer.named
    merged.healing = older.healing | newer.healing
    merged.journal_bytes = older.journal_bytes + newer.journal_bytes
    merged.since = older.since
    return merged
