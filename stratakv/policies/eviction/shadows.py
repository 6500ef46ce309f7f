"""`Contest`: four small copies of the cache that show which share of it the small queue should have.

Owns what other shares would have missed. Holds marks (hashes of 32 bits), no keys and no sizes. Invariant: all
shadows have seen the same requests and hold as many marks, so their misses can be compared.

The misses of a whole policy are compared, not hits of its ghosts: those say where an entry was lost, not what it
would have cost to keep it (steering by them, as ARC does, loses up to 16 points on changing loads).
"""

from __future__ import annotations

import sys
from collections import deque

# The larger the small queue, the more the cache goes by recency; 2% resists scans and loops, 95% is close to
# least recently used. Steps of about four: between neighbours the hit ratio changes little.
SHARES = (0.02, 0.08, 0.30, 0.95)

# What it takes to change the share: a lead of a few misses, more than chance gives, and in proportion to the
# capacity where the small queue would grow, since main's proven entries are lost by it and come back slowly.
_LEAD = 4
_LEAD_PER_KEY = 0.03
_LEAD_RATIO = 1.01
# Misses are forgotten over twice as many contested requests as a shadow holds keys.
_MEMORY_PER_KEY = 2
_GHOSTS_PER_KEY = 2

# Where a mark stands in all shadows is one number, its state, with three bits for each shadow: 0 where the shadow
# lacks it, else 1 more than its uses there, 4 at most. So a request that all shadows hold costs one look-up.
_BITS = 3
_MOST = 4
_PROVEN = 3
_ALL_STATES = range(1 << _BITS * len(SHARES))


def _field(state: int, index: int) -> int:
    return state >> _BITS * index & (1 << _BITS) - 1


def _used(state: int) -> int:
    fields = [_field(state, index) for index in range(len(SHARES))]
    return sum(min(field + 1, _MOST) << _BITS * index for index, field in enumerate(fields) if field)


_USED = tuple(_used(state) for state in _ALL_STATES)
_MISSING = tuple(tuple(index for index in range(len(SHARES)) if not _field(state, index)) for state in _ALL_STATES)


class _Shadow:
    """S3+ of equal sizes over marks (see `s3_plus.py`), with one share. Its uses stand in the states of all."""

    __slots__ = (
        "_clock",
        "_ghost_times",
        "_ghosts",
        "_is_filling",
        "_keys",
        "_main",
        "_mask",
        "_one",
        "_small",
        "_states",
        "_target",
        "_times",
    )

    def __init__(self, index: int, states: dict[int, int]) -> None:
        self._states = states
        self._one = 1 << _BITS * index
        self._mask = self._one * ((1 << _BITS) - 1)
        self._keys = 1
        self._target = 1
        self._small: deque[int] = deque()
        self._main: deque[int] = deque()
        self._ghosts: deque[int] = deque()
        self._ghost_times: deque[int] = deque()
        # When a mark in the queues was last put there, or a ghost came in.
        self._times: dict[int, int] = {}
        self._clock = 0
        self._is_filling = True

    def enter(self, mark: int) -> None:
        """Take in a mark that is missing here."""
        small, main, times = self._small, self._main, self._times
        self._clock = clock = self._clock + 1
        came = times.get(mark)
        times[mark] = clock
        # A shadow of a few keys may have let it go again before this one takes it in.
        self._states[mark] = self._states.get(mark, 0) + self._one
        if came is not None and (not main or came > times[main[0]]):
            main.append(mark)
        else:
            small.append(mark)
            if self._is_filling and len(small) > self._target:
                overflow = small.popleft()
                self._clock += 1
                times[overflow] = self._clock
                main.append(overflow)
        if len(small) + len(main) > self._keys:
            self._evict()

    def resize(self, keys: int, target: int) -> None:
        """Hold that many marks from now on, `target` of them in the small queue."""
        self._keys = keys
        self._target = target
        while len(self._small) + len(self._main) > keys:
            self._evict()

    def keep_below(self, limit: int) -> None:
        """Forget the marks that are not below `limit`; their states are gone already."""
        self._small = deque(mark for mark in self._small if mark < limit)
        self._main = deque(mark for mark in self._main if mark < limit)
        ghosts = [(mark, time) for mark, time in zip(self._ghosts, self._ghost_times, strict=True) if mark < limit]
        self._ghosts = deque(mark for mark, _ in ghosts)
        self._ghost_times = deque(time for _, time in ghosts)
        self._times = {mark: time for mark, time in self._times.items() if mark < limit}

    def overhead_bytes(self) -> int:
        """Return the bytes of the tables and the times in them."""
        tables = sum(map(sys.getsizeof, (self._small, self._main, self._ghosts, self._ghost_times, self._times)))
        return tables + 28 * len(self._times)

    def _evict(self) -> None:
        self._is_filling = False
        small, main, target = self._small, self._main, self._target
        states, one, mask = self._states, self._one, self._mask
        while True:
            if len(small) > target or not main:
                mark = small.popleft()
                state = states[mark]
                field = state & mask
                if field < _PROVEN * one:
                    self._ghosts.append(mark)
                    self._ghost_times.append(self._times[mark])
                    if len(self._ghosts) > _GHOSTS_PER_KEY * self._keys:
                        self._forget_ghosts()
                    break
                states[mark] = state - field + one
            else:
                mark = main.popleft()
                state = states[mark]
                field = state & mask
                if field == one:
                    del self._times[mark]
                    break
                states[mark] = state - one
            self._clock += 1
            self._times[mark] = self._clock
            main.append(mark)
        if state == field:
            del states[mark]
        else:
            states[mark] = state - field

    def _forget_ghosts(self) -> None:
        times, ghosts = self._times, self._ghosts
        while len(ghosts) > _GHOSTS_PER_KEY * self._keys:
            old = ghosts.popleft()
            # One that returned meanwhile has another time.
            if times.get(old) == self._ghost_times.popleft():
                del times[old]


