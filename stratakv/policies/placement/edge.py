"""`EdgeTuner`: watches the accesses of one namespace at one edge, and retunes its idle threshold.

Owns the bookkeeping of one edge: samples, histograms, their forgetting, and the explanation of each change. It reads
no clock and takes no lock: times are told, and one thread calls at a time. Invariant: equal calls lead to equal
thresholds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stratakv.errors import StrataError
from stratakv.policies.placement.explanation import explain
from stratakv.policies.placement.histogram import CLASSES, LONGEST, AgeHistogram, access_classes
from stratakv.policies.placement.samples import LIMIT, Samples
from stratakv.policies.placement.threshold import HYSTERESIS, Curves, Threshold, choose, expected_costs, hazards

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from stratakv.policies.placement.prices import EdgeCosts
    from stratakv.policies.placement.samples import Waiting

    Floats = NDArray[np.float64]

MEMORY_SECONDS = 6 * 3600.0
"""Past is forgotten by the slower of so many seconds ..."""

MEMORY_EVENTS = 20_000.0
"""... and so many watched waits that ended."""

_FLUSH = 5 * 4_096
_LEAST_PRICE, _LARGEST_PRICE = 1e-30, 1e30


class Retuned(NamedTuple):
    """What a retune did.

    Attributes:
        threshold: The one that holds from now on.
        changed: Whether it is another one than before.
        before: Expected cost of one wait at the old threshold, in returns.
        after: The same at the new one.
        reason: In plain English.
    """

    threshold: Threshold
    changed: bool
    before: float
    after: float
    reason: str


class EdgeTuner:
    """The idle threshold of one namespace at one edge.

    Args:
        costs: Of the edge.
        start: The threshold until the first retune, in break-even times.
        learning_rate: How far the histograms that decide go towards those measured, at each retune; above 0, to 1.
        limit: How many keys are watched at most.

    Attributes:
        costs: Of the edge.
        threshold: The one that holds now.

    Raises:
        ValueError: The learning rate or the limit is out of range.
    """

    __slots__ = (
        "_at_stake",
        "_decisive",
        "_first",
        "_learning_rate",
        "_logged",
        "_measured",
        "_news",
        "_samples",
        "costs",
        "threshold",
    )

    def __init__(self, costs: EdgeCosts, *, start: float = 1.0, learning_rate: float = 0.5, limit: int = LIMIT) -> None:
        if not 0 < learning_rate <= 1:
            raise ValueError(f"a learning rate is above 0, and 1 at the most, not {learning_rate}")
        self.costs = costs
        # Prices beyond all reason have no threshold that could be reckoned: what holds stays.
        self._at_stake = all(_LEAST_PRICE < price < _LARGEST_PRICE for price in (costs.rent, costs.returning(1)))
        self._learning_rate = learning_rate
        self._samples = Samples(limit)
        self._measured = AgeHistogram()
        self._decisive: AgeHistogram | None = None
        self._first = math.inf
        self._logged = -math.inf
        self._news = 0
        self.threshold = Threshold(costs, start, (start,) * CLASSES)

    @property
    def mask(self) -> int:
        """A key is watched if `key_hash & mask == 0`. Callers need not tell of others; it changes now and then."""
        return self._samples.mask

    @property
    def limit(self) -> int:
        """How many keys are watched at most."""
        return self._samples.limit

    @limit.setter
    def limit(self, keys: int) -> None:
        self._samples.limit = keys

    @property
    def watched(self) -> int:
        """How many keys are watched now."""
        return len(self._samples)

    @property
    def events(self) -> float:
        """How many watched waits that ended stand behind the threshold, old ones in part."""
        return float(self._measured.events.sum())

    @property
    def seen(self) -> AgeHistogram:
        """What decides: the histograms as of the last retune."""
        return self._measured if self._decisive is None else self._decisive

    def samples(self, key_hash: int) -> bool:
        """Tell whether a key is watched."""
        return key_hash & self._samples.mask == 0

    def access(self, key_hash: int, now: float, size: int) -> None:
        """A key was read, or is new.

        Args:
            key_hash: Equal in every run; its low bits must be well mixed.
            now: Seconds, of a clock that goes on while the process does not run if `to_state` is to be restored.
            size: Bytes of the value.
        """
        if key_hash & self._samples.mask == 0 and self._at_stake:
            self._samples.touch(key_hash, now, size, 1.0)
            self._make_room()

    def overwritten(self, key_hash: int, now: float, size: int) -> None:
        """A key got another value, of `size` bytes: the wait is over without a return, and a new one begins."""
        if key_hash & self._samples.mask == 0 and self._at_stake:
            self._samples.touch(key_hash, now, size, 0.0)
            self._make_room()

    def ended(self, key_hash: int, now: float) -> None:
        """A key was deleted."""
        if key_hash & self._samples.mask == 0:
            self._samples.end(key_hash, now)

    def held(self, stays: Callable[[int], float]) -> float:
        """Return the bytes of all keys that are younger than a threshold, from the watched ones, at the last retune.

        Args:
            stays: Tells for a size how many idle seconds a blob stays.
        """
        waiting = self._samples.waiting()
        young = self._logged - waiting.last
        held = sum(size for size, age in zip(waiting.sizes.tolist(), young.tolist(), strict=True) if age <= stays(size))
        return float(held * (self.mask + 1))

    def retune(self, now: float, rent_weight: float = 1.0) -> Retuned:
        """Choose the threshold anew from all that was told until now.

        Args:
            now: Seconds.
            rent_weight: What a unit of rent counts, such as the shadow price of RAM over its price.
        """
        self._take_in()
        self._log_waiting(now)
        self._forget(now)
        self._logged = now
        if self._decisive is None:
            self._decisive = AgeHistogram()
            self._decisive.approach(self._measured, 1.0)
        else:
            self._decisive.approach(self._measured, self._learning_rate)
        return self._choose(self._decisive, rent_weight)

    def _choose(self, histogram: AgeHistogram, rent_weight: float) -> Retuned:
        if not self._at_stake:
            reason = explain(histogram, self.threshold, self.threshold, 0.0, 0.0)
            return Retuned(self.threshold, changed=False, before=0.0, after=0.0, reason=reason)
        curves = expected_costs(hazards(histogram), rent_weight)
        old = self.threshold
        before = (old.pooled, *old.classes)
        after = [_settled(curves, group, before[group]) for group in range(CLASSES + 1)]
        new = self.threshold = Threshold(self.costs, after[0], tuple(after[1:]))
        total = float(histogram.weight.sum())
        weights = histogram.weight / total if total else np.full(CLASSES, 1 / CLASSES)
        cost_before, cost_after = (
            sum(float(weights[number]) * curves.cost(number + 1, units[number + 1]) for number in range(CLASSES))
            for units in (before, after)
        )
        reason = explain(histogram, old, new, cost_before, cost_after)
        return Retuned(new, new != old, cost_before, cost_after, reason)

    def _make_room(self) -> None:
        samples = self._samples
        if samples.crowded():
            self._take_in()
            samples.thin()
            self._measured.resample(0.5)
        elif len(samples.log) >= _FLUSH:
            self._take_in()

    def _take_in(self) -> None:
        """Log the waits that are over, for the time since the waiting was logged last."""
        if not self._samples.log:
            return
        waited, at, returned = self._samples.take_finished()
        self._news += len(at)
        classes, ages, weights = self._log(waited, at)
        self._measured.end(classes, ages, weights, returned)

    def _log_waiting(self, now: float) -> None:
        """Log the waits that go on, so that long ones count before they end."""
        waiting = self._samples.waiting()
        if len(waiting.last):
            self._log(waiting, np.full(len(waiting.last), now))
            # What waits longer than the last bucket has nothing more to tell.
            self._samples.leave(now - LONGEST * self.costs.break_even_each(waiting.sizes))
        if self._samples.widen():
            self._measured.resample(2.0)

    def _log(self, waited: Waiting, until: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
        even = self.costs.break_even_each(waited.sizes)
        weights = self.costs.return_blob + self.costs.return_byte * waited.sizes
        classes = access_classes(waited.accesses)
        self._first = min(self._first, float(waited.last.min()))
        new = waited.last > self._logged
        moving = self.costs.moving_blob + self.costs.moving_byte * waited.sizes
        self._measured.begin(classes[new], weights[new], moving[new])
        ages = np.maximum(until - waited.last, 0.0) / even
        since = np.minimum(np.maximum(self._logged - waited.last, 0.0) / even, ages)
        self._measured.wait(classes, since, ages, weights)
        return classes, ages, weights

    def _forget(self, now: float) -> None:
        since = self._logged if self._logged > -math.inf else min(self._first, now)
        seconds = max(0.0, now - since)
        self._measured.seconds += seconds
        if self._logged > -math.inf:
            self._measured.forget(math.exp(-min(seconds / MEMORY_SECONDS, self._news / MEMORY_EVENTS)))
        self._news = 0

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `to_state` returned, perhaps in another process. What was told before is forgotten.

        Raises:
            StrataError: The state is of another edge or form, or damaged; nothing has changed.
        """
        units = _units_of(state, self.costs.name)
        measured = AgeHistogram.from_state(state.get("measured"))
        self.threshold = Threshold(self.costs, units[0], tuple(units[1:]))
        self._measured = measured
        self._decisive = AgeHistogram()
        self._decisive.approach(measured, 1.0)
        self._samples = Samples(self.limit)
        self._first = math.inf
        self._logged = -math.inf
        self._news = 0

    def to_state(self) -> dict[str, Any]:
        """Return plain data that JSON can hold: thresholds and histograms. What waits now is not in it."""
        self._take_in()
        return {
            "edge": self.costs.name,
            "pooled": self.threshold.pooled,
            "classes": list(self.threshold.classes),
            "measured": self._measured.to_state(),
        }


def _settled(curves: Curves, group: int, old: float) -> float:
    new = choose(curves, group)
    return old if curves.cost(group, old) <= curves.cost(group, new) * (1 + HYSTERESIS) else new


def _units_of(state: dict[str, Any], edge: str) -> list[float]:
    units = [state.get("pooled"), *(state.get("classes") or [])]
    numbers = [float(each) for each in units if isinstance(each, int | float) and 0 <= each < math.inf]
    if state.get("edge") != edge or len(numbers) != CLASSES + 1:
        raise StrataError(f"what was learnt of the edge {edge} is of another edge, or damaged: it starts anew")
    return numbers
