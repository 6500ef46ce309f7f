"""Regrets: moves between tiers that turned out wrong within the break-even time.

A move down is regretted where the content is read again before its rent would have cost as much as that read; a move
up where the content goes down again without having been read. Pure; times are told. Invariant: at most `LIMIT` moves
are remembered for each direction; where there are more, half of the contents are passed over from then on, by hash, and
each of the others counts twice as much.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

LIMIT = 256
"""So many moves tell a share to within some 6 points; they take at most 34 KB for each direction."""

_REMEMBERED_BYTES = 36 + 24
"""A boxed hash and a boxed time."""


class Counted(NamedTuple):
    """Moves in one direction between two tiers, and how many of them were regretted."""

    moves: int
    regretted: int

    @property
    def share(self) -> float:
        """The share that was regretted, 0 where nothing moved."""
        return self.regretted / self.moves if self.moves else 0.0


class Regrets:
    """The moves over one edge. Contents are named by any hash of them.

    One of two threads may lose a count to the other; a move is never counted twice.
    """

    def __init__(self) -> None:
        self._down: dict[int, float] = {}
        self._up: dict[int, float] = {}
        self._mask = 0
        self._moved_down = self._regretted_down = self._moved_up = self._regretted_up = 0

    def moved_down(self, content: int, until: float) -> None:
        """A content left the upper tier; a read before the moment `until` is a regret."""
        if content & self._mask == 0:
            weight = self._mask + 1
            self._moved_down += weight
            if self._up.pop(content, None) is not None:
                self._regretted_up += weight
            self._remember(self._down, content, until)

    def moved_up(self, content: int, now: float) -> None:
        """A content came into the upper tier because it was read below."""
        if content & self._mask == 0:
            self._moved_up += self._mask + 1
            self._remember(self._up, content, now)

    def read_below(self, content: int, now: float) -> None:
        """A content was read in the lower tier."""
        if content & self._mask == 0 and self._down.pop(content, now) > now:
            self._regretted_down += self._mask + 1

    def read_above(self, content: int) -> None:
        """A content was read in the upper tier: what brought it there was right."""
        if content & self._mask == 0:
            self._up.pop(content, None)

    def _remember(self, moves: dict[int, float], content: int, moment: float) -> None:
        moves[content] = moment
        if len(moves) > LIMIT:
            self._mask = 2 * self._mask + 1
            for table in (self._down, self._up):
                for passed in [known for known in list(table) if known & self._mask]:
                    table.pop(passed, None)

    @property
    def down(self) -> Counted:
        """Moves down, estimated where there are many."""
        return Counted(self._moved_down, self._regretted_down)

    @property
    def up(self) -> Counted:
        """Moves up, estimated where there are many."""
        return Counted(self._moved_up, self._regretted_up)

    def overhead_bytes(self) -> int:
        """Return the RAM of what is remembered."""
        tables = (self._down, self._up)
        return sum(sys.getsizeof(table) + _REMEMBERED_BYTES * len(table) for table in tables)
