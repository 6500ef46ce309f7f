"""Sorting in runs: to sort a long list as a whole holds everybody who waits for the interpreter up, all the while.

Owns the length of a run, which is sorted within a slice of interpreter time.
"""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

RUN = 1000
"""So many contents are sorted in less than a slice of interpreter time."""

Row = TypeVar("Row")


def in_runs(rows: Iterable[Row], key: Callable[[Row], Any]) -> Iterator[Row]:
    """Return rows in the order of their keys; between two of them others may have a turn."""
    rows = iter(rows)
    runs = []
    while run := sorted(islice(rows, RUN), key=key):
        runs.append(run)
    return heapq.merge(*runs, key=key)
