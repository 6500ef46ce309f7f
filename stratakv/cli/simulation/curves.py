"""Owns which capacities a picture shows, and the hit ratios at each of them.

Long traces are replayed by a sample of their keys, so a curve is an estimate there; what the user asked for is exact
and stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratakv.policies.simulation.curve import miss_ratio_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratakv.cli.progress import Steps
    from stratakv.cli.simulation.runs import Result
    from stratakv.policies.simulation.trace import Trace

POINTS = 14
# A curve begins at this share of what all objects take, or lower where less is asked for.
_BEGINNING = 0.002

Spot = tuple[int, float, float]
"""A capacity, the hit ratio and the byte hit ratio there."""


@dataclass(frozen=True)
class Curve:
    """What one policy makes of more room.

    Attributes:
        policy: Its name.
        line: From little room to room for everything; estimates, or where all is exact `asked` is part of it.
        asked: Exact figures at the capacities that were asked for.
    """

    policy: str
    line: list[Spot]
    asked: list[Spot]


@dataclass(frozen=True)
class Panel:
    """All curves of one trace.

    Attributes:
        trace: The trace.
        by_bytes: Whether capacities are bytes, else objects.
        curves: One for each policy.
        is_sampled: Whether lines are estimates from a sample.
    """

    trace: Trace
    by_bytes: bool
    curves: list[Curve]
    is_sampled: bool


def find_curves(results: Sequence[Result], steps: Steps) -> list[Panel]:
    """Find the curves of all traces that have gets, for the policies of these exact results.

    Raises:
        StrataError: A policy failed.
    """
    by_trace: dict[Trace, dict[str, list[Result]]] = {}
    for result in results:
        if result.run.trace.gets:
            policies = by_trace.setdefault(result.run.trace, {})
            policies.setdefault(result.run.cache.policy, []).append(result)
    total = POINTS * sum(len(policies) for policies in by_trace.values())
    done = 0
    panels = []
    for trace, policies in by_trace.items():
        curves = []
        is_sampled = False
        for policy, exact in policies.items():
            cache = exact[0].run.cache
            asked = [result.run.capacity for result in exact]
            line: list[Spot] = []
            room = _capacities(trace, asked, by_bytes=cache.by_bytes)
            for point in miss_ratio_curve(cache.run, trace, room, by_bytes=cache.by_bytes):
                line.append((point.capacity, 1 - point.miss_ratio, 1 - point.byte_miss_ratio))
                is_sampled |= point.rate < 1
                steps.show("drawing curves", done + len(line), total)
            done += POINTS
            spots = [_spot(result) for result in exact]
            curves.append(Curve(policy, line if is_sampled else sorted({*line, *spots}), spots))
        panels.append(Panel(trace, cache.by_bytes, curves, is_sampled))
    return panels


def _spot(result: Result) -> Spot:
    outcome = result.outcome
    return result.run.capacity, outcome.hit_ratio or 0.0, outcome.byte_hit_ratio or 0.0


def _capacities(trace: Trace, asked: list[int], *, by_bytes: bool) -> list[int]:
    """Return capacities in even steps of a logarithmic scale, from little room to room for everything."""
    whole = max(1, trace.object_bytes if by_bytes else trace.objects, *asked)
    least = max(1.0, min(whole * _BEGINNING, min(asked) / 2))
    step = (whole / least) ** (1 / (POINTS - 1))
    return list(dict.fromkeys(round(least * step**place) for place in range(POINTS)))
