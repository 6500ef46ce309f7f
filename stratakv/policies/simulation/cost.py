"""What a timed trace costs in a store of three tiers, under idle thresholds that stay or that a tuner moves.

Owns the bill. Two edges: a blob leaves RAM after one idle time and the SSD after another; a read brings it back into
both. Controllable is what thresholds change: rent above the object store's, moves, requests and waiting. The floor is
what nothing changes: every blob's rent in the object store. Invariant: total = floor + controllable of both edges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.policies.placement.prices import (
    COLD_READ,
    GB,
    MONTH_SECONDS,
    WARM_READ,
    Prices,
    ReadTime,
    hot_to_warm,
    warm_to_cold,
)
from stratakv.policies.simulation.cycles import checked, cut
from stratakv.policies.simulation.hindsight import Static, best_static
from stratakv.policies.simulation.schedule import Decision, Idle, Seconds, schedule
from stratakv.policies.simulation.trace import GET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stratakv.policies.placement.prices import EdgeCosts
    from stratakv.policies.simulation.cycles import Waits

    Floats = NDArray[np.float64]
    Booleans = NDArray[np.bool_]
    Requests = Mapping[str, NDArray[np.generic]]

FOUNDING_HOT = Seconds(3_600.0)
FOUNDING_WARM = Seconds(86_400.0)


class EdgeBill(NamedTuple):
    """What one edge cost over a trace, in the currency of the prices.

    Attributes:
        rent: Of the upper tier, above that of the lower one.
        moves: Writing requests of what moved down.
        requests: Reading requests and transfer of what came back.
        latency: The waiting of whoever read what had moved down.
        moved: How many blobs moved down.
        returned: How many came back.
        waited: Seconds of waiting.
        decisions: Every retune; none where thresholds stay.
    """

    rent: float
    moves: float
    requests: float
    latency: float
    moved: int
    returned: int
    waited: float
    decisions: list[Decision]

    @property
    def controllable(self) -> float:
        """What another threshold could change."""
        return self.rent + self.moves + self.requests + self.latency


class CostReport(NamedTuple):
    """What a trace cost.

    Attributes:
        hot: The edge from RAM to SSD.
        warm: The edge from SSD to object store.
        floor: Rent that no threshold changes.
        reads: Requests that read.
        seconds: From the first request to the end.
    """

    hot: EdgeBill
    warm: EdgeBill
    floor: float
    reads: int
    seconds: float

    @property
    def controllable(self) -> float:
        """What thresholds can change, of both edges."""
        return self.hot.controllable + self.warm.controllable

    @property
    def total(self) -> float:
        """All of it."""
        return self.floor + self.controllable

    @property
    def mean_latency(self) -> float:
        """Seconds that a read waited for a lower tier, on average over all reads."""
        return (self.hot.waited + self.warm.waited) / max(1, self.reads)


class Hindsight(NamedTuple):
    """The best static thresholds of each edge, each as if the other edge did not matter."""

    hot: Static
    warm: Static


def simulate_cost(
    requests: Requests,
    prices: Prices,
    *,
    hot: Idle = FOUNDING_HOT,
    warm: Idle = FOUNDING_WARM,
    finish: float | None = None,
    warm_read: ReadTime = WARM_READ,
    cold_read: ReadTime = COLD_READ,
) -> CostReport:
    """Replay a timed trace and add up what it costs.

    A key's first request, be it a read, brings it into the store. A write is served by RAM, whatever lay below.

    Args:
        requests: `key`, `size` (bytes), `op` (0 get, 1 put, 2 delete), `ts` (seconds, not decreasing), of one length.
        prices: In one currency.
        hot: The rule for leaving RAM: `Seconds`, `BreakEvens` or `Tuned`.
        warm: The rule for leaving the SSD. A blob leaves it only when it has left RAM.
        finish: When the trace ends, in seconds; none: with its last request.
        warm_read: How long a read from the SSD takes.
        cold_read: How long a read from the object store takes.

    Raises:
        ConfigurationError: The columns cannot be used; the message says why.
    """
    columns = checked(requests)
    waits = cut(columns, finish)
    hot_costs, warm_costs = hot_to_warm(prices, warm_read), warm_to_cold(prices, cold_read)
    from_hot, from_warm = schedule(columns, waits, hot_costs, hot), schedule(columns, waits, warm_costs, warm)
    cold = np.maximum(from_warm.drops, from_hot.drops)
    in_cold = cold < waits.end
    in_warm = (from_hot.drops < waits.end) & ~in_cold
    stored = float((waits.size * waits.seconds).sum())
    return CostReport(
        hot=_bill(waits, hot_costs, from_hot.drops, in_warm, warm_read, from_hot.decisions),
        warm=_bill(waits, warm_costs, cold, in_cold, cold_read, from_warm.decisions),
        floor=stored * prices.object_gb_month / GB / MONTH_SECONDS,
        reads=int(np.count_nonzero(columns.op == GET)),
        seconds=waits.finish - float(columns.ts[0]),
    )


def hindsight(
    requests: Requests,
    prices: Prices,
    *,
    finish: float | None = None,
    warm_read: ReadTime = WARM_READ,
    cold_read: ReadTime = COLD_READ,
) -> Hindsight:
    """Return the best static thresholds of a trace that is over, found exactly, beside keeping and moving all.

    Args:
        requests: As for `simulate_cost`, and so are the others.
        prices: In one currency.
        finish: When the trace ends.
        warm_read: How long a read from the SSD takes.
        cold_read: How long a read from the object store takes.

    Raises:
        ConfigurationError: The columns cannot be used; the message says why.
    """
    waits = cut(checked(requests), finish)
    return Hindsight(
        best_static(waits, hot_to_warm(prices, warm_read)), best_static(waits, warm_to_cold(prices, cold_read))
    )


def edge_cost(waits: Waits, costs: EdgeCosts, drops: Floats) -> Floats:
    """Return the controllable cost of each wait at one edge.

    Args:
        waits: A trace, cut.
        costs: Of the edge.
        drops: When each wait moves down; infinite: not.
    """
    size = np.maximum(waits.size, 1).astype(np.float64)
    down = drops < waits.end
    rent = costs.rent * size * (np.minimum(drops, waits.end) - waits.start)
    back = costs.return_blob + costs.return_byte * size
    return rent + down * (costs.moving_blob + costs.moving_byte * size + back * waits.returned)


def _bill(
    waits: Waits, costs: EdgeCosts, drops: Floats, read_below: Booleans, read: ReadTime, decisions: list[Decision]
) -> EdgeBill:
    """Add up one edge; `read_below` tells of which waits a read would be served by this edge's lower tier."""
    size = np.maximum(waits.size, 1).astype(np.float64)
    down = drops < waits.end
    back = read_below & waits.returned
    wait_blob, wait_byte = costs.return_blob - costs.request, costs.return_byte - costs.transfer
    return EdgeBill(
        rent=float((costs.rent * size * (np.minimum(drops, waits.end) - waits.start)).sum()),
        moves=float((costs.moving_blob + costs.moving_byte * size[down]).sum()),
        requests=float((costs.request + costs.transfer * size[back]).sum()),
        latency=float((wait_blob + wait_byte * size[back]).sum()),
        moved=int(down.sum()),
        returned=int(back.sum()),
        waited=float((read.seconds + read.per_byte * size[back]).sum()),
        decisions=decisions,
    )
