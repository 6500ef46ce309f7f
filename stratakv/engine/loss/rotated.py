"""Arrays of vectors that a learned rotation changes into the nearest ones it can name.

Owns which arrays these are, and what is said of those that are none. What a rotation is, and when there is one, is
known by the `RotationBook`, which is offered the vectors as they came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stratakv.engine.loss.arrays import is_stepped
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from stratakv.engine.loss.permission import LossRule
    from stratakv.engine.loss.report import Loss
    from stratakv.engine.rotation import Rotation
    from stratakv.engine.rotation.book import RotationBook

Array = np.ndarray[Any, Any]


class Rotations(NamedTuple):
    """The rotations of one namespace.

    Attributes:
        book: All that are known.
        namespace: The namespace's number.
    """

    book: RotationBook
    namespace: int


def rotated(array: Array, rule: LossRule, rotations: Rotations, loss: Loss) -> Array | None:
    """Return a new array with each row changed; the array itself where it stays as it is; None for 8-bit steps.

    A row is the last axis as it lies in memory. What is already as some rotation of the namespace names it, or in 8-bit
    steps, stays, so that storing again what was read loses nothing more. All other reasons are counted in `loss`.
    """
    if not array.dtype.isnative:
        loss.keep("foreign byte order")
        return array
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        turned = rotated(rows_first := array.T, rule, rotations, loss)
        return array if turned is rows_first else None if turned is None else turned.T
    rows = np.ascontiguousarray(array).reshape(-1, array.shape[-1])
    if not rows.any(axis=1).all():
        loss.keep("zero")
        return array
    current = rotations.book.fitting(rotations.namespace, rows.shape[1], rule.min_cosine)
    changed = rows if current is None else current.changed(rows)
    if current is not None and np.array_equal(changed, rows):
        if current.taken_apart(rows) is not None:
            return array
        loss.miss_rotation("outside the rotation's range")
        return None
    if _is_of_old(rows, rule.min_cosine, rotations, current) or is_stepped(rows, CompressionStrategy.QUANTIZE_INT8):
        return array
    rotations.book.sample(rotations.namespace, rows, rule.min_cosine)
    if current is None:
        loss.miss_rotation(_why_none(rotations, rows.shape[1]))
        return None
    same = (changed == rows).all(axis=1)
    if same.any() and current.taken_apart(rows[same]) is None:
        loss.miss_rotation("outside the rotation's range")
        return None
    return changed.reshape(array.shape)


def _why_none(rotations: Rotations, dimension: int) -> str:
    book, namespace = rotations
    if book.current(namespace, dimension):
        return "other bound"
    return "other dimension" if book.of(namespace) else "no rotation yet"


def _is_of_old(rows: Array, min_cosine: float, rotations: Rotations, current: Rotation | None) -> bool:
    """Tell whether all rows are as one rotation names them that was current before and keeps to the bound."""
    book, namespace = rotations
    for number in book.of(namespace):
        rotation = book.known(number)
        if (
            rotation is not None
            and rotation is not current
            and rotation.dimension == rows.shape[1]
            and rotation.min_cosine >= min_cosine
            and rotation.taken_apart(rows[:1]) is not None
            and rotation.taken_apart(rows) is not None
        ):
            return True
    return False
