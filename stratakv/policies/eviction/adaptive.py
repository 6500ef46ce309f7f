"""`AdaptivePolicy`: S3+ whose small queue takes the share that misses least on the load as it is now.

Owns which requests the shadows see and when the share changes. Never rebuilds the cache: a change moves the
boundary between small and main, and evictions carry the entries over. Invariant: the log of hits is bounded,
and only calls under the owner's lock take from it.

A hit costs a look-up and, while the entry's counter is below 3, a bump; for sampled keys always a bump and a note
in the log. All of it goes without a lock. The notes are read in batches at insertions.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TYPE_CHECKING

from stratakv.policies.eviction.ghosts import MARK_BITS, mark_of
from stratakv.policies.eviction.s3_plus import MOST_USES, Objective, S3PlusPolicy
from stratakv.policies.eviction.shadows import SHARES, Contest

if TYPE_CHECKING:
    from collections.abc import Hashable

# A shadow holds 128 keys at least, so its misses say something, and 320 at most, so it costs little: with 256 the
# mean hit ratio is 0.05 points higher, and the shadows cost twice as much.
_SHADOW_KEYS = 128
_BATCH = 32
_SHARES_WITH_SIZES = 2
# A longer log loses its oldest notes: only a spell of hits without an insertion gets there. It bounds what an
# insertion has to read, to a fraction of a millisecond.
_LONGEST_LOG = 512
_ALL = 1 << MARK_BITS
# The counter of a sampled entry goes on, so that each of its hits is noted: shadows that saw only the first few
# would not know what the others lose on entries that this cache keeps.
_NEVER = 1 << 62


class AdaptivePolicy(S3PlusPolicy):
    """S3+ that follows the best of four key-only shadows with small queues of 2, 8, 30 and 95%.

    Memory: as `S3PlusPolicy`, and 0.2 to 0.4 MB for the shadows; with fewer than 256 entries, 1.6 kB for each.

    Where sizes differ much (standard deviation above half the mean), the share changes between 2 and 8% only.

    Args:
        capacity: As for `S3PlusPolicy`.
        objective: As for `S3PlusPolicy`.
    """

    name = "adaptive"

    def __init__(self, capacity: int, objective: Objective = "objects") -> None:
        super().__init__(capacity, objective)
        self._contest = Contest()
        self._divide(SHARES[self._contest.choice])
        self._log: deque[int] = deque(maxlen=_LONGEST_LOG)
        self._rate = 0
        self._limit = _ALL

    @property
    def small_share(self) -> float:
        """The part of the capacity that new entries are tried in, 0 to 1."""
        return self._share

    @property
    def switches(self) -> int:
        """How often the share changed."""
        return self._contest.switches

    def hit(self, key: Hashable) -> None:
        try:
            entry = self._table[key]
        except KeyError:
            return
        if entry.hits < entry.hit_limit:
            entry.hits += 1
            if entry.hit_limit > MOST_USES:
                self._log.append(entry.mark)

    def insert(self, key: Hashable, size: int) -> None:
        mark = mark_of(key)
        if mark < self._limit:
            self._enter(key, mark, size, _NEVER)
            self._log.append(mark)
        else:
            self._enter(key, mark, size, MOST_USES)
        if len(self._log) >= _BATCH:
            self._learn()
        elif not self._contest.keys:
            self._plan()

    def set_capacity(self, capacity: int) -> None:
        super().set_capacity(capacity)
        if self._contest.keys:
            self._plan()

    def explain(self) -> dict[str, object]:
        """Return the present share, each shadow's recent misses and the reason for the share, in words."""
        contest = self._contest
        return {
            "small_share": self._share,
            "switches": contest.switches,
            "contested_requests": contest.contested,
            "keys_per_shadow": contest.keys,
            "sampled": 2.0**-self._rate,
            "recent_misses": {f"{share:.0%}": round(n, 1) for share, n in zip(SHARES, contest.misses, strict=True)},
            "why": self._reason(),
        }

    def overhead_bytes(self) -> int:
        log = sys.getsizeof(self._log)
        return super().overhead_bytes() + log + self._contest.overhead_bytes()

    def _learn(self) -> None:
        """Let the shadows see the notes taken so far."""
        self._plan()
        log, contest = self._log, self._contest
        # Hits on other threads may add notes meanwhile; those are for the next time.
        for _ in range(len(log)):
            mark = log.popleft()
            if mark < self._limit and contest.request(mark):
                self._divide(SHARES[contest.choice])

    def _plan(self) -> None:
        """Fit sampling and shadows to the number of keys that the cache holds when it is full."""
        keys = len(self._table)
        if self._is_filling:
            keys = keys * self.capacity // max(1, self._small.total + self._main.total)
        contest = self._contest
        # The shadows know no sizes, so where those differ much they are trusted with small steps only.
        contest.allowed = _SHARES_WITH_SIZES if self._are_sizes_dispersed() else len(SHARES)
        slack = 1.25 if contest.keys else 1.0
        while keys >> self._rate >= 2 * _SHADOW_KEYS * slack:
            self._rate += 1
            self._limit >>= 1
            contest.keep_below(self._limit)
        while self._rate and keys >> self._rate < _SHADOW_KEYS / slack:
            self._rate -= 1
            self._limit <<= 1
        wanted = max(1, keys >> self._rate)
        if 10 * abs(wanted - contest.keys) >= contest.keys:
            contest.resize(wanted)

    def _reason(self) -> str:
        contest = self._contest
        rivals = [index for index in range(contest.allowed) if index != contest.choice]
        rival = max(rivals, key=lambda index: contest.lead(index) - contest.needed(index))
        return (
            f"a small queue of {self._share:.0%} stays: the nearest rival, {SHARES[rival]:.0%}, had "
            f"{contest.lead(rival):.1f} misses fewer lately in its shadow and would need {contest.needed(rival):.1f}"
        )
