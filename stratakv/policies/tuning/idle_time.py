"""`IdleTime`: an idle threshold as it is in force, kept to what is known and allowed.

Owns the bounds of one threshold. An estimate says much about waits as long as those that were seen to end in a return,
and next to nothing about longer ones: so a threshold is not lengthened beyond twice the longest of those, unless the
configured time is longer still. Invariant: the seconds lie between the configured shortest and longest, for every size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.policies.placement.histogram import CLASSES, EDGES

if TYPE_CHECKING:
    from stratakv.policies.placement.histogram import AgeHistogram
    from stratakv.policies.placement.threshold import Threshold

RARE = 0.001
"""So small a part of all returns, by cost, is no evidence for the ages at which they were."""

BEYOND = 2.0
"""A threshold may be so many times as long as the longest waits that ended in a return."""

LARGEST_BYTES = 1 << 40
"""No content is larger; idle times do not get longer with size."""


class IdleTime(NamedTuple):
    """One threshold.

    Attributes:
        threshold: As it was chosen.
        seen: Up to so many break-even times it is known that contents return.
        configured: The idle seconds that hold where nothing is tuned.
        shortest, longest: Bounds in seconds.
    """

    threshold: Threshold
    seen: float
    configured: float
    shortest: float
    longest: float

    def seconds(self, size: int, accesses: int | None = None) -> float:
        """Return how long a content may lie idle.

        Args:
            size: Its bytes.
            accesses: How often it was read or written so far; None where that is not known.
        """
        asked = self.threshold.seconds(size, accesses)
        known = max(self.configured, BEYOND * self.seen * self.threshold.costs.break_even_seconds(size))
        return min(max(min(asked, known), self.shortest), self.longest)

    @property
    def least(self) -> float:
        """The least that `seconds` says of any content."""
        return min(self.seconds(LARGEST_BYTES, 1 << number) for number in range(CLASSES))


def longest_return(seen: AgeHistogram) -> float:
    """Return the age in break-even times up to which returns were seen; 0 where there were none."""
    return return_age(seen, 1 - RARE)


def return_age(seen: AgeHistogram, share: float) -> float:
    """Return the age in break-even times at which so large a part of all returns, by cost, had come; 0 for none."""
    returns = np.cumsum(seen.returns.sum(axis=0))
    if not returns[-1] > 0:
        return 0.0
    return float(EDGES[1 + int(np.searchsorted(returns, share * returns[-1]))])
