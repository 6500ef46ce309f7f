"""Usage: when contents below RAM were last used, where pins hold them, and which are the coldest.

Answers as of the moment it was made, from the catalog's access counts, the hot table and the pins. Decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.records import IN_COLD, IN_WARM, encode_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stratakv.engine.catalog_rows import PackRow
    from stratakv.engine.parts import Parts


LOOKED_UP_AT_ONCE = 128
NEVER_READ = (0, 0)


class Usage:
    """The use of one store's contents.

    Args:
        parts: The store's pieces.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._in_ram = self._recently_hot()
        self._pinned = pinned_tiers(parts)

    def _recently_hot(self) -> dict[bytes, float]:
        """Return for each content in RAM the wall time of its last use."""
        parts = self._parts
        offset = parts.clock.now() - parts.clock.monotonic()
        return {digest: used + offset for digest, used in parts.hot.last_used().items()}

    def may_go_cold(self, digest: bytes) -> bool:
        """Tell whether no pin holds a content above cold."""
        return self._pinned.get(digest, IN_COLD) == IN_COLD

    def reads(self, pack: PackRow) -> dict[int, tuple[int, int]]:
        """Return (wall seconds of the last read, reads since it was placed) of a pack's blobs that were read."""
        rows = self._parts.catalog.rows(
            "SELECT a.blob, a.last, a.count FROM accesses a JOIN blobs b ON b.id = a.blob WHERE b.pack = ?", (pack.id,)
        )
        reads = {number: (last, count) for number, last, count in rows}
        for number, (at, count) in self._parts.touched.copy().items():
            known = reads.get(number, NEVER_READ)
            reads[number] = (max(at, known[0]), max(count, known[1]))
        return reads

    def last(self, number: int, digest: bytes, pack: PackRow, reads: dict[int, tuple[int, int]]) -> int:
        """Return the wall time in seconds of a blob's last use: a read of it, or when it was packed."""
        return max(reads.get(number, (pack.created, 0))[0], int(self._in_ram.get(digest, 0)))

    def coldest(self, packs: Sequence[PackRow], size: int, pause: Callable[[], None]) -> int:
        """Return the moment (wall seconds) up to which contents were last used that together take `size` bytes."""
        share = {pack.id: pack.length / max(1, pack.plaintext) for pack in packs}
        unread = {pack.id: pack.live for pack in packs}
        uses: list[tuple[int, float]] = []
        for last, pack, plaintext in self._used(packs, pause).values():
            if pack in share:
                unread[pack] -= plaintext
                uses.append((last, plaintext * share[pack]))
        uses += [(pack.created, unread[pack.id] * share[pack.id]) for pack in packs]
        moment, taken = 0, 0.0
        for moment, held in sorted(uses):  # noqa: B007 -- the moment reached is what is asked for
            taken += held
            if taken >= size:
                break
        return moment

    def _used(self, packs: Sequence[PackRow], pause: Callable[[], None]) -> dict[int, tuple[int, int, int]]:
        """Return (wall seconds, pack, plaintext bytes) of the last use of each blob in warm since it was packed."""
        catalog = self._parts.catalog
        rows = catalog.rows(
            "SELECT b.id, a.last, b.pack, b.size FROM accesses a JOIN blobs b ON b.id = a.blob "
            "JOIN packs p ON p.id = b.pack WHERE p.tier = ?",
            (IN_WARM,),
        )
        used = {number: (last, pack, size) for number, last, pack, size in rows}
        oldest = min(pack.created for pack in packs)
        in_ram = [digest for digest, last in self._in_ram.items() if last > oldest]
        for start in range(0, len(in_ram), LOOKED_UP_AT_ONCE):
            for digest, blob in catalog.find_blobs(in_ram[start : start + LOOKED_UP_AT_ONCE]).items():
                if blob.tier == IN_WARM:
                    last = max(int(self._in_ram[digest]), used.get(blob.blob, (0,))[0])
                    used[blob.blob] = (last, blob.place.pack, blob.place.size)
            pause()
        for number, (at, _) in self._parts.touched.copy().items():
            if number in used:
                used[number] = (max(at, used[number][0]), *used[number][1:])
        return used


def pinned_tiers(parts: Parts) -> dict[bytes, int]:
    """Return for each pinned content, and each chunk of a large one, the hottest tier that a key of it is pinned to."""
    tiers: dict[bytes, int] = {}
    for key, pin in parts.pins.copy().items():
        record = parts.dirty.get(key)
        if record is not None:
            digest = record.digest
        else:
            found = parts.catalog.find(encode_key(key))
            digest = found.digest if found is not None else None
        if digest is not None:
            for held in (digest, *parts.catalog.chunks_of(digest)):
                tiers[held] = min(pin, tiers.get(held, pin))
    return tiers
