"""Contests: candidates are tried on a few contents, timed, and the best is used for the rest.

Owns trying and timing; which candidate is best is the policy's decision (`policies/codec_choice.py`). Long contents are
tried on a sample from their middle first, and only the two best on the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.policies.codec_choice import NEAR, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stratakv.engine.codecs.base import Buffer, Elements
    from stratakv.policies.codec_choice import Budget, CodecChoice, Contest

_PILOT = 64 * 1024
_PILOT_ABOVE = 4 * _PILOT
_FINALISTS = 2


class Timed(NamedTuple):
    """A contest with the watch that times its trials and the names of its candidates."""

    contest: Contest
    now: Callable[[], float]
    name_of: Callable[[int], str]

    @property
    def settled(self) -> str | None:
        """The candidate that is used without a trial now; None where the next content is tried with all."""
        return self.contest.best if self.contest.left > 0 else None


class Contests:
    """The contests of one namespace at one stage.

    Args:
        choice: Where they are kept.
        namespace: The namespace's number.
        stage: When the contents are encoded.
        budget: What a KB of an array may cost.
        every: Arrays between two trials.
        looks: Whether every array is looked at for a special form, though a general method is settled.
        now: Seconds of work of the calling thread (`Clock.busy`).
        name_of: What statistics call a candidate.
    """

    def __init__(
        self,
        choice: CodecChoice,
        namespace: int,
        stage: str,
        budget: Budget,
        every: int,
        now: Callable[[], float],
        name_of: Callable[[int], str],
        *,
        looks: bool = False,
    ) -> None:
        self._choice = choice
        self._namespace = namespace
        self._stage = stage
        self._budget = budget
        self._every = every
        self.looks = looks
        self._now = now
        self._name_of = name_of

    def of(self, elements: Elements, form: str = "", near: float = NEAR, budget: Budget | None = None) -> Timed:
        """Return the contest for contents with such elements, in a special form if one is named.

        `budget` None means the one that all these contests have.
        """
        kind, itemsize, _ = elements
        name = f"{kind}{8 * itemsize}" if kind != "V" else "bytes" if itemsize == 1 else f"records of {itemsize}"
        return self.named(name + form, self._budget if budget is None else budget, self._every, near)

    def named(self, kind: str, budget: Budget, every: int, near: float = NEAR) -> Timed:
        """Return the contest for a kind of contents."""
        contest = self._choice.contest(self._namespace, kind, self._stage, budget, every, near)
        return Timed(contest, self._now, self._name_of)


class Candidate(NamedTuple):
    """A way to encode, and the way back where reading has a budget too."""

    encode: Callable[[Buffer], bytes]
    decode: Callable[[bytes, int], object] | None = None


def shortest(
    candidates: Mapping[int, Candidate],
    plain: memoryview,
    elements: Elements,
    timed: Timed | None,
    *,
    whole: bool = False,
) -> tuple[int, bytes]:
    """Return a candidate and what it makes: the shortest within the budget, or what a contest found best before.

    Without a contest all candidates are tried and the shortest is taken, so the result depends on nothing else. With
    `whole` nothing is tried on a sample.
    """
    sample = None if whole or len(plain) <= _PILOT_ABOVE or len(candidates) <= _FINALISTS else _sample(plain, elements)
    if timed is None:
        if sample is not None:
            best = sorted(candidates, key=lambda method: len(candidates[method].encode(sample)))[:_FINALISTS]
            candidates = {method: candidates[method] for method in best}
        return _shortest_of({method: candidate.encode(plain) for method, candidate in candidates.items()})
    contest, now, name_of = timed
    by_name = {name_of(method): method for method in candidates}
    if contest.left > 0 and contest.best in by_name:
        contest.left -= 1
        method = by_name[contest.best]
        return method, candidates[method].encode(plain)
    worth = {name: method for name, method in by_name.items() if contest.affordable(name)} or by_name
    results: dict[str, Trial] = {}
    if sample is not None:
        for name, method in worth.items():
            results[name], _ = _tried(candidates[method], sample, now)
        names = sorted(worth, key=lambda name: (not contest.within_budget(name), results[name].coded))[:_FINALISTS]
        worth = {name: worth[name] for name in names}
    made: dict[int, bytes] = {}
    for name, method in worth.items():
        results[name], made[method] = _tried(candidates[method], plain, now)
    contest.learn(results)
    kept = {method: coded for method, coded in made.items() if contest.within_budget(name_of(method))}
    if kept:
        return _shortest_of(kept)
    quickest = min(made, key=lambda method: results[name_of(method)].seconds)
    return quickest, made[quickest]


def _tried(candidate: Candidate, plain: memoryview, now: Callable[[], float]) -> tuple[Trial, bytes]:
    """Return what a candidate did, and what it made."""
    started = now()
    coded = candidate.encode(plain)
    encoded = now()
    if candidate.decode is None:
        return Trial(len(plain), len(coded), encoded - started), coded
    candidate.decode(coded, len(plain))
    return Trial(len(plain), len(coded), encoded - started, now() - encoded), coded


def _sample(plain: memoryview, elements: Elements) -> memoryview:
    """Return a stretch from the middle that begins with a row."""
    row = elements.itemsize * max(1, elements.row)
    start = (len(plain) - _PILOT) // 2
    start -= start % (row if row <= _PILOT else elements.itemsize)
    return plain[start : start + _PILOT]


def _shortest_of(made: dict[int, bytes]) -> tuple[int, bytes]:
    method = min(made, key=lambda each: len(made[each]))
    return method, made[method]
