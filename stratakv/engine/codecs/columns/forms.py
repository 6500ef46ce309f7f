"""What the cells of a column are, all taken together: their `Form`.

Owns the numbers of the forms, which are part of the format, and the decision which form a list of cells has.
Nothing here looks deeper than one level.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 8
"""Fewer cells than this are not worth columns."""

MOST_CLASSES = 24
"""Classes of a mixed column."""

# Rows of more cells are rather a vector: all of its cells are alike and make one column.
_WIDEST = 32
_PER_CLASS = 6


class Form(IntEnum):
    """How the cells of a column are written."""

    OPAQUE = 0
    """Each as MessagePack, side by side."""
    LISTS = 1
    """Lists of one length: a column for each place."""
    TUPLES = 2
    RECORDS = 3
    """Dicts of the same keys in the same order: a column for each key."""
    RAGGED_LISTS = 4
    """Lists of any length: their lengths, and a column of all their items."""
    RAGGED_TUPLES = 5
    MAPS = 6
    """Dicts of any keys: their lengths, a column of all keys and one of all values."""
    MIXED = 7
    """A few classes of cells: the class of each, and a column for each class."""
    NONES = 8
    BOOLS = 9
    INTS = 10
    DECIMALS = 11
    """Strings of digits."""
    TEXTS = 12
    BYTES = 13
    SCALED = 14
    """Floats of few decimal places."""
    BITS = 15
    """Few different floats, as their bits."""
    FLOATS = 16


_SCALARS = {
    type(None): Form.NONES,
    bool: Form.BOOLS,
    int: Form.INTS,
    float: Form.FLOATS,
    str: Form.TEXTS,
    bytes: Form.BYTES,
}


def class_of(cell: object) -> object:
    """Return what tells apart the classes of a mixed column."""
    return tuple(cell) if type(cell) is dict else type(cell)


def form_of(cells: Sequence[Any]) -> Form:
    """Return the form of the cells, as their types and lengths tell it; strings and floats may find better."""
    if len(cells) < FEWEST:
        return Form.OPAQUE
    kinds = set(map(type, cells))
    kind = kinds.pop()
    if kinds:
        return _mixed_or(cells, Form.OPAQUE)
    if kind is dict:
        first = tuple(cells[0])
        if all(tuple(cell) == first for cell in cells):
            return Form.RECORDS if first else Form.MAPS
        return _mixed_or(cells, Form.MAPS)
    if kind is list or kind is tuple:
        lengths = set(map(len, cells))
        even = len(lengths) == 1 and 1 <= max(lengths) <= _WIDEST
        if kind is list:
            return Form.LISTS if even else Form.RAGGED_LISTS
        return Form.TUPLES if even else Form.RAGGED_TUPLES
    return _SCALARS.get(kind, Form.OPAQUE)


def _mixed_or(cells: Sequence[object], otherwise: Form) -> Form:
    classes = set()
    most = min(MOST_CLASSES, len(cells) // _PER_CLASS)
    for cell in cells:
        classes.add(class_of(cell))
        if len(classes) > most:
            return otherwise
    return Form.MIXED
