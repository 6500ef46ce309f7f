"""Admission: which contents that are read below RAM come up a tier, decided by one sketch of how often they were used.

The sketch counts reads in every tier: those below RAM as they happen, those in RAM when an entry leaves it. So what
leaves RAM because others were used more comes back at its first read only if it was used often enough all the same, and
what is read once in a scan stays where it is. One estimate decides both directions: a content comes up when its
estimate reaches the threshold, and does not go to cold for being idle while it would come back at its next read. (One
filter for admission between two caches is the idea of TinyLFU: Einziger, Friedman & Manes, ACM TOS 2017; here it is
asked in both directions.) Estimates fade: all are halved after a number of uses, and at the pace at which idle contents
leave.

Pure; safe to be told by several threads, of which one may lose a count to another.
"""

from __future__ import annotations

from typing import NamedTuple

from stratakv.policies.frequency_sketch import MOST, FrequencySketch

FEWEST_ENTRIES, ENTRIES = 512, 8_192
"""What the sketch is made for at first, and at most: 8 to 128 KB of counters. With more keys some share counters."""

KEYS_AN_ENTRY = 2
"""Not all keys are read below RAM, and a small store must not spend on counters what it saves on values."""


class Accesses(NamedTuple):
    """How many recent uses bring a content up.

    Attributes:
        to_warm: From cold.
        to_hot: From warm.
    """

    to_warm: int
    to_hot: int


class Admission:
    """Decides what comes up.

    Args:
        accesses: How many uses are wanted at first.
        now: The time, in seconds of any clock.
        fades_every: Seconds in which estimates halve.
        keys: How many keys there are at first; see `fit`.

    Attributes:
        accesses: How many uses are wanted now.
    """

    def __init__(self, accesses: Accesses, now: float, fades_every: float, keys: int = 0) -> None:
        self.accesses = accesses
        self._sketch = FrequencySketch(FEWEST_ENTRIES)
        self.fit(keys)
        self._fades_every = fades_every
        self._faded = now

    def uses(self, content: int) -> int:
        """Return the estimate of a content's recent uses, 0 to 15. Contents are named by any hash of them."""
        return self._sketch.estimate(content)

    def read_below(self, content: int) -> int:
        """A content was read below RAM; return the estimate of its uses, this one included."""
        return self._sketch.count(content)

    def left_ram(self, content: int, uses: int, idle: float) -> None:
        """An entry leaves RAM, where it was read so often, and last so many seconds ago."""
        faded = min(uses, MOST) >> min(int(idle / self._fades_every), MOST)
        if faded:
            self._sketch.add(content, faded)

    def is_used(self, content: int, idle: float) -> bool:
        """Tell whether a content that was idle for longer than `idle` seconds had better stay in warm all the same.

        It would come back at its next read. Of a time in which estimates do not fade they say nothing.
        """
        return idle >= self._fades_every and self._sketch.estimate(content) >= self.accesses.to_warm

    def fade(self, now: float) -> None:
        """Halve all estimates if it is time."""
        halvings = int((now - self._faded) / self._fades_every)
        self._faded += halvings * self._fades_every
        for _ in range(min(halvings, MOST)):  # after so many nothing is left
            self._sketch.age()

    def fit(self, keys: int) -> None:
        """Make room for the uses of so many keys; what was counted stays, and room is never given up."""
        while self._sketch.entries < min(keys // KEYS_AN_ENTRY, ENTRIES):
            self._sketch = self._sketch.doubled()

    def overhead_bytes(self) -> int:
        """Return the RAM of the sketch."""
        return self._sketch.overhead_bytes()
