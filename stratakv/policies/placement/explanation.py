"""Why an idle threshold is what it is, in plain English. Owns the sentences, decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.policies.placement.histogram import EDGES

if TYPE_CHECKING:
    from stratakv.policies.placement.histogram import AgeHistogram
    from stratakv.policies.placement.threshold import Threshold

_EXAMPLE_BYTES = 10_000
_CLASS_NAMES = ("1:", "2-3:", "4-7:", "8-15:", "16 or more:")
_UNITS = ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))


def explain(histogram: AgeHistogram, old: Threshold, new: Threshold, before: float, after: float) -> str:
    """Return why the new threshold holds.

    Args:
        histogram: What decided.
        old: The threshold until now.
        new: The one from now on.
        before: What one wait is expected to cost at the old one.
        after: What it is expected to cost at the new one.
    """
    costs = new.costs
    edge = f"{costs.name}: "
    if costs.rent <= 0:
        return edge + "staying costs nothing more than moving down, so nothing moves"
    if costs.returning(_EXAMPLE_BYTES) <= 0:
        return edge + "coming back costs nothing, so everything moves down at once"
    if not histogram.weight.any():
        return edge + f"nothing was watched yet, so the idle threshold is {new.pooled:.3g} break-even times"
    seen = _seen(histogram, duration(costs.break_even_seconds(_EXAMPLE_BYTES)))
    each = ", ".join(f"{name} {units:.3g}" for name, units in zip(_CLASS_NAMES, new.classes, strict=True))
    holds = f"{new.pooled:.3g} break-even times (by accesses so far: {each})"
    if new == old:
        return edge + f"the idle threshold stays at {holds}: {seen}, and no other would save enough"
    saved = 100 * (1 - after / before) if before > 0 else 0.0
    return edge + (
        f"the idle threshold goes from {old.pooled:.3g} to {holds}: {seen}; "
        f"a wait is expected to cost {after:.3g} instead of {before:.3g} returns ({saved:.1f}% less)"
    )


def duration(seconds: float) -> str:
    """Say a time with three digits in the largest unit of which there are two."""
    for length, name in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {name}"
    return f"{seconds:.3g} s"


def _seen(histogram: AgeHistogram, even: str) -> str:
    events = float(histogram.events.sum())
    returns = histogram.returns.sum(axis=0)
    returned = float(returns.sum())
    if not returned:
        return "no watched value came back lately"
    share = returned / (returned + float(histogram.ends.sum()))
    early = float(returns[EDGES[1:] <= 1.0].sum()) / returned
    return (
        f"of about {events:,.0f} watched waits that ended lately, returns made up {100 * share:.0f}% by cost, "
        f"{100 * early:.0f}% of them within one break-even time ({even} for 10 KB)"
    )
