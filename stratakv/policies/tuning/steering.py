"""Steering: from the two targets to a weight on rent and a factor on what codecs may spend.

Too little saved: rent weighs more, so that contents go down sooner, and background codecs may spend more. Too much
waiting: rent weighs less, and codecs that are slow to read may spend less. Where both targets are met, both go back
towards what the prices alone say. Pure: it is told what was measured and returns what should hold. Invariant: both
numbers stay within their bounds, and with a learning rate of 0 they never move.
"""

from __future__ import annotations

from typing import NamedTuple

WEIGHTS = (1 / 16, 16.0)
"""Between these the rent may be weighed against waiting."""

FACTORS = (1 / 8, 8.0)
"""Between these the budgets of codecs may be scaled."""

STRONGEST = 2.0
"""With a learning rate of 1 a target that is missed by all doubles or halves a number at one retune."""

PATIENCE = 6
"""After so many retunes that saved no more, the target is out of reach this way."""

NEARER = 0.5
"""So many points more count as more."""

AT_REST = 1.01
"""A number so near to 1 is 1 again."""


class Measured(NamedTuple):
    """What the targets are compared with.

    Attributes:
        reduction_percent: Bytes saved; None where there is too little to tell.
        overhead_percent: Time that callers waited for what lies below RAM; None where nobody read.
    """

    reduction_percent: float | None
    overhead_percent: float | None


class Targets(NamedTuple):
    """What is wanted of `Measured`."""

    reduction_percent: float = 75.0
    overhead_percent: float = 5.0


class Course(NamedTuple):
    """What should hold.

    Attributes:
        rent_weight: How much more than its price rent counts against waiting.
        codec_factor: How many times their budget codecs may spend.
        reason: Why, in plain English; empty where nothing changes.
        best: The largest reduction seen while rent was made to weigh more; None where it is not.
        tries: How many retunes ago that was.
    """

    rent_weight: float = 1.0
    codec_factor: float = 1.0
    reason: str = ""
    best: float | None = None
    tries: int = 0


def steer(course: Course, measured: Measured, targets: Targets, learning_rate: float) -> Course:
    """Return the course that follows from what was measured on the present one."""
    saved, waited = measured.reduction_percent, measured.overhead_percent
    if waited is not None and waited > targets.overhead_percent:
        push = -(waited - targets.overhead_percent) / waited
        wanted = targets.overhead_percent
        reason = f"callers wait {waited:.1f}% of the time for what lies below RAM, {wanted:g}% is wanted"
        return _pushed(course, push, learning_rate)._replace(reason=reason, best=None, tries=0)
    if saved is not None and saved < targets.reduction_percent:
        return _towards_reduction(course, saved, targets.reduction_percent, learning_rate)
    return _homewards(course, learning_rate, "both targets are met: back towards what the prices say")._replace(
        best=None, tries=0
    )


def _towards_reduction(course: Course, saved: float, wanted: float, learning_rate: float) -> Course:
    """Make rent weigh more as long as that brings the target nearer."""
    best = saved if course.best is None else max(course.best, saved)
    tries = 0 if course.best is None or saved >= course.best + NEARER else course.tries + 1
    if tries > PATIENCE:
        reason = f"{saved:.1f}% of the bytes are saved and {wanted:g}% is wanted, but weighing rent more brings no more"
        return _homewards(course, learning_rate, reason)._replace(best=best, tries=tries)
    reason = f"{saved:.1f}% of the bytes are saved, {wanted:g}% is wanted"
    push = min(1.0, (wanted - saved) / max(1.0, wanted))
    # What was the best stands until it is beaten by enough to count.
    kept = course.best if course.best is not None and tries else best
    return _pushed(course, push, learning_rate)._replace(reason=reason, best=kept, tries=tries)


def _pushed(course: Course, push: float, learning_rate: float) -> Course:
    """Return a course further from home: above 0 towards less rent, below towards less waiting."""
    step = STRONGEST ** (push * learning_rate)
    weight = min(max(course.rent_weight * step, WEIGHTS[0]), WEIGHTS[1])
    factor = min(max(course.codec_factor * step, FACTORS[0]), FACTORS[1])
    return course._replace(rent_weight=weight, codec_factor=factor)


def _homewards(course: Course, learning_rate: float, reason: str) -> Course:
    """Return a course nearer to what the prices alone say."""
    weight, factor = (_nearer(number, learning_rate) for number in course[:2])
    return course._replace(
        rent_weight=weight, codec_factor=factor, reason=reason if (weight, factor) != course[:2] else ""
    )


def _nearer(number: float, learning_rate: float) -> float:
    """Return a number that is nearer to 1, in proportion."""
    nearer = float(number ** (1 - learning_rate / 4))
    return 1.0 if 1 / AT_REST <= nearer <= AT_REST and learning_rate else nearer
