"""Admitting: what a read below RAM changes.

Owns the counts of use, the wish to bring a content up a tier, and the entry into the hot table. Invariant: a value read
from below enters the hot table only if no write of its key became visible meanwhile (the key's stamp is unchanged), so
an old value is never read again after its overwrite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.parts import STRIPES, Parts
from stratakv.engine.records import ANYWHERE, IN_COLD, IN_HOT
from stratakv.engine.watch import content_hash
from stratakv.policies.tuning.verdict import HOT, WARM

if TYPE_CHECKING:
    from stratakv.engine.catalog_rows import FoundBlob
    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.state import State

LARGEST_SHARE = 8
"""A value of more plaintext than this part of the hot capacity stays below unless it is pinned: it would flush all."""


class Loaded(NamedTuple):
    """A value read from below.

    Attributes:
        plaintext: The value, serialised and verified.
        tier: The number of the tier it came from; of several the coldest.
        encoded: The payload as journaled, where it came from the journal.
    """

    plaintext: bytes
    tier: int
    encoded: Encoded | None = None


class Admitting:
    """Admits what was read."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._monotonic = parts.clock.monotonic

    def stamp(self, key: str) -> tuple[int, int]:
        """Return what changes whenever the key does."""
        return self._parts.stamps[hash(key) % STRIPES], self._parts.removals

    def admit(self, key: str, state: State, loaded: Loaded, stamp: tuple[int, int]) -> None:
        """Count the access; promote as the thresholds say."""
        parts = self._parts
        pinned, digest = state.pin, state.digest
        if digest is None:
            return
        if state.blob is not None and not parts.read_only:
            touched = parts.touched.get(state.blob)
            count = (state.accesses if touched is None else touched[1]) + 1
            uses = self._count(state.blob, digest, count)
            now = self._monotonic()
            if loaded.tier == IN_COLD:
                parts.regrets[WARM].read_below(content_hash(digest), now)
                if uses >= parts.admission.accesses.to_warm and pinned == ANYWHERE:
                    parts.wanted_warm.add(digest)
            if uses < parts.admission.accesses.to_hot and pinned != IN_HOT:
                return
            parts.regrets[HOT].moved_up(content_hash(digest), now)
        if pinned not in (ANYWHERE, IN_HOT):
            return
        if pinned != IN_HOT and len(loaded.plaintext) > parts.hot.capacity // LARGEST_SHARE:
            return
        encoded = loaded.encoded
        if encoded is None:
            hot = parts.hot.blob(digest)
            encoded = (
                hot.encoded if hot else parts.compression.encode_fast(loaded.plaintext, state.home or state.namespace)
            )
        with parts.hot.lock:
            if not self._is_old(key, stamp):
                parts.hot.enter(
                    key, digest, encoded, state.version, state.expires, state.namespace, self._monotonic(), state.extra,
                    pinned == IN_HOT,
                )  # fmt: skip

    def count_chunk(self, found: FoundBlob, pinned: int) -> None:
        """Count the access of a chunk of a large value; `pinned` is where the value's key is."""
        parts = self._parts
        if parts.read_only:
            return
        touched = parts.touched.get(found.blob)
        uses = self._count(found.blob, found.digest, 1 if touched is None else touched[1] + 1)
        if found.tier == IN_COLD and pinned == ANYWHERE and uses >= parts.admission.accesses.to_warm:
            parts.wanted_warm.add(found.digest)

    def _count(self, blob: int, digest: bytes, count: int) -> int:
        """Note a read of a content below RAM; return how often it was used lately."""
        parts = self._parts
        parts.touched[blob] = (parts.wall(), count)
        content = content_hash(digest)
        parts.regrets[HOT].read_below(content, self._monotonic())
        return max(count, parts.admission.read_below(content))

    def _is_old(self, key: str, stamp: tuple[int, int]) -> bool:
        """Tell whether a key may have changed since its stamp was read."""
        # An odd stamp was read while a write was becoming visible: what was read may be either side of it.
        return stamp[0] & 1 == 1 or self.stamp(key) != stamp