class Contest:
    """Shadows of several shares, their recent misses, and which of them the cache should follow.

    `keys` is how many marks each shadow holds, 0 before the first `resize`; `choice` is an index into `SHARES`;
    `misses` are counted on contested requests only, those that some shadows hit and others missed. Only the
    first `allowed` shares are chosen anew.
    """

    def __init__(self) -> None:
        self._states: dict[int, int] = {}
        # Made when the first entry comes: empty queues take 13 kB, more than a small cache may have in all.
        self._shadows: list[_Shadow] = []
        self._decay = 0.0
        self.misses = [0.0] * len(SHARES)
        self.allowed = len(SHARES)
        self.keys = 0
        self.choice = 0
        self.contested = 0
        self.switches = 0

    def resize(self, keys: int) -> None:
        """Let each shadow hold that many marks."""
        if not self._shadows:
            self._shadows = [_Shadow(index, self._states) for index in range(len(SHARES))]
        self.keys = keys
        self._decay = 1 - 1 / (_MEMORY_PER_KEY * keys)
        for shadow, share in zip(self._shadows, SHARES, strict=True):
            shadow.resize(keys, max(1, int(share * keys)))

    def keep_below(self, limit: int) -> None:
        """Go on with the marks below `limit`, half of those before."""
        self.misses = [misses / 2 for misses in self.misses]
        for mark in [mark for mark in self._states if mark >= limit]:
            del self._states[mark]
        for shadow in self._shadows:
            shadow.keep_below(limit)

    def request(self, mark: int) -> bool:
        """Take a request; return whether the choice changed by it."""
        states = self._states
        state = states.get(mark, 0)
        missing = _MISSING[state]
        states[mark] = _USED[state]
        if not missing:
            return False
        for index in missing:
            self._shadows[index].enter(mark)
        if len(missing) == len(SHARES):
            return False
        self.contested += 1
        misses = self.misses = [count * self._decay for count in self.misses]
        for index in missing:
            misses[index] += 1
        return self._choose()

    def holds(self, mark: int, index: int) -> bool:
        """Tell whether a shadow has the mark."""
        return bool(_field(self._states.get(mark, 0), index))

    def lead(self, index: int) -> float:
        """Return how many misses fewer than the chosen shadow's another one had lately."""
        return self.misses[self.choice] - _LEAD_RATIO * self.misses[index]

    def needed(self, index: int) -> float:
        """Return the lead beyond which the cache follows another shadow."""
        return _LEAD + _LEAD_PER_KEY * self.keys * max(0.0, SHARES[index] - SHARES[self.choice])

    def overhead_bytes(self) -> int:
        """Return the bytes of all shadows."""
        own = sys.getsizeof(self._states) + 64 * len(self._states)
        return own + sum(shadow.overhead_bytes() for shadow in self._shadows)

    def _choose(self) -> bool:
        misses, choice = self.misses, self.choice
        if misses[choice] <= _LEAD + min(misses):
            return False
        rivals = [index for index in range(self.allowed) if index != choice and self.lead(index) > self.needed(index)]
        if not rivals:
            return False
        self.choice = min(rivals, key=misses.__getitem__)
        self.switches += 1
        return True
