"""The keys that are watched: a share of all keys, by hash, so that a key is watched always or never.

Owns the table of watched keys, the rate, and the log of waits that are over; estimates nothing. Invariant: at most
`limit` keys are watched, each with `key_hash & mask == 0`; where more would be the rate halves, and where few are it
doubles again.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LIMIT = 8_000

_ROOM_TO_WIDEN = 8
_FIELDS = 5


class Waiting(NamedTuple):
    """Keys that wait: when each was last touched, its size then, and how often it was touched in all."""

    last: Floats
    sizes: Floats
    accesses: Floats


class Finished(NamedTuple):
    """Waits that are over: what waited, when each ended, and whether by a return."""

    waited: Waiting
    at: Floats
    returned: NDArray[np.bool_]


class Samples:
    """Watched keys and the waits that ended since they were last taken out.

    Args:
        limit: How many keys are watched at most.

    Attributes:
        limit: See above; the owner may change it.
        mask: A key is watched if `key_hash & mask == 0`.
        log: Waits that ended, five numbers each; `take_finished` reads it.
    """

    __slots__ = ("_accesses", "_free", "_last", "_sizes", "_slots", "limit", "log", "mask")

    def __init__(self, limit: int = LIMIT) -> None:
        if limit < 1:
            raise ValueError(f"at least one key must be watched, not {limit}")
        self.limit = limit
        self.mask = 0
        self.log = array("d")
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._last, self._sizes, self._accesses = array("d"), array("d"), array("d")

    def __len__(self) -> int:
        return len(self._slots)

    def touch(self, key_hash: int, now: float, size: int, returned: float) -> None:
        """A watched key was read (`returned` is 1) or written (0)."""
        slot = self._slots.get(key_hash)
        if slot is None:
            self._enter(key_hash, now, size)
            return
        last, accesses = self._last[slot], self._accesses[slot]
        self.log.extend((last, self._sizes[slot], accesses, now, returned))
        self._last[slot] = now
        self._sizes[slot] = size
        self._accesses[slot] = accesses + 1

    def _enter(self, key_hash: int, now: float, size: int) -> None:
        if self._free:
            slot = self._slots[key_hash] = self._free.pop()
            self._last[slot], self._sizes[slot], self._accesses[slot] = now, size, 1
            return
        self._slots[key_hash] = len(self._last)
        self._last.append(now)
        self._sizes.append(size)
        self._accesses.append(1)

    def end(self, key_hash: int, now: float) -> None:
        """A watched key was deleted."""
        slot = self._slots.pop(key_hash, None)
        if slot is not None:
            self.log.extend((self._last[slot], self._sizes[slot], self._accesses[slot], now, 0.0))
            self._last[slot] = np.nan
            self._free.append(slot)

    def take_finished(self) -> Finished:
        """Take out the waits that are over."""
        last, sizes, accesses, at, returned = np.array(self.log, dtype=np.float64).reshape(-1, _FIELDS).T
        self.log = array("d")
        return Finished(Waiting(last, sizes, accesses), at, returned > 0)

    def waiting(self) -> Waiting:
        """Return what waits now."""
        last = np.array(self._last, dtype=np.float64)
        there = ~np.isnan(last)
        sizes, accesses = np.array(self._sizes, dtype=np.float64), np.array(self._accesses, dtype=np.float64)
        return Waiting(last[there], sizes[there], accesses[there])

    def crowded(self) -> bool:
        """Tell whether more keys are watched than may be."""
        return len(self._slots) > self.limit

    def thin(self) -> None:
        """Watch half of the keys from now on."""
        self.mask = 2 * self.mask + 1
        self._keep([(key, slot) for key, slot in self._slots.items() if key & self.mask == 0])

    def widen(self) -> bool:
        """Watch twice as many keys from now on, if there is room for many more; tell whether it is so."""
        if not self.mask or len(self._slots) * _ROOM_TO_WIDEN >= self.limit:
            return False
        self.mask >>= 1
        return True

    def leave(self, before: Floats) -> None:
        """Watch no longer what was last touched before these times, one for each that waits, in the same order."""
        gone = set(np.flatnonzero(~np.isnan(self._last))[self.waiting().last < before].tolist())
        if gone:
            self._keep([(key, slot) for key, slot in self._slots.items() if slot not in gone])

    def _keep(self, kept: list[tuple[int, int]]) -> None:
        slots = [slot for _, slot in kept]
        self._slots = {key: place for place, (key, _) in enumerate(kept)}
        self._free = []
        self._last = array("d", [self._last[slot] for slot in slots])
        self._sizes = array("d", [self._sizes[slot] for slot in slots])
        self._accesses = array("d", [self._accesses[slot] for slot in slots])
