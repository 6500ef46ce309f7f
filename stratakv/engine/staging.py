"""Staging: payloads of packs that were fetched ahead, several in one request, until whoever wants them comes.

Owns their bound in bytes, what is fetched for whom, and how neighbours in a pack are put into one request. Nothing here
is verified: a payload is checked by whoever takes it. Thread-safe.

Invariant: what a reader had fetched ahead is gone when that reader is done with it, whether or not it was used.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from stratakv.engine.pack_source import PackGoneError
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stratakv.engine.pack_source import PackSource
    from stratakv.engine.records import Place

Wanted = TypeVar("Wanted")

STAGED_BYTES = 16 << 20
REQUEST_BYTES = 8 << 20
GAP_BYTES = 256 << 10
"""So many bytes between two payloads are cheaper to fetch along than to ask twice."""

NAMES_ITEM = -1
"""Stands in place of a block's number for the names of a pack."""

Item = tuple[int, int]
"""(pack, block)."""


class Extent(NamedTuple):
    """Where a payload lies in its pack."""

    offset: int
    length: int
    item: Item


def requests(extents: Iterable[Extent]) -> Iterator[list[Extent]]:
    """Yield extents of one pack in the groups that are fetched together, each in order."""
    group: list[Extent] = []
    end = 0
    for extent in sorted(extents):
        far = extent.offset - end > GAP_BYTES
        if group and (far or extent.offset + extent.length - group[0].offset > REQUEST_BYTES):
            yield group
            group = []
        group.append(extent)
        end = extent.offset + extent.length
    if group:
        yield group


class Staging:
    """Holds payloads, the latest `STAGED_BYTES` of them.

    Args:
        source: Where they are fetched from.
        is_here: Tells whether a block needs no fetching.
    """

    def __init__(self, source: PackSource, is_here: Callable[[Item], bool]) -> None:
        self._source = source
        self._is_here = is_here
        self._lock = threading.Lock()
        self._payloads: dict[Item, bytes] = {}
        self._bytes = 0

    def ahead(
        self, wanted: Sequence[Wanted], place_of: Callable[[Wanted], Place | None], *, names: bool = False
    ) -> Iterator[Wanted]:
        """Yield what is wanted, in order, having fetched the blocks of remote packs that it lies in.

        With `names` those of the packs are fetched as well. What cannot be fetched is left to whoever reads it.

        Raises:
            TierUnavailableError: A tier cannot be reached.
        """
        start = 0
        if not self._source.reaches_far:
            yield from wanted
            return
        while start < len(wanted):
            extents, end = self._extents_of(wanted, start, place_of, names=names)
            try:
                for pack in {pack for pack, _ in extents}:
                    self._fetch(pack, [extent for item, extent in extents.items() if item[0] == pack])
                yield from wanted[start:end]
            finally:
                self.drop(extents)
            start = end

    def _extents_of(
        self, wanted: Sequence[Wanted], start: int, place_of: Callable[[Wanted], Place | None], *, names: bool
    ) -> tuple[dict[Item, Extent], int]:
        """Return what to fetch for as many of the wanted as there is room for, and where the next ones begin."""
        chosen: dict[Item, Extent] = {}
        room = STAGED_BYTES
        for position in range(start, len(wanted)):
            place = place_of(wanted[position])
            extents = self._extents(place, names=names) if place is not None else []
            fresh = {extent.item: extent for extent in extents if extent.item not in chosen}
            needed = sum(extent.length for extent in fresh.values())
            if needed > room and chosen:
                return chosen, position
            if needed <= room:
                room -= needed
                chosen.update(fresh)
        return chosen, len(wanted)

    def _extents(self, place: Place, *, names: bool) -> list[Extent]:
        """Return what of a blob's pack is to be fetched; nothing for packs that are near."""
        item = (place.pack, place.block)
        try:
            if self._is_here(item) or not self._source.is_remote(self._source.row(place.pack)):
                return []
            _, index = self._source.index(place.pack)
            block = index.block(place.block)
        except (PackGoneError, CorruptionError):
            return []
        extents = [Extent(block.offset, block.length, item)]
        if names and index.names is not None:
            extents.append(Extent(index.names.offset, index.names.length, (place.pack, NAMES_ITEM)))
        return extents

    def _fetch(self, pack: int, extents: list[Extent]) -> None:
        for group in requests(extents):
            start, end = group[0].offset, group[-1].offset + group[-1].length
            try:
                payloads = self._source.range(self._source.row(pack), start, end - start)
            except (PackGoneError, CorruptionError):
                return
            for extent in group:
                at = extent.offset - start
                self._put(extent.item, payloads[at : at + extent.length])

    def _put(self, item: Item, payload: bytes) -> None:
        """Keep a payload; the oldest ones, of whoever else reads ahead, make room for it."""
        with self._lock:
            self._remove(item)
            self._payloads[item] = payload
            self._bytes += len(payload)
            while self._bytes > STAGED_BYTES:
                self._remove(next(iter(self._payloads)))

    def get(self, item: Item) -> bytes | None:
        """Return a payload that is here."""
        return self._payloads.get(item)

    def drop(self, items: Iterable[Item]) -> None:
        """Let go of payloads, here or not."""
        with self._lock:
            for item in items:
                self._remove(item)

    def forget(self, pack: int) -> None:
        """Let go of what is here of a pack."""
        with self._lock:
            for item in [item for item in self._payloads if item[0] == pack]:
                self._remove(item)

    def _remove(self, item: Item) -> None:
        payload = self._payloads.pop(item, None)
        if payload is not None:
            self._bytes -= len(payload)

    @property
    def ram_bytes(self) -> int:
        """RAM of what was fetched ahead."""
        return self._bytes + 200 * len(self._payloads)
