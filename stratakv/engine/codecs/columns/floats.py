"""Columns of floats that are short decimals, such as 0.329, as whole numbers.

Owns the proof that nothing is lost: a column is scaled only where dividing again gives every float bit by bit,
so negative zeros, infinities and NaNs are never scaled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stratakv.engine.codecs.columns.numbers import Floats, Ints

MOST_PLACES = 9
_PILOT = 64
# Whole floats are exact up to here.
_EXACT = float(1 << 53)


def as_scaled(values: Floats) -> tuple[int, Ints] | None:
    """Return the number of decimal places and the whole numbers, None where there are none."""
    for places in range(MOST_PLACES + 1):
        if _scaled(values[:_PILOT], places) is not None:
            whole = _scaled(values, places)
            if whole is not None:
                return places, whole
    return None


def from_scaled(places: int, whole: Ints) -> Floats:
    """Undo `as_scaled`. The division is correctly rounded, so it is the float nearest to the decimal."""
    return whole.astype(np.float64) / 10.0**places


def _scaled(values: Floats, places: int) -> Ints | None:
    with np.errstate(all="ignore"):
        scaled = np.rint(values * 10.0**places)
        if not bool((np.abs(scaled) < _EXACT).all()):
            return None
    whole = scaled.astype(np.int64)
    if not np.array_equal(from_scaled(places, whole).view(np.int64), values.view(np.int64)):
        return None
    return whole
