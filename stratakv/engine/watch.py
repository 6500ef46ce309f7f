"""`Watch`: what happens to a sample of the keys, gathered from all threads and told to the tuner by one.

Owns the way from an operation to the edges. Writes and reads below RAM are noted as they happen, for watched keys only;
hits in RAM are not noted at all, so that they cost nothing: a look at the entries of watched keys every telemetry
interval tells when they were used last and how often. So gaps shorter than an interval are seen as one use; thresholds
are minutes at least. Invariant: what is waiting to be told is bounded, and what finds no room is counted as lost.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from stratakv.engine.hot_entries import ram_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.hot import HotTable
    from stratakv.engine.recording import Recorder
    from stratakv.policies.tuning.edges import Edges

READ, WROTE, DELETED = range(3)

WAITING_AT_MOST = 1 << 13
"""So many notes wait to be told; 1.4 MB."""

TOLD_FROM = 1 << 8
"""From so many notes on they are told before the next look: a small store must not hold more of them than values."""

NOTE_BYTES = 8 + 88 + 32 + 24
"""A note in the queue with its boxed hash and time; its key is held elsewhere too, most of the time."""

SEEN_BYTES = 110 + 72 + 28
"""A watched key in the table with what was seen of it."""

FEW = 64
"""So many keys that nobody watches any more are not worth looking for."""

PLAIN_TO_STORED = 4
"""About so many bytes of plaintext are one below RAM; thresholds hang on the size of a content, but not closely."""


class Note(NamedTuple):
    """One event of a watched key. `size` is the payload's bytes."""

    kind: int
    key: str
    key_hash: int
    namespace: int
    now: float
    size: int


class Seen:
    """What was last seen of a watched key in RAM."""

    __slots__ = ("key_hash", "namespace", "size", "uses", "version")

    def __init__(self, note: Note) -> None:
        self.key_hash = note.key_hash
        self.namespace = note.namespace
        self.size = note.size
        self.version = 0
        self.uses = 0


def hash_of(stored_key: bytes) -> int:
    """Return a key's hash, the same in every process."""
    return crc32(stored_key)


def content_hash(digest: bytes) -> int:
    """Return the number by which sketch and regrets know a content, the same in every process."""
    return int.from_bytes(digest[:8], "little")


class Watch:
    """The watched keys of one store.

    Attributes:
        mask: Keys whose hash has one of these bits are watched by nobody.
        lost: Notes for which there was no room.
        recorder: Takes every operation while a trace is recorded; None at other times.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._notes: deque[Note] = deque()
        self._keys: dict[str, Seen] = {}
        self._hits: dict[int, float] = {}
        self.mask = 0
        self.lost = 0
        self.recorder: Recorder | None = None

    # -- from any thread -------------------------------------------------------------------------------------

    def note(self, kind: int, key: str, key_hash: int, namespace: int, size: int) -> None:
        """Note an event of a key; forgotten at once where the key is not watched."""
        recorder = self.recorder  # which another thread may take away
        if recorder is not None:
            recorder.noted(kind, key, size)
        if key_hash & self.mask:
            return
        if len(self._notes) >= WAITING_AT_MOST:
            self.lost += 1
            return
        self._notes.append(Note(kind, key, key_hash, namespace, self._monotonic(), size))

    # -- from the tuning thread ------------------------------------------------------------------------------

    @property
    def crowded(self) -> bool:
        """Whether so many notes wait that they should be told soon."""
        return len(self._notes) >= TOLD_FROM

    def tell(self, edges: Edges, pause: Callable[[], None]) -> None:
        """Tell the tuner what was noted."""
        for _ in range(len(self._notes)):
            note = self._notes.popleft()
            if edges.watches(note.namespace, note.key_hash):
                self._tell_note(edges, note)
            pause()
        self.mask = edges.mask
        self._forget_others(edges)

    def look(self, edges: Edges, hot: HotTable, pause: Callable[[], None]) -> None:
        """Tell the tuner what is seen in RAM of the keys that it watches."""
        entries = hot.entries
        for key, seen in self._keys.items():
            entry = entries.get(key)
            if entry is None:
                continue
            if entry.version != seen.version:
                seen.version, seen.uses = entry.version, 0
            if entry.uses > seen.uses:
                share = edges.share_watched(seen.namespace)
                self._hits[seen.namespace] = self._hits.get(seen.namespace, 0.0) + (entry.uses - seen.uses) / share
                seen.uses = entry.uses
                edges.read(seen.namespace, seen.key_hash, entry.used, (entry.bytes_as(key), seen.size))
            pause()
        self._forget_others(edges)

    def _forget_others(self, edges: Edges) -> None:
        """Forget the keys that nobody watches any more, where they are many."""
        if len(self._keys) > 2 * edges.watched + FEW:
            self._keys = {k: seen for k, seen in self._keys.items() if edges.watches(seen.namespace, seen.key_hash)}

    def take_hits(self) -> dict[int, int]:
        """Return about how many reads each namespace had in RAM since the last call."""
        taken, self._hits = self._hits, {}
        return {namespace: round(hits) for namespace, hits in taken.items()}

    def _tell_note(self, edges: Edges, note: Note) -> None:
        if note.kind == DELETED:
            self._keys.pop(note.key, None)
            edges.ended(note.namespace, note.key_hash, note.now)
            return
        seen = self._keys.get(note.key)
        if seen is None:
            seen = self._keys[note.key] = Seen(note)
        seen.namespace, seen.size = note.namespace, note.size
        sizes = (ram_bytes(note.key, note.size), note.size)
        if note.kind == READ:
            edges.read(note.namespace, note.key_hash, note.now, sizes)
        else:
            edges.overwritten(note.namespace, note.key_hash, note.now, sizes)

    def ram_bytes(self) -> int:
        """Return the RAM of what is kept, about."""
        recorder = self.recorder
        recorded = recorder.ram_bytes() if recorder is not None else 0
        return NOTE_BYTES * len(self._notes) + SEEN_BYTES * len(self._keys) + recorded
