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
    """

    rent_weight: float = 1.0
    codec_factor: float = 1.0
    reason: str = ""


def steer(course: Course, measured: Measured, targets: Targets, learning_rate: float) -> Course:
    """Return the course that follows from what was measured on the present one."""
    saved, waited = measured.reduction_percent, measured.overhead_percent
    little = 0.0 if saved is None else max(0.0, targets.reduction_percent - saved) / max(1.0, targets.reduction_percent)
    slow = 0.0 if waited is None else max(0.0, waited - targets.overhead_percent) / max(1.0, waited)
    if slow and waited is not None:
        reason = (
            f"callers wait {waited:.1f}% of the time for what lies below RAM, {targets.overhead_percent:g}% is wanted"
        )
        push = -min(1.0, slow)
    elif little and saved is not None:
        reason = f"{saved:.1f}% of the bytes are saved, {targets.reduction_percent:g}% is wanted"
        push = min(1.0, little)
    else:
        weight = _homewards(course.rent_weight, learning_rate)
        factor = _homewards(course.codec_factor, learning_rate)
        moved = (weight, factor) != course[:2]
        return Course(weight, factor, "both targets are met: back towards what the prices say" if moved else "")
    step = STRONGEST ** (push * learning_rate)
    weight = min(max(course.rent_weight * step, WEIGHTS[0]), WEIGHTS[1])
    factor = min(max(course.codec_factor * step, FACTORS[0]), FACTORS[1])
    return Course(weight, factor, reason if (weight, factor) != course[:2] else "")


def _homewards(number: float, learning_rate: float) -> float:
    """Return a number that is nearer to 1, in proportion."""
    nearer = float(number ** (1 - learning_rate / 4))
    return 1.0 if 1 / AT_REST <= nearer <= AT_REST and learning_rate else nearer
