"""Sorting in runs gives what sorting as a whole gives."""

from __future__ import annotations

import random
from operator import itemgetter

import pytest

from stratakv.engine.in_runs import RUN, in_runs


@pytest.mark.parametrize("count", [0, 1, RUN, RUN + 1, 3 * RUN + 7])
def test_runs_merge_into_the_order_of_all(count: int) -> None:
    rng = random.Random(count)
    rows = [(rng.randbytes(2), number) for number in range(count)]
    assert list(in_runs(iter(rows), itemgetter(0))) == sorted(rows, key=itemgetter(0))
