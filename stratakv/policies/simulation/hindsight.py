"""Hindsight: the best static idle threshold of one edge for a trace that is over, exactly.

Owns the search. A static threshold is the same multiple of every blob's own break-even time. Its cost changes only at
the ages at which a wait ended, so sorting the waits finds the best of all thresholds, not of a grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratakv.policies.placement.prices import EdgeCosts
    from stratakv.policies.simulation.cycles import Waits


class Static(NamedTuple):
    """What static thresholds would have cost at one edge.

    Attributes:
        units: The best threshold, in break-even times.
        cost: Its controllable cost.
        keep_all: That of never moving anything down.
        drop_all: That of moving everything down at once.
    """

    units: float
    cost: float
    keep_all: float
    drop_all: float

    @property
    def stake(self) -> float:
        """What the better of the two simple rules costs, in times of the best."""
        least = min(self.keep_all, self.drop_all)
        return least / self.cost if self.cost > 0 else 1.0


def best_static(waits: Waits, costs: EdgeCosts) -> Static:
    """Return the best static threshold of an edge, beside keeping all and moving all down at once.

    Args:
        waits: A trace, cut.
        costs: Of the edge.
    """
    size = np.maximum(waits.size.astype(np.float64), 1.0)
    seconds = waits.seconds
    each_return = costs.return_blob + costs.return_byte * size
    dropped = costs.moving_blob + costs.moving_byte * size + each_return * waits.returned
    with np.errstate(invalid="ignore", divide="ignore"):
        # Where coming back is free the break-even time is 0: any wait is longer than any threshold.
        ages = np.nan_to_num(seconds / costs.break_even_each(waits.size), nan=0.0)
    order = np.argsort(ages, kind="stable")
    ages, each_return, moved = ages[order], each_return[order], dropped[order]
    stayed = np.cumsum((costs.rent * size * seconds)[order])
    # Those that wait longer than an age have paid for as much as it, and move down then.
    longer = _after(each_return)
    with np.errstate(invalid="ignore"):
        paid = np.where(longer > 0, ages * longer, 0.0)
    totals = stayed + paid + _after(moved)
    best = int(totals.argmin())
    # Waits that last no time at all stay, whatever the threshold.
    drop_all = float(dropped[seconds > 0].sum())
    keep_all = float(stayed[-1])
    if drop_all <= totals[best]:
        return Static(0.0, drop_all, keep_all, drop_all)
    return Static(float(ages[best]), float(totals[best]), keep_all, drop_all)


def _after(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each row the sum of the rows after it."""
    return np.concatenate((np.cumsum(amounts[::-1])[::-1][1:], [0.0]))
