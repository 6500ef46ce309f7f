"""How near tuned idle thresholds come to hindsight, where something is at stake: the comparison that benchmarks print.

Owns the comparison and the clock for traces that were recorded without one. All costs are the controllable ones of one
edge, in times of the best static threshold of hindsight. Where keeping all or moving all at once is as good as the
best, every rule looks good and nothing is proved: such settings are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.policies.placement.prices import Prices, hot_to_warm, warm_to_cold
from stratakv.policies.simulation.cost import FOUNDING_HOT, FOUNDING_WARM, edge_cost
from stratakv.policies.simulation.cycles import checked, cut
from stratakv.policies.simulation.hindsight import best_static
from stratakv.policies.simulation.schedule import BreakEvens, Tuned, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from stratakv.policies.placement.prices import EdgeCosts
    from stratakv.policies.simulation.cycles import Columns, Waits
    from stratakv.policies.simulation.schedule import Idle

    Requests = Mapping[str, NDArray[np.generic]]

BLOCKED_SECONDS = (1e-5, 1e-3, 1e-2)
"""A thread, a GPU, a person."""

AT_STAKE = 1.15
"""Something is at stake where both simple rules cost so many times the best."""


class Comparison(NamedTuple):
    """One edge at one price of waiting. Costs are in times of the best static threshold of hindsight.

    Attributes:
        edge: `hot->warm` or `warm->cold`.
        blocked_second: What a second of whoever waits costs.
        units: The best static threshold, in break-even times.
        stake: The better of keeping all and moving all at once.
        tuned: Thresholds that are tuned by size and accesses.
        pooled: Thresholds that are tuned by size only.
        founding: 1 h from RAM, 24 h from the SSD.
        break_even: Each blob's own break-even time.
        retunes: How often the tuned one was retuned.
    """

    edge: str
    blocked_second: float
    units: float
    stake: float
    tuned: float
    pooled: float
    founding: float
    break_even: float
    retunes: int


def compare(
    requests: Requests,
    *,
    prices: Prices | None = None,
    blocked_seconds: Sequence[float] = BLOCKED_SECONDS,
    stake: float = AT_STAKE,
    tuned: Tuned | None = None,
    since: float | None = None,
) -> list[Comparison]:
    """Compare rules on both edges of a trace at several prices of waiting; where nothing is at stake there is no row.

    Args:
        requests: As for `simulate_cost`.
        prices: All but the price of waiting; none: the defaults.
        blocked_seconds: Prices of waiting.
        stake: See `AT_STAKE`; 0 leaves nothing out.
        tuned: How often and how quickly; none: as by default. `by_accesses` is ignored.
        since: Count only waits that begin from then on, and compare with the best of hindsight for those alone, such
            as for the second phase of joined traces; none: all.

    Raises:
        ConfigurationError: The columns cannot be used.
    """
    columns = checked(requests)
    waits = cut(columns)
    base = prices or Prices()
    rows: list[Comparison] = []
    for make, founding in ((hot_to_warm, FOUNDING_HOT), (warm_to_cold, FOUNDING_WARM)):
        for blocked_second in blocked_seconds:
            costs = make(base._replace(blocked_second=blocked_second))
            rows += _compared(columns, waits, costs, founding, blocked_second, stake, tuned or Tuned(), since)
    return rows


def _compared(
    columns: Columns,
    waits: Waits,
    costs: EdgeCosts,
    founding: Idle,
    blocked_second: float,
    stake: float,
    tuned: Tuned,
    since: float | None,
) -> Iterator[Comparison]:
    counted = waits.start >= (-np.inf if since is None else since)
    best = best_static(_only(waits, counted), costs)
    if best.cost <= 0 or best.stake < stake:
        return

    def cost(drops: NDArray[np.float64]) -> float:
        return float(edge_cost(waits, costs, drops)[counted].sum()) / best.cost

    by_accesses = schedule(columns, waits, costs, tuned._replace(by_accesses=True))
    yield Comparison(
        edge=costs.name,
        blocked_second=blocked_second,
        units=best.units,
        stake=best.stake,
        tuned=cost(by_accesses.drops),
        pooled=cost(schedule(columns, waits, costs, tuned._replace(by_accesses=False)).drops),
        founding=cost(schedule(columns, waits, costs, founding).drops),
        break_even=cost(schedule(columns, waits, costs, BreakEvens(1.0)).drops),
        retunes=len(by_accesses.decisions),
    )


def _only(waits: Waits, counted: NDArray[np.bool_]) -> Waits:
    return waits._replace(
        start=waits.start[counted],
        end=waits.end[counted],
        size=waits.size[counted],
        classes=waits.classes[counted],
        returned=waits.returned[counted],
        request=waits.request[counted],
    )


def timed(
    keys: NDArray[np.generic], seconds: float, *, sizes: NDArray[np.generic] | int, seed: int = 1
) -> dict[str, NDArray[np.generic]]:
    """Give reads that were recorded without a clock one: a Poisson process over a stated time.

    Args:
        keys: One for each request.
        seconds: From before the first request to the last.
        sizes: Bytes of each request's value, or of every value.
        seed: Of the gaps.
    """
    gaps = np.random.default_rng(seed).exponential(1.0, len(keys)).cumsum()
    return {
        "key": keys,
        "size": np.full(len(keys), sizes) if isinstance(sizes, int) else np.maximum(sizes, np.ones(1, sizes.dtype)),
        "op": np.zeros(len(keys), dtype=np.uint8),
        "ts": gaps * (seconds / gaps[-1]),
    }


def spread_sizes(keys: NDArray[np.generic], low: int = 1_000, high: int = 100_000) -> NDArray[np.int64]:
    """Give each key a size of its own between two bounds, evenly by octave, the same in every run."""
    columns = checked({"key": keys, "size": keys * 0, "op": keys * 0, "ts": np.zeros(len(keys))})
    share = (columns.hashes >> np.uint64(11)).astype(np.float64) / 2**53
    return (low * (high / low) ** share).astype(np.int64)


def joined(first: Requests, second: Requests) -> tuple[dict[str, NDArray[np.generic]], float]:
    """Return one trace after another, of other keys, and when the second begins."""
    start = float(first["ts"][-1])
    after = {name: np.asarray(second[name]) for name in ("key", "size", "op", "ts")}
    after["key"] = after["key"].astype(np.int64) + int(first["key"].max()) + 1
    after["ts"] = after["ts"].astype(np.float64) + (start - float(after["ts"][0]))
    return {name: np.concatenate((np.asarray(first[name]), after[name])) for name in after}, start
