"""When each wait of a trace would move down: under a fixed idle threshold, or under one that a tuner moves.

Owns the replay of a trace through `EdgeTuner`, the object that the store uses. Prices nothing. Invariant: a tuned
threshold is used only from the moment of the retune that chose it on, so nothing of the future is in it; and equal
traces give equal schedules.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.policies.placement.edge import EdgeTuner
from stratakv.policies.placement.histogram import CLASSES
from stratakv.policies.simulation.trace import GET, PUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stratakv.policies.placement.edge import Retuned
    from stratakv.policies.placement.prices import EdgeCosts
    from stratakv.policies.simulation.cycles import Columns, Waits

    Floats = NDArray[np.float64]


class Seconds(NamedTuple):
    """The same idle seconds for every blob, as the configuration has them."""

    seconds: float


class BreakEvens(NamedTuple):
    """The same multiple of each blob's own break-even time. 0: move down at once; infinite: never."""

    units: float


class Tuned(NamedTuple):
    """Thresholds that a tuner moves.

    Attributes:
        retune_seconds: A retune is due after so many seconds, at the start earlier: after a quarter of the time so far.
        retune_requests: Or after so many requests, at the start after a quarter of those so far.
        learning_rate: See `EdgeTuner`.
        by_accesses: Whether the threshold depends on how often a blob was accessed, or only on its size.
        start: Break-even times until the first retune.
    """

    retune_seconds: float = 300.0
    retune_requests: int = 20_000
    learning_rate: float = 0.5
    by_accesses: bool = True
    start: float = 1.0


Idle = Seconds | BreakEvens | Tuned


class Decision(NamedTuple):
    """One retune and when it was."""

    at: float
    retuned: Retuned


class Schedule(NamedTuple):
    """For each wait when it would move down (infinite: not before it ended), and what was decided on the way."""

    drops: Floats
    decisions: list[Decision]


def schedule(columns: Columns, waits: Waits, costs: EdgeCosts, idle: Idle) -> Schedule:
    """Tell when each wait would move down over one edge.

    Args:
        columns: The trace, checked.
        waits: The same, cut.
        costs: Of the edge.
        idle: The rule.
    """
    if isinstance(idle, Tuned):
        return _tuned(columns, waits, costs, idle)
    stay: Floats | float = idle.seconds if isinstance(idle, Seconds) else _units(waits, costs, idle.units)
    drops = waits.start + stay
    return Schedule(np.where(drops < waits.end, drops, np.inf), [])


def _units(waits: Waits, costs: EdgeCosts, units: float) -> Floats:
    even = costs.break_even_each(waits.size)
    if units == 0:
        return np.zeros(len(even))
    if math.isinf(units) or costs.rent <= 0:
        return np.full(len(even), math.inf)
    return units * even


class RetuneClock:
    """When the next retune is due, by time and by requests.

    Args:
        times: Of all requests.
        idle: How often.
    """

    def __init__(self, times: Floats, idle: Tuned) -> None:
        self._times = times
        self._idle = idle
        self._first = self._last = float(times[0])
        self._last_request = 0

    def next(self) -> tuple[float, int] | None:
        """Return the time of the next retune and the number of requests before it; None after the last request."""
        interval = min(self._idle.retune_seconds, max((self._last - self._first) / 4, self._idle.retune_seconds / 1000))
        due = self._last + interval
        before = int(np.searchsorted(self._times, due, side="right"))
        by_requests = self._last_request + max(1, min(self._idle.retune_requests, self._last_request // 4))
        if before > by_requests:
            before, due = by_requests, float(self._times[by_requests - 1])
        if before >= len(self._times):
            return None
        self._last = due
        self._last_request = before
        return due, before


def _tuned(columns: Columns, waits: Waits, costs: EdgeCosts, idle: Tuned) -> Schedule:
    tuner = EdgeTuner(costs, start=idle.start, learning_rate=idle.learning_rate)
    even = costs.break_even_each(waits.size)
    drops = np.full(len(waits.start), np.inf)
    decisions: list[Decision] = []
    clock = RetuneClock(columns.ts, idle)
    now, request, wait = float(columns.ts[0]), 0, 0
    active = np.zeros(0, dtype=np.int64)
    while True:
        due = clock.next()
        until, next_request = (waits.finish, len(columns.ts)) if due is None else due
        next_wait = int(np.searchsorted(waits.request, next_request))
        active = np.concatenate((active, np.arange(wait, next_wait)))
        units = tuner.threshold.classes if idle.by_accesses else (tuner.threshold.pooled,) * CLASSES
        drop = np.maximum(now, waits.start[active] + np.array(units)[waits.classes[active]] * even[active])
        moves = (drop < waits.end[active]) & (drop <= until)
        drops[active[moves]] = drop[moves]
        active = active[~moves & (waits.end[active] > until)]
        _tell(tuner, columns, request, next_request)
        if due is None:
            return Schedule(drops, decisions)
        decisions.append(Decision(until, tuner.retune(until)))
        now, request, wait = until, next_request, next_wait


def _tell(tuner: EdgeTuner, columns: Columns, first: int, end: int) -> None:
    """Tell the tuner of the requests from one to another, of watched keys only."""
    chosen = first + np.flatnonzero((columns.hashes[first:end] & np.uint64(tuner.mask)) == 0)
    rows = (column[chosen].tolist() for column in (columns.hashes, columns.ts, columns.size, columns.op))
    for row in zip(*rows, strict=True):
        tell(tuner, *row)


def tell(tuner: EdgeTuner, key_hash: int, now: float, size: int, op: int) -> None:
    """Tell a tuner of one request."""
    if op == GET:
        tuner.access(key_hash, now, size)
    elif op == PUT:
        tuner.overwritten(key_hash, now, size)
    else:
        tuner.ended(key_hash, now)
