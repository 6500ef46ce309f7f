"""Idle thresholds: from hazards of return to the expected cost of every threshold, and the choice among them.

Pure arithmetic on an `AgeHistogram`. An idle blob pays rent at 1 for each break-even time it stays; a return after it
moved down costs 1. So with survival S(u), hazard of return l(u) and cost of moving m, a threshold b costs
J(b) = integral of S to b + m S(b) + integral of l S from b. The accesses do not depend on the threshold, so the least
J for each wait is the least cost in all. Invariant: where the data say nothing, the choice is the break-even time,
which never costs more than twice the least (ski rental: Karlin, Manasse, Rudolph and Sleator, "Competitive snoopy
caching", Algorithmica 1988).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.policies.placement.histogram import EDGES, WIDTHS, AgeHistogram, access_class
from stratakv.policies.placement.prices import INFINITE, EdgeCosts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STRENGTH = 5.0
"""How many events' worth of belief the prior has in each bucket."""

CLASS_STRENGTH = 5.0
"""The same for what the whole has to say about a class."""

TOLERANCE = 0.003
"""Thresholds whose cost is so near to the least are as good."""

TOLERANCE_BIRTHS = 3.0
"""And so many divided by the number of waits."""

WORTH_KEEPING = 0.05
"""A blob that stays for a smaller part of its break-even time may as well move down at once."""

HYSTERESIS = 0.005
"""A threshold stays while it costs at most so much more than the new one."""

_FAR: Floats = np.abs(np.log(np.maximum(EDGES, EDGES[1] / 2)))


class Hazards(NamedTuple):
    """What becomes of a wait that reaches a bucket of age: `[group, bucket]`.

    The first group is all blobs, the others are the access classes.

    Attributes:
        returns: The probability of a return in it.
        ends: That of an overwrite or deletion.
        stays: How long it stays in it, in break-even times.
        moving: Per group, what moving costs, in returns.
        births: Per group, how many typical waits stand behind it.
    """

    returns: Floats
    ends: Floats
    stays: Floats
    moving: Floats
    births: Floats


class Curves(NamedTuple):
    """Expected cost of one wait, in returns, and the rent in it: `[group, threshold]` for each of `EDGES`.

    The last threshold stands for never.
    """

    costs: Floats
    rents: Floats
    births: Floats

    def cost(self, group: int, threshold: float) -> float:
        """Return the expected cost at any threshold, interpolated."""
        return float(np.interp(threshold, EDGES, self.costs[group]))


class Threshold(NamedTuple):
    """How long an idle blob stays, in break-even times of its own size.

    Attributes:
        costs: Of the edge.
        pooled: For a blob of which only the size is known.
        classes: For each class of accesses so far: 1, 2-3, 4-7, 8-15, 16 and more.
    """

    costs: EdgeCosts
    pooled: float
    classes: tuple[float, ...]

    def units(self, accesses: int | None = None) -> float:
        """Return the threshold in break-even times."""
        return self.pooled if accesses is None else self.classes[access_class(accesses)]

    def fewest(self) -> int:
        """Return the fewest accesses with which a blob is worth keeping: 1, 2, 4, 8 or 16; 16 too where it never is."""
        kept = (number for number, units in enumerate(self.classes) if units >= WORTH_KEEPING)
        return 1 << next(kept, len(self.classes) - 1)

    def seconds(self, size: int, accesses: int | None = None) -> float:
        """Return after how many idle seconds a blob of so many bytes moves down; infinite where staying is free."""
        even = self.costs.break_even_seconds(size)
        return even if even == INFINITE else self.units(accesses) * even


def hazards(histogram: AgeHistogram) -> Hazards:
    """Return the hazards of all blobs, and of each class.

    At risk in a bucket is what ended in it, what passed it, and half of what is in it now (the actuarial estimate).
    Hazards of all are shrunk to those where every threshold costs the same; those of a class to those of all, as if
    `STRENGTH` typical events had been seen at that rate in each bucket.
    """
    moving, weight, square = (_with_all(table) for table in (histogram.moving, histogram.weight, histogram.square))
    exposure, entered = _with_all(histogram.exposure), _with_all(histogram.entered)
    returns, ends = _with_all(histogram.returns), _with_all(histogram.ends)
    passed = np.concatenate((entered[:, 1:], np.zeros((len(entered), 1))), axis=1)
    risk = np.maximum((entered + returns + ends + passed) / 2, returns + ends)
    typical = _ratio(square, weight, 1.0)[:, None]
    believed = STRENGTH * typical[:1]
    prior = 1 - np.exp(-WIDTHS)
    returns[:1] += believed * prior
    exposure[:1] += believed * prior
    risk[:1] += believed
    gone = (returns[:1] + ends[:1]) / risk[:1]
    believed = CLASS_STRENGTH * typical[1:] / gone
    returns[1:] += believed * returns[:1] / risk[:1]
    ends[1:] += believed * ends[:1] / risk[:1]
    exposure[1:] += believed * exposure[:1] / risk[:1]
    risk[1:] += believed
    stays = np.minimum(exposure / risk, WIDTHS)
    shared = moving[0] / weight[0] if weight[0] else 0.0
    births = _ratio(weight * weight, square, 0.0)
    return Hazards(returns / risk, ends / risk, stays, _ratio(moving, weight, shared), births)


def _with_all(table: Floats) -> Floats:
    return np.concatenate((table.sum(axis=0, keepdims=True), table))


def _ratio(above: Floats, below: Floats, otherwise: float) -> Floats:
    ratio = np.full(below.shape, otherwise)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio


def expected_costs(rates: Hazards, rent_weight: float = 1.0) -> Curves:
    """Return what each threshold costs: 0, every edge of a bucket; the last stands for never.

    Args:
        rates: See `hazards`.
        rent_weight: What a unit of rent counts, such as the shadow price of RAM over its price.
    """
    zero = np.zeros((len(rates.returns), 1))
    stays_on = np.maximum(1 - rates.returns - rates.ends, 0.0)
    survival: Floats = np.concatenate((zero + 1, np.cumprod(stays_on, axis=1)), axis=1)
    rents: Floats = rent_weight * np.concatenate((zero, np.cumsum(survival[:, :-1] * rates.stays, axis=1)), axis=1)
    returned = survival[:, :-1] * rates.returns
    later: Floats = np.concatenate((np.cumsum(returned[:, ::-1], axis=1)[:, ::-1], zero), axis=1) + survival[:, -1:]
    return Curves(rents + rates.moving[:, None] * survival + later, rents, rates.births)


def choose(curves: Curves, group: int) -> float:
    """Return, of the thresholds that are as good as the best, the one nearest to the break-even time."""
    costs = curves.costs[group]
    slack = TOLERANCE + TOLERANCE_BIRTHS / max(float(curves.births[group]), 1.0)
    good = np.flatnonzero(costs <= costs.min() * (1 + slack))
    return float(EDGES[good[int(_FAR[good].argmin())]])
