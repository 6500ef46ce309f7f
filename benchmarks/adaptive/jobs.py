"""Owns the replays: thresholds over one setting, and ways to share a RAM. Each is a row of plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.policies.placement.prices import Prices
from stratakv.policies.simulation.namespaces import GLOBAL_LRU, OLDEST, SHARES, simulate_namespaces
from stratakv.policies.simulation.schedule import Tuned
from stratakv.policies.simulation.stakes import compare

if TYPE_CHECKING:
    from benchmarks.adaptive.settings import Ram, Setting

Row = dict[str, Any]

WAYS = {
    "oldest in units": (OLDEST, "lru"),
    "shares, lru": (SHARES, "lru"),
    "shares, adaptive": (SHARES, "adaptive"),
}
"""Ways to share a RAM, and the eviction policy of each namespace."""


def thresholds(setting: Setting) -> list[Row]:
    """Compare rules on both edges at all prices of waiting; where nothing is at stake there is no row."""
    requests, since = setting.requests()
    tuned = Tuned(retune_seconds=setting.retune_seconds)
    about = {"trace": setting.name, "span": setting.span, "sizes": setting.sizes, "requests": len(requests["key"])}
    return [{**about, **row._asdict()} for row in compare(requests, tuned=tuned, since=since)]


def ram(setting: Ram) -> list[Row]:
    """Replay one RAM under all ways to share it; costs are in times of one global LRU's."""
    requests, budget = setting.requests()
    prices = [Prices(blocked_second=part.blocked_second) for part, _ in setting.parts]
    base = simulate_namespaces(requests, prices, budget, way=GLOBAL_LRU)
    row: Row = {"namespaces": setting.name, "share": setting.share, "requests": len(requests["key"])}
    for name, (way, policy) in WAYS.items():
        report = simulate_namespaces(requests, prices, budget, way=way, policy=policy)
        row[name] = report.cost / base.cost if base.cost else 1.0
    return [row]
