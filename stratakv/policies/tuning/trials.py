"""Trials: a change is on trial until enough happened after it, and is taken back where things got worse.

Compares what a request cost before and after, as measured, not as expected. Because the rent of a longer threshold and
the returns of a shorter one show only with time, a trial lasts at least as long as the threshold that it tries, up to
an hour. Pure; times are told. Invariant: a change that was taken back is not tried again before its rest is over.
"""

from __future__ import annotations

from typing import NamedTuple

MARGIN = 1.25
"""Costs that rose by less may have risen by chance, or with the workload."""

LEAST_REQUESTS = 500
"""So many requests before and after say what one costs."""

LONGEST_TRIAL = 3600.0


class Spent(NamedTuple):
    """What was spent over some time, and on how many requests."""

    cost: float
    requests: int

    @property
    def each(self) -> float:
        """The cost of one request."""
        return self.cost / self.requests if self.requests else 0.0


class Trial(NamedTuple):
    """One change on trial: since when, for how long, what a request cost before, and what was spent since."""

    since: float
    lasts: float
    before: Spent
    after: Spent


class Trials:
    """The trials of all thresholds, by any name.

    Args:
        rest: Seconds in which a change that was taken back is not tried again.
    """

    def __init__(self, rest: float) -> None:
        self._rest = rest
        self._open: dict[tuple[str, int], Trial] = {}
        self._resting: dict[tuple[str, int], float] = {}

    def may_change(self, name: tuple[str, int], now: float) -> bool:
        """Tell whether a threshold may be changed: it is not on trial, and was not taken back lately."""
        return name not in self._open and now >= self._resting.get(name, now)

    def begin(self, name: tuple[str, int], now: float, lasts: float, before: Spent) -> None:
        """A threshold was changed; `before` is what was spent lately."""
        if before.requests >= LEAST_REQUESTS:
            self._open[name] = Trial(now, min(max(lasts, 0.0), LONGEST_TRIAL), before, Spent(0.0, 0))

    def failed(self, name: tuple[str, int], now: float, spent: Spent) -> Trial | None:
        """Take in what was spent since the last call; return the trial where the change has to be taken back."""
        trial = self._open.get(name)
        if trial is None:
            return None
        after = Spent(trial.after.cost + spent.cost, trial.after.requests + spent.requests)
        trial = trial._replace(after=after)
        self._open[name] = trial
        if now - trial.since < trial.lasts or after.requests < LEAST_REQUESTS:
            return None
        del self._open[name]
        if after.each <= MARGIN * trial.before.each:
            return None
        self._resting[name] = now + self._rest
        return trial
