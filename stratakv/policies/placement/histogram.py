"""What is remembered of idle ages: time at risk, returns and ends, per access class and bucket of normalised age.

Owns the buckets and their forgetting; estimates nothing. Ages are in units of each blob's own break-even time, and
everything is weighted by what a return of the blob costs, so the three tables are in one currency: a blob that waits
for one unit of age pays as much rent as its return costs. Invariant: exposure is logged as time passes, never twice,
so that a return and the waiting before it are forgotten together. (Survival analysis calls this a life table of a
period; waiting that has not ended yet is censored, not ignored.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.errors import StrataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

CLASSES = 5
"""Accesses so far: 1, 2-3, 4-7, 8-15, 16 and more."""

AN_OCTAVE = 4
_LOWEST, _HIGHEST = -20, 8

EDGES: Floats = np.concatenate(([0.0], 2.0 ** (np.arange(_LOWEST * AN_OCTAVE, _HIGHEST * AN_OCTAVE + 1) / AN_OCTAVE)))
"""Where the buckets begin and end, in break-even times: the first from 0 to 2^-20, then four an octave up to 256."""

BUCKETS = len(EDGES) - 1
LONGEST = float(EDGES[-1])
WIDTHS: Floats = np.diff(EDGES)

_VERSION = 1


def access_class(accesses: int) -> int:
    """Return the class of a blob that was accessed so many times: 0 to 4."""
    return min(CLASSES, max(1, accesses).bit_length()) - 1


def access_classes(accesses: NDArray[np.generic]) -> Integers:
    """Return the class of each of an array."""
    return np.minimum(CLASSES - 1, np.log2(np.maximum(accesses.astype(np.float64), 1)).astype(np.int64))


def bucket_of(ages: Floats) -> Integers:
    """Return the bucket of each age; what is older than the last bucket counts as in it."""
    return np.clip(np.searchsorted(EDGES, ages, side="right") - 1, 0, BUCKETS - 1)


class AgeHistogram:
    """Decayed sums, weighted by the cost of a return.

    Attributes:
        exposure: `[class, bucket]`, weight x age spent there.
        entered: The same shape, weight of what reached that age.
        returns: The same shape, weight of the returns at that age.
        ends: Weight of what was overwritten or deleted at that age.
        moving: Per class, what moving each blob down would have cost that began to wait.
        weight: Per class, the weight of all waits that began.
        square: Per class, its squares: `square / weight` is the weight of a typical wait.
        events: Per class, how many waits ended.
        seconds: The time in which all this was seen, decayed like it.
    """

    __slots__ = ("ends", "entered", "events", "exposure", "moving", "returns", "seconds", "square", "weight")

    def __init__(self) -> None:
        self.exposure = np.zeros((CLASSES, BUCKETS))
        self.entered = np.zeros((CLASSES, BUCKETS))
        self.returns = np.zeros((CLASSES, BUCKETS))
        self.ends = np.zeros((CLASSES, BUCKETS))
        self.moving = np.zeros(CLASSES)
        self.weight = np.zeros(CLASSES)
        self.square = np.zeros(CLASSES)
        self.events = np.zeros(CLASSES)
        self.seconds = np.zeros(1)

    def begin(self, classes: Integers, weights: Floats, moving: Floats) -> None:
        """Blobs began to wait; `moving` is what moving each of them down would cost."""
        self.moving += np.bincount(classes, moving, CLASSES)
        self.weight += np.bincount(classes, weights, CLASSES)
        self.square += np.bincount(classes, weights * weights, CLASSES)
        self.entered[:, 0] += np.bincount(classes, weights, CLASSES)

    def wait(self, classes: Integers, since: Floats, until: Floats, weights: Floats) -> None:
        """Blobs waited from one age to another. Ages beyond the last bucket are not counted."""
        for ages, sign in ((until, 1.0), (since, -1.0)):
            time, reached = _spent_until(classes, ages, sign * weights)
            self.exposure += time
            self.entered += reached

    def end(self, classes: Integers, ages: Floats, weights: Floats, returned: NDArray[np.bool_]) -> None:
        """Waits ended at these ages: by a return, or by an overwrite or deletion."""
        place = classes * BUCKETS + bucket_of(ages)
        size = CLASSES * BUCKETS
        self.returns += np.bincount(place, weights * returned, size).reshape(CLASSES, BUCKETS)
        self.ends += np.bincount(place, weights * ~returned, size).reshape(CLASSES, BUCKETS)
        self.events += np.bincount(classes, minlength=CLASSES)

    def forget(self, share: float) -> None:
        """Keep only a share of everything, of the time in which it was seen too."""
        for table in self._tables():
            np.multiply(table, share, out=table)

    def resample(self, share: float) -> None:
        """The share of the keys that is watched changes: make what was seen count as if it had been so all the time."""
        seconds = self.seconds.copy()
        self.forget(share)
        self.seconds = seconds

    def approach(self, other: AgeHistogram, share: float) -> None:
        """Go a share of the way to another histogram."""
        for mine, its in zip(self._tables(), other._tables(), strict=True):
            np.add(mine, share * (its - mine), out=mine)

    def _tables(self) -> list[Floats]:
        return [getattr(self, name) for name in self.__slots__]

    def to_state(self) -> dict[str, Any]:
        """Return plain data that JSON can hold; `from_state` takes it."""
        tables = {name: getattr(self, name).tolist() for name in self.__slots__}
        return {"version": _VERSION, "lowest": _LOWEST, "highest": _HIGHEST, "an_octave": AN_OCTAVE, **tables}

    @classmethod
    def from_state(cls, state: Any) -> AgeHistogram:
        """Return the histogram that `to_state` described.

        Raises:
            StrataError: The state is of other buckets, or is damaged.
        """
        made = cls()
        state = state if isinstance(state, dict) else {}
        form = [state.get(name) for name in ("version", "lowest", "highest", "an_octave")]
        if form != [_VERSION, _LOWEST, _HIGHEST, AN_OCTAVE]:
            raise StrataError("a histogram of idle ages was kept in another form: it starts anew")
        for name in cls.__slots__:
            try:
                table = np.asarray(state.get(name), dtype=np.float64)
            except (TypeError, ValueError) as error:
                raise StrataError(f"a histogram of idle ages is damaged in {name!r}: it starts anew") from error
            if table.shape != getattr(made, name).shape or not np.isfinite(table).all() or (table < 0).any():
                raise StrataError(f"a histogram of idle ages is damaged in {name!r}: it starts anew")
            setattr(made, name, table)
        return made


def _spent_until(classes: Integers, ages: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the weighted time that blobs spent in each bucket from age 0 to their ages, and what reached each."""
    ages = np.minimum(ages, LONGEST)
    buckets = bucket_of(ages)
    place = classes * BUCKETS + buckets
    size = CLASSES * BUCKETS
    partly = np.bincount(place, weights * (ages - EDGES[buckets]), size).reshape(CLASSES, BUCKETS)
    last = np.bincount(place, weights, size).astype(np.float64).reshape(CLASSES, BUCKETS)
    reached: Floats = np.flip(np.cumsum(np.flip(last, 1), 1), 1)
    return partly + (reached - last) * WIDTHS, reached
