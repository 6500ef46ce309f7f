"""A fixed budget of RAM divided between namespaces: at a shadow price of RAM at which what each would keep just fits.

Pure arithmetic on what `EdgeTuner` has seen. The budget is paid for, so its price says nothing; what counts is what a
byte of it saves. Each namespace's rent is weighed by the same factor, the shadow price over the real one, and each
keeps what is then worth its rent. No byte would save more elsewhere, as far as the curves tell. (Lagrange's multiplier
for a budget: Everett, "Generalized Lagrange multiplier method", Operations Research 11(3), 1963.) Invariant: the shares
add up to the budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.policies.placement.histogram import EDGES, AgeHistogram
from stratakv.policies.placement.threshold import Threshold, expected_costs, hazards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stratakv.policies.placement.prices import EdgeCosts

_LOWEST, _HIGHEST = 1e-9, 1e9
_STEPS = 60


class Claim(NamedTuple):
    """What is known of one namespace at the edge from RAM to SSD.

    Attributes:
        costs: Of the edge, with the namespace's own price of waiting.
        seen: `EdgeTuner.seen`.
        watched: The share of its keys that is watched: 1 / (mask + 1).
    """

    costs: EdgeCosts
    seen: AgeHistogram
    watched: float


class Share(NamedTuple):
    """What one namespace gets.

    Attributes:
        size: Bytes of RAM.
        threshold: What is worth keeping at the shadow price; evict what is oldest in units of it.
        reason: In plain English.
    """

    size: int
    threshold: Threshold
    reason: str


class Division(NamedTuple):
    """A budget divided.

    Attributes:
        price: The shadow price of RAM in times of its real one. Below 1, less RAM would do; above, more would pay.
        shares: By the numbers of the claims.
        reason: In plain English.
    """

    price: float
    shares: dict[int, Share]
    reason: str


class _Demand:
    """What a namespace would keep, at each shadow price."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self._footprints = footprints(claim)
        curves = expected_costs(hazards(claim.seen))
        self._rents, self._returns = curves.rents, curves.costs - curves.rents

    def wanted(self, price: float) -> float:
        """Return the bytes that the cheapest threshold for all blobs alike keeps."""
        return float(self._footprints[(price * self._rents[0] + self._returns[0]).argmin()])

    def units(self, price: float) -> list[float]:
        """Return the cheapest threshold for all blobs alike, and of each class."""
        return [float(EDGES[index]) for index in (price * self._rents + self._returns).argmin(axis=1)]

    def share(self, size: float, price: float, budget: int) -> Share:
        """Return a share of so many bytes, and its reason."""
        units = self.units(price)
        threshold = Threshold(self.claim.costs, units[0], tuple(units[1:]))
        reason = (
            f"{size:,.0f} of {budget:,} bytes: at {price:.3g} times the price of RAM it is worth keeping a value for "
            f"{units[0]:.3g} break-even times, which takes about {self.wanted(price):,.0f} bytes"
        )
        return Share(int(size), threshold, reason)


def footprints(claim: Claim) -> NDArray[np.float64]:
    """Return the bytes that a namespace keeps in RAM in the long run, for each threshold of `EDGES`.

    Waits that begin each second, times how long each stays. What lay there so far would say too little: a namespace
    that grows has not kept its share yet.
    """
    seconds = float(claim.seen.seconds[0])
    stays: NDArray[np.float64] = expected_costs(hazards(claim.seen)).rents[0]
    if not seconds or claim.costs.rent <= 0:
        return np.zeros_like(stays)
    return stays * (float(claim.seen.weight.sum()) / seconds / claim.watched / claim.costs.rent)


def divide(claims: Mapping[int, Claim], budget: int) -> Division:
    """Divide a budget of RAM.

    Namespaces of which nothing has been seen get equal parts of what the others leave.

    Args:
        claims: By number of namespace; not empty. All pay the same rent.
        budget: Bytes; positive.

    Raises:
        ValueError: There are no claims, or the budget is not positive.
    """
    if not claims or budget <= 0:
        raise ValueError(f"a budget to divide must be positive and have claims, not {budget} for {len(claims)}")
    demands = {number: _Demand(claims[number]) for number in sorted(claims)}

    def wanted(price: float) -> dict[int, float]:
        return {number: demand.wanted(price) for number, demand in demands.items()}

    cheap, dear = _LOWEST, _HIGHEST
    if sum(wanted(cheap).values()) > budget:
        for _ in range(_STEPS):
            middle = float(np.sqrt(cheap * dear))
            cheap, dear = (middle, dear) if sum(wanted(middle).values()) > budget else (cheap, middle)
    else:
        dear = cheap
    sizes = _fill(wanted(dear), wanted(cheap), budget)
    shares = {number: demand.share(sizes[number], dear, budget) for number, demand in demands.items()}
    worth = f"the last byte saves {dear:.3g} times the price of RAM" if dear > _LOWEST else "everything seen fits"
    return Division(dear, shares, f"{budget:,} bytes of RAM for {len(shares)} namespaces: {worth}")


def _fill(least: dict[int, float], most: dict[int, float], budget: int) -> dict[int, float]:
    """Return sizes that add up to the budget: at least those that fit, on the way to those that do not fit."""
    left = budget - sum(least.values())
    more = {number: max(0.0, most[number] - least[number]) for number in least}
    if not sum(more.values()):
        more = least if sum(least.values()) else dict.fromkeys(least, 1.0)
    total = sum(more.values())
    return {number: least[number] + left * more[number] / total for number in least}
