"""Gains: the lengths of vectors on a grid of sixteen an octave.

Owns the grid, which is part of the format. Gain number 16 e + f is 2^e times the f-th of sixteen fractions that are
whole 2^20ths; number 0 is 1 exactly. No function of the platform's mathematics library takes part in a gain's value,
so it is the same on every machine; which one is nearest to a length need not be, and is found out by trying.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

AN_OCTAVE = 16
LEAST, GREATEST = -1000 * AN_OCTAVE, 1000 * AN_OCTAVE

# Powers of the sixteenth root of 2.
_FRACTIONS = np.array(
    [
        1048576, 1095000, 1143480, 1194106, 1246974, 1302182, 1359835, 1420040,
        1482910, 1548564, 1617125, 1688722, 1763488, 1841564, 1923097, 2008240,
    ]
) / np.float64(1 << 20)  # fmt: skip


def nearest_gains(lengths: Array) -> Array:
    """Return the numbers of the gains nearest to lengths above 0."""
    numbers: Array = np.rint(np.log2(lengths) * AN_OCTAVE).astype(np.int32)
    return numbers


def gains_of(numbers: Array, unit: float = 1.0) -> Array:
    """Return gains times a unit, as float64: one multiplication, rounded once, and a shift."""
    result: Array = np.ldexp(_FRACTIONS[numbers % AN_OCTAVE] * unit, numbers // AN_OCTAVE)
    return result


def lengths_of(rows: Array) -> Array:
    """Return the Euclidean lengths of float64 rows; infinity where one is out of range or not finite."""
    greatest = np.abs(rows).max(axis=1, initial=0.0)
    scale = np.where((greatest > 0) & np.isfinite(greatest), greatest, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = rows / scale[:, None]
        lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled)) * scale
    result: Array = np.where(np.isfinite(lengths), lengths, np.inf)
    return result
