"""Several namespaces in a fixed number of bytes of RAM: what their returns from the SSD cost, by who gives way.

Owns the replay and its bill; the caches stand in `fixed_ram`. RAM is paid for, so only returns cost. Invariant: a
division is used only from the moment on that it was made, so nothing of the future is in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.errors import ConfigurationError
from stratakv.policies.placement.division import Claim, Division, divide
from stratakv.policies.placement.edge import EdgeTuner
from stratakv.policies.placement.prices import WARM_READ, ReadTime, hot_to_warm
from stratakv.policies.simulation.cycles import checked
from stratakv.policies.simulation.fixed_ram import FixedRam, GlobalLru, OldestInUnits, Shares
from stratakv.policies.simulation.schedule import RetuneClock, Tuned, tell
from stratakv.policies.simulation.trace import DELETE, GET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stratakv.policies.placement.prices import EdgeCosts, Prices
    from stratakv.policies.simulation.cycles import Columns

GLOBAL_LRU, OLDEST, SHARES = "global lru", "oldest in units", "shares"
WAYS = (GLOBAL_LRU, OLDEST, SHARES)


class RamReport(NamedTuple):
    """What a trace cost in a fixed RAM.

    Attributes:
        cost: Of all returns from the SSD, in the currency of the prices.
        returns: How many there were.
        by_namespace: What each namespace's returns cost.
        last: The last division; None under one global LRU.
    """

    cost: float
    returns: int
    by_namespace: list[float]
    last: Division | None


def simulate_namespaces(
    requests: Mapping[str, NDArray[np.generic]],
    prices: Sequence[Prices],
    budget: int,
    *,
    way: str = SHARES,
    policy: str = "lru",
    tuned: Tuned | None = None,
    read: ReadTime = WARM_READ,
) -> RamReport:
    """Replay a timed trace of several namespaces through one RAM of fixed size.

    Args:
        requests: As for `simulate_cost`, and `namespace`: 0 to the number of prices. A key belongs to one namespace.
        prices: For each namespace; they may differ in what a blocked second costs.
        budget: Bytes.
        way: Who gives way: one of `WAYS`.
        policy: The eviction policy of each namespace, where they have shares.
        tuned: When to divide anew; none: as by default.
        read: How long a read from the SSD takes.

    Raises:
        ConfigurationError: The columns, the budget or the way cannot be used.
    """
    columns = checked(requests)
    namespace = np.asarray(requests.get("namespace", np.zeros(0))).astype(np.int64)
    if len(namespace) != len(columns.key) or ((namespace < 0) | (namespace >= len(prices))).any():
        raise ConfigurationError("each request needs a namespace between 0 and the number of prices")
    if budget <= 0:
        raise ConfigurationError(f"a fixed RAM needs a positive number of bytes, not {budget}")
    costs = [hot_to_warm(each, read) for each in prices]
    replay = _Replay(columns, namespace, costs, _cache(way, budget, len(prices), policy))
    if way == GLOBAL_LRU:
        replay.run(0, len(columns.key))
        return replay.report(None)
    return replay.divided(tuned or Tuned(), budget)


def _cache(way: str, budget: int, namespaces: int, policy: str) -> FixedRam:
    if way == GLOBAL_LRU:
        return GlobalLru(budget)
    if way == OLDEST:
        return OldestInUnits(budget)
    if way == SHARES:
        return Shares(budget, namespaces, policy)
    raise ConfigurationError(f"unknown way to share RAM {way!r}: known are {', '.join(WAYS)}")


class _Replay:
    """One trace on its way through one cache."""

    def __init__(self, columns: Columns, namespace: NDArray[np.int64], costs: list[EdgeCosts], cache: FixedRam) -> None:
        self._columns = columns
        self._namespace = namespace
        self._costs = costs
        self._cache = cache
        self._accesses: dict[int, int] = {}
        self._spent = [0.0] * len(costs)
        self._returns = 0

    def divided(self, tuned: Tuned, budget: int) -> RamReport:
        """Replay all, divide whenever it is due."""
        tuners = [EdgeTuner(costs, learning_rate=tuned.learning_rate) for costs in self._costs]
        clock = RetuneClock(self._columns.ts, tuned)
        division, first = None, 0
        while (due := clock.next()) is not None:
            at, end = due
            self.run(first, end, tuners)
            first = end
            for tuner in tuners:
                tuner.retune(at)
            claims = {
                number: Claim(tuner.costs, tuner.seen, 1 / (tuner.mask + 1)) for number, tuner in enumerate(tuners)
            }
            division = divide(claims, budget)
            self._cache.divided(division)
        self.run(first, len(self._columns.key), tuners)
        return self.report(division)

    def run(self, first: int, end: int, tuners: Sequence[EdgeTuner] = ()) -> None:
        """Replay the requests from one to another."""
        columns = (*self._columns, self._namespace)
        rows = zip(*(column[first:end].tolist() for column in columns), strict=True)
        for key, size, op, now, key_hash, namespace in rows:
            if tuners:
                tell(tuners[namespace], key_hash, now, size, op)
            if op == DELETE:
                self._cache.remove(key)
                self._accesses.pop(key, None)
                continue
            accesses = self._accesses.get(key, 0) + 1
            self._accesses[key] = accesses
            there = self._cache.touch(key, namespace, max(1, size), accesses, now)
            if op == GET and accesses > 1 and not there:
                self._returns += 1
                self._spent[namespace] += self._costs[namespace].returning(size)

    def report(self, last: Division | None) -> RamReport:
        return RamReport(sum(self._spent), self._returns, self._spent, last)
