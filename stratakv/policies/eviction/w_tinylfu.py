"""W-TinyLFU: newcomers pass through a small window and enter the main part only if used more often than its victim.

Owns the three queues and the share of the window. Leaves counting to `FrequencySketch` and never decides by size,
only accounts it. Invariant: each tracked key stands in exactly one of window, probation and protected, and the
bytes told of each are the sum of its entries' sizes.
"""

from __future__ import annotations

import math
import sys
from collections import OrderedDict
from typing import TYPE_CHECKING

from stratakv.policies.eviction.footprint import sizes_bytes
from stratakv.policies.eviction.logged_hits import LoggedHitsPolicy, first_but
from stratakv.policies.frequency_sketch import FrequencySketch

if TYPE_CHECKING:
    from collections.abc import Hashable

_FIRST_SKETCH_ENTRIES = 256
# Parts of the capacity, as Caffeine has them.
_FIRST_WINDOW = 0.01
_PROBATION = 0.2 * (1 - _FIRST_WINDOW)
# The climber: a sample's length in requests per entry, its first step as a part of the capacity, how a step
# shrinks, and the change of the hit ratio at which it starts anew with the first step.
_SAMPLE_PER_ENTRY = 10
_FIRST_STEP = 0.0625
_STEP_DECAY = 0.98
_RESTART = 0.05
# Bounds what one eviction moves for the sake of a new division.
_MOST_MOVES = 64
# A sketch for many more entries than there are is given back.
_SPARSE_SKETCH = 4


