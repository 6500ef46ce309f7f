"""Placement: how long a content may lie idle before it moves down a tier, by namespace and size.

Owns the thresholds that are in force. Where nothing was tuned they are the configured hours; what is tuned is a
function of the size, because a large content costs more rent and a return of it hardly more. Decides nothing itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.records import IN_HOT, IN_WARM
from stratakv.policies.placement.prices import Prices
from stratakv.policies.tuning.verdict import HOT, WARM, costs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.config import OptimizationConfig
    from stratakv.policies.placement.prices import EdgeCosts
    from stratakv.policies.tuning.idle_time import IdleTime

EDGES = {IN_HOT: HOT, IN_WARM: WARM}
"""The tier that is left -> the edge's name."""

SETTINGS = {
    IN_HOT: "tiered_storage.hot_to_warm_idle_hours",
    IN_WARM: "tiered_storage.warm_to_cold_idle_hours",
}
"""What configures each edge."""


def prices_of(config: OptimizationConfig) -> Prices:
    """Return the configured prices."""
    prices = config.adaptive.prices
    return Prices(
        prices.ram_gb_month, prices.ssd_gb_month, prices.object_gb_month, prices.put_per_1000, prices.get_per_1000,
        prices.transfer_gb, prices.blocked_second,
    )  # fmt: skip


class Placement:
    """The idle thresholds of one store.

    Args:
        config: Where they start, and where they stay in namespaces that are not tuned.
        name_of: Returns a namespace's name.
        remote: Whether the cold tier is far away.
    """

    def __init__(self, config: OptimizationConfig, name_of: Callable[[int], str], *, remote: bool) -> None:
        self._config = config
        self.remote = remote
        self._name_of = name_of
        self._prices = prices_of(config)
        tiered = config.tiered_storage
        self._configured = {
            IN_HOT: tiered.hot_to_warm_idle_hours * 3600,
            IN_WARM: tiered.warm_to_cold_idle_hours * 3600,
        }
        self._tuned: dict[tuple[int, int], IdleTime] = {}
        self._costs: dict[float, dict[str, EdgeCosts]] = {}

    def configured(self, tier: int) -> float:
        """Return the configured seconds for what leaves a tier."""
        return self._configured[tier]

    def seconds(self, tier: int, namespace: int, size: int, uses: int) -> float:
        """Return how many seconds a content may lie idle in a tier before it leaves it.

        Args:
            tier: Where it lies.
            namespace: Whose it is.
            size: Its bytes there.
            uses: How often it was read since it came there.
        """
        tuned = self._tuned.get((tier, namespace)) if self._tuned else None
        return self._configured[tier] if tuned is None else tuned.seconds(size, uses + 1)

    def wait_of(self, namespace: int) -> float:
        """Return what a second costs of whoever waits for a namespace's values."""
        rule = self._config.namespaces.get(self._name_of(namespace))
        own = rule.blocked_second if rule is not None else None
        return self._prices.blocked_second if own is None else own

    def break_even(self, tier: int, namespace: int, size: int) -> float:
        """Return after how many idle seconds in a tier the rent of a content has cost as much as its return would."""
        wait = self.wait_of(namespace)
        costs = self._costs.get(wait)
        if costs is None:
            costs = self._costs[wait] = costs_of(self._prices, wait, remote=self.remote)
        return costs[EDGES[tier]].break_even_seconds(size)

    def shortest(self, tier: int) -> float:
        """Return seconds that no threshold of a tier is below: what was used since then stays."""
        tuned = [idle.least for (leaves, _), idle in self._tuned.items() if leaves == tier]
        return min([self._configured[tier], *tuned])

    def is_tuned(self, tier: int, namespace: int) -> bool:
        """Tell whether a namespace's threshold is another one than the configured."""
        return (tier, namespace) in self._tuned

    def set(self, tier: int, namespace: int, idle: IdleTime | None) -> None:
        """Put a tuned threshold in force; None for the configured one."""
        tuned = dict(self._tuned)  # readers on other threads see the old table or the new one
        if idle is None:
            tuned.pop((tier, namespace), None)
        else:
            tuned[tier, namespace] = idle
        self._tuned = tuned
