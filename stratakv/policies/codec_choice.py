"""Codec choice: which of several codecs a kind of content gets, by what they did for the last few of that kind.

Pure: told sizes and seconds, it says which candidate is best and when to try all of them again. One `Contest` for each
namespace, kind and stage. Scores are forgotten slowly, so that a change of the data changes the choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

TRIALS = 4
"""The first so many contents of a contest are tried with every candidate."""

DOUBTS = 2
"""What a candidate cost in fewer trials than this may be a first time, or a busy neighbour."""

RAREST = 8
"""Trials that change nothing become rarer, up to this factor."""

TRIALS_A_STEP = 4
"""So many trials in a row must have changed nothing before the next ones come half as often."""

FORGET = 0.9
"""What a score keeps of its past at each trial."""

RISE = 1.1
"""How much a cost may rise from one trial to the next."""

NEAR = 1.02
"""A candidate that is this close to the smallest wins if it is quicker, unless another measure is asked for."""

KB = 1024
US = 1e6


class Budget(NamedTuple):
    """What encoding and decoding a KB may take, in microseconds."""

    encoding: float = float("inf")
    decoding: float = float("inf")

    def allows(self, score: Score, slack: float = 1.0) -> bool:
        """Tell whether a candidate keeps to the budget, or to so many times of it."""
        return score.cost <= slack * self.encoding and score.read_cost <= slack * self.decoding

    def __str__(self) -> str:
        if self == Budget():
            return "no budget"
        reading = "" if self.decoding == float("inf") else f" and {self.decoding:g} to decode it"
        return f"{self.encoding:g} us to encode a KB{reading}"


class Trial(NamedTuple):
    """What one candidate did with one content: bytes in and out, seconds of encoding and of decoding."""

    plain: int
    coded: int
    seconds: float
    read_seconds: float = 0.0


@dataclass(slots=True)
class Score:
    """What a candidate did lately, weighted towards the last trials.

    Attributes:
        plain: Bytes in.
        coded: Bytes out.
        cost: Microseconds of encoding for a KB, or for a smaller content: a call has its price, however little it gets.
        read_cost: The same of decoding; 0 where it was not measured.
        trials: How often it was tried in all.
    """

    plain: float = 0.0
    coded: float = 0.0
    cost: float = 0.0
    read_cost: float = 0.0
    trials: int = 0

    def add(self, trial: Trial) -> None:
        """Take in one trial."""
        self.plain = FORGET * self.plain + trial.plain
        self.coded = FORGET * self.coded + trial.coded
        each = US / max(1.0, trial.plain / KB)
        self.cost = self._least(self.cost, trial.seconds * each)
        self.read_cost = self._least(self.read_cost, trial.read_seconds * each)
        self.trials += 1

    def _least(self, known: float, cost: float) -> float:
        """Return the least cost seen lately: a busy neighbour, or a first time, makes it look higher, nothing lower."""
        return min(cost, known * RISE) if self.trials else cost

    @property
    def share(self) -> float:
        """Bytes out for each byte in."""
        return self.coded / self.plain if self.plain else 1.0


class Contest:
    """Candidates for one kind of content.

    Threads may share one: a lost update of a score does no harm.

    Args:
        budget: What a KB may cost.
        every: Once the first trials are over, every so many contents there is another one; while they change nothing,
            they become as rare as an eighth of that. 1 tries them all.
        near: A candidate whose bytes are at most so many times the fewest wins if it is quicker.

    Attributes:
        best: The candidate to use; None before the first trial.
        left: How many contents are encoded with it before the next trial. The caller counts down.
    """

    __slots__ = ("_budget", "_every", "_near", "_scores", "_steady", "_trials", "best", "left")

    def __init__(self, budget: Budget, every: int, near: float = NEAR) -> None:
        self._budget = budget
        self._every = every
        self._near = near
        self._scores: dict[str, Score] = {}
        self._trials = 0
        self._steady = 0
        self.best: str | None = None
        self.left = 0

    def affordable(self, candidate: str) -> bool:
        """Tell whether a candidate is worth another trial: unknown, or not known to be far over the budget."""
        score = self._scores.get(candidate)
        if score is None or score.trials < DOUBTS or self._budget.allows(score, 2.0):
            return True
        # Now and then even the costly ones are tried again: what they get may have changed.
        return self._trials % 16 == 0

    def learn(self, results: Mapping[str, Trial]) -> None:
        """Take in what each candidate did."""
        for candidate, trial in results.items():
            self._scores.setdefault(candidate, Score()).add(trial)
        self._trials += 1
        before, self.best = self.best, self._choose()
        self._steady = self._steady + 1 if self.best == before else 0
        rarer = 1 if self._every == 1 else min(RAREST, 1 << self._steady // TRIALS_A_STEP)
        self.left = 0 if self._trials < TRIALS else self._every * rarer - 1

    def allow(self, budget: Budget) -> None:
        """Take another budget, and choose by it from what is known."""
        if budget != self._budget:
            self._budget = budget
            self.best = self._choose()

    def within_budget(self, candidate: str) -> bool:
        """Tell whether a candidate costs no more than it may."""
        score = self._scores.get(candidate)
        return score is None or self._budget.allows(score)

    def leads(self, candidate: str, lead: float) -> bool:
        """Tell whether a candidate is the best, and leaves at most `lead` times the bytes that any other one leaves."""
        others = [score.share for name, score in self._scores.copy().items() if name != candidate]
        return self.best == candidate and self._scores[candidate].share <= lead * min(others, default=1.0)

    def _choose(self) -> str | None:
        affordable = {name: score for name, score in self._scores.copy().items() if self._budget.allows(score)}
        if not affordable:
            return min(list(self._scores), key=lambda name: self._scores[name].cost, default=None)
        smallest = min(score.share for score in affordable.values())
        near = [name for name, score in affordable.items() if score.share <= smallest * self._near]
        return min(near, key=lambda name: affordable[name].cost)

    def explain(self) -> dict[str, Any]:
        """Return the choice, its reason, and each candidate's share of bytes left and microseconds for a KB."""
        best = self.best
        over = sorted(name for name, score in self._scores.copy().items() if not self._budget.allows(score))
        why = "not tried yet"
        if best is not None and best in over:
            why = f"nothing keeps to {self._budget}, so the quickest"
        elif best is not None:
            why = f"the smallest, or the quickest of those near it, within {self._budget}"
            why += f"; over it: {', '.join(over)}" if over else ""
        candidates = {
            name: {
                "share": round(score.share, 4),
                "us_per_kb": round(score.cost, 2),
                "read_us_per_kb": round(score.read_cost, 2) if score.read_cost else None,
                "trials": score.trials,
            }
            for name, score in sorted(self._scores.copy().items())
        }
        return {"chosen": best, "why": why, "candidates": candidates}


class CodecChoice:
    """All contests of one engine."""

    def __init__(self) -> None:
        self._contests: dict[tuple[int, str, str], Contest] = {}

    def contest(self, namespace: int, kind: str, stage: str, budget: Budget, every: int, near: float = NEAR) -> Contest:
        """Return the contest of a namespace's contents of a kind at a stage, with that budget."""
        place = (namespace, kind, stage)
        found = self._contests.get(place)
        if found is None:
            found = self._contests.setdefault(place, Contest(budget, every, near))
        found.allow(budget)
        return found

    def restart(self, namespace: int, stage: str) -> None:
        """Forget what was learnt of a namespace at a stage: it has a new candidate."""
        for place in [place for place in list(self._contests) if place[0] == namespace and place[2] == stage]:
            self._contests.pop(place, None)

    def report(self) -> list[tuple[int, dict[str, Any]]]:
        """Return (namespace, {kind, stage, chosen, why, candidates}) of every contest that has a result."""
        return [
            (namespace, {"kind": kind, "stage": stage, **contest.explain()})
            for (namespace, kind, stage), contest in sorted(self._contests.copy().items())
            if contest.best is not None
        ]