class WTinyLfuPolicy(LoggedHitsPolicy):
    """Window LRU, segmented LRU behind a frequency filter, and a window that adapts by hill climbing.

    Sources: Einziger, Friedman & Manes, "TinyLFU", ACM Transactions on Storage 13(4), 2017; Einziger, Eytan,
    Friedman & Manes, "Adaptive Software Cache Management", Middleware 2018; constants of Caffeine. The window
    starts at 1% of the capacity. After each 10 requests per entry it grows or shrinks: on in the same direction
    while the hit ratio rises, back when it falls, by steps of 6.25% of the capacity that shrink by 2% each.

    Unlike Caffeine's, uses within the window are not counted: they come in bursts and say little about later. And
    a new division moves no entries by itself; evictions follow it.

    An entry larger than the window leaves it for the contest at the next eviction. A tracked key takes about 100 to
    180 bytes, 16 to 32 of them for the sketch.
    """

    name = "w-tinylfu"

    def __init__(self, capacity: int) -> None:
        self._window_share = _FIRST_WINDOW
        super().__init__(capacity)
        self._window: OrderedDict[Hashable, int] = OrderedDict()
        self._probation: OrderedDict[Hashable, int] = OrderedDict()
        self._protected: OrderedDict[Hashable, int] = OrderedDict()
        self._window_size = self._protected_size = 0
        self._count = 0
        self._sketch = FrequencySketch(min(capacity, _FIRST_SKETCH_ENTRIES))
        self._step = -_FIRST_STEP
        self._sample_requests = self._sample_hits = 0
        self._last_hit_ratio = 0.0

    def insert(self, key: Hashable, size: int) -> None:
        if self._log:
            self._replay_hits()
        if self._held > self._budget:
            self._learn_budget()
        self._window[key] = size
        self._window_size += size
        self._held += size
        self._count += 1
        if self._count > self._sketch.entries:
            self._sketch = self._sketch.doubled()
        self._sketch.add(hash(key))
        self._sample_requests += 1
        if self._window_size > self._window_limit:
            self._fill_main()

    def reweigh(self, key: Hashable, size: int) -> None:
        for queue in (self._window, self._protected, self._probation):
            if key in queue:
                change = size - queue[key]
                queue[key] = size
                self._add_size(queue, change)

    def remove(self, key: Hashable) -> None:
        for queue in (self._window, self._protected, self._probation):
            if key in queue:
                self._add_size(queue, -queue.pop(key))
                self._count -= 1

    def evict(self, keep: Hashable | None = None) -> Hashable | None:
        if self._log:
            self._replay_hits()
        sample_size = self._sketch.sample_size = _SAMPLE_PER_ENTRY * (self._count or 1)
        if self._sample_requests >= sample_size:
            self._climb()
        victim = self._choose(keep)
        if victim is not None:
            self.remove(victim)
            self._learn_budget()
        return victim

    def _choose(self, keep: Hashable | None) -> Hashable | None:
        victim = first_but(self._probation, keep)
        if victim is None:
            victim = first_but(self._protected, keep)
        if victim is not None and self._window_size <= self._window_limit:
            return victim
        candidate = first_but(self._window, keep)
        if candidate is None or victim is None:
            return candidate if victim is None else victim
        estimate = self._sketch.estimate
        if estimate(hash(candidate)) <= estimate(hash(victim)):
            return candidate
        self._leave_window(candidate)
        return victim

    def _fill_main(self) -> None:
        """Move what is too much for the window on, without a contest, where main has room."""
        for _ in range(_MOST_MOVES):
            if self._window_size <= self._window_limit or len(self._window) == 1:
                return
            oldest = next(iter(self._window))
            main_size = self._held - self._window_size
            if main_size + self._window[oldest] > self._budget - self._window_limit:
                return
            self._leave_window(oldest)

    def _leave_window(self, key: Hashable) -> None:
        size = self._window.pop(key)
        self._window_size -= size
        self._probation[key] = size

    def _replay_hits(self) -> None:
        window, probation, protected = self._window, self._probation, self._protected
        add = self._sketch.add
        hits = 0
        for key in self._logged_hits():
            if key in protected:
                protected.move_to_end(key)
                add(hash(key))
            elif key in window:
                window.move_to_end(key)
            elif key in probation:
                self._promote(key)
                add(hash(key))
            else:
                continue
            hits += 1
        self._sample_hits += hits
        self._sample_requests += hits

    def _promote(self, key: Hashable) -> None:
        size = self._probation.pop(key)
        self._protected[key] = size
        self._protected_size += size
        for _ in range(_MOST_MOVES):
            if self._protected_size <= self._protected_limit:
                return
            demoted, size = self._protected.popitem(last=False)
            self._protected_size -= size
            self._probation[demoted] = size

    def _add_size(self, queue: OrderedDict[Hashable, int], size: int) -> None:
        self._held += size
        if queue is self._window:
            self._window_size += size
        elif queue is self._protected:
            self._protected_size += size

    def _divide(self, budget: int) -> None:
        super()._divide(budget)
        self._window_limit = max(1, int(self._window_share * self._budget))
        self._protected_limit = int((1 - _PROBATION - self._window_share) * self._budget)

    def _climb(self) -> None:
        hit_ratio = self._sample_hits / self._sample_requests
        change = hit_ratio - self._last_hit_ratio
        step = self._step if change >= 0 else -self._step
        self._window_share = min(max(self._window_share + step, 0.0), 1 - _PROBATION)
        self._step = math.copysign(_FIRST_STEP, step) if abs(change) >= _RESTART else step * _STEP_DECAY
        self._last_hit_ratio = hit_ratio
        self._sample_requests = self._sample_hits = 0
        self._divide(self._budget)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: object) -> bool:
        return key in self._window or key in self._probation or key in self._protected

    def shrink(self) -> None:
        self._window, self._probation = self._window.copy(), self._probation.copy()
        self._protected = self._protected.copy()
        if _SPARSE_SKETCH * (self._count + _FIRST_SKETCH_ENTRIES) < self._sketch.entries:
            self._sketch = FrequencySketch(self._count + _FIRST_SKETCH_ENTRIES)

    def overhead_bytes(self) -> int:
        queues = sys.getsizeof(self._window) + sys.getsizeof(self._probation) + sys.getsizeof(self._protected)
        sizes = sizes_bytes(self._count, self._held)
        return queues + sizes + sys.getsizeof(self._log) + self._sketch.overhead_bytes()
