"""`IdleTime`: a threshold kept to what is known of returns and to what is allowed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from stratakv.policies.placement.histogram import CLASSES, AgeHistogram
from stratakv.policies.placement.prices import Prices, hot_to_warm
from stratakv.policies.placement.threshold import Threshold
from stratakv.policies.tuning.idle_time import BEYOND, IdleTime, longest_return

COSTS = hot_to_warm(Prices())
EVEN = COSTS.break_even_seconds(1000)


def idle_time(units: float, seen: float = 100.0, **bounds: Any) -> IdleTime:
    made = IdleTime(Threshold(COSTS, units, (units,) * CLASSES), seen, 10.0, 1.0, 1e9)
    return made._replace(**bounds)


def histogram(*returns: tuple[float, float]) -> AgeHistogram:
    """Waits that returned: (age in break-even times, weight)."""
    made = AgeHistogram()
    ages = np.array([age for age, _ in returns])
    weights = np.array([weight for _, weight in returns])
    classes = np.zeros(len(returns), dtype=np.int64)
    made.end(classes, ages, weights, np.ones(len(returns), dtype=bool))
    return made


def test_what_is_known_lets_a_threshold_be_as_it_was_chosen() -> None:
    assert idle_time(3.0).seconds(1000) == pytest.approx(3 * EVEN)


def test_it_is_not_longer_than_twice_the_longest_return_seen() -> None:
    assert idle_time(math.inf, seen=0.5).seconds(1000) == pytest.approx(BEYOND * 0.5 * EVEN)


def test_where_no_return_was_seen_the_configured_time_is_the_longest() -> None:
    assert idle_time(math.inf, seen=0.0, configured=3600.0).seconds(1000) == 3600.0


def test_it_may_be_shorter_than_configured() -> None:
    assert idle_time(0.0, configured=3600.0).seconds(1000) == 1.0


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 40])
def test_bounds_hold_for_every_size(size: int) -> None:
    for units in (0.0, 1.0, math.inf):
        assert 50.0 <= idle_time(units, shortest=50.0, longest=60.0).seconds(size) <= 60.0


def test_least_is_below_every_size_and_class() -> None:
    mixed = IdleTime(Threshold(COSTS, 1.0, (4.0, 0.5, 3.0, 2.0, 1.0)), 100.0, 10.0, 0.0, 1e9)
    for size in (1, 1000, 1_000_000, 1 << 30):
        for accesses in (1, 2, 5, 9, 40):
            assert mixed.least <= mixed.seconds(size, accesses)


def test_the_longest_return_is_where_all_but_rare_ones_were() -> None:
    assert longest_return(AgeHistogram()) == 0.0
    common = histogram(*[(0.1, 1.0)] * 5000, (50.0, 1.0))
    assert 0.1 <= longest_return(common) < 0.13
    assert 50.0 <= longest_return(histogram(*[(0.1, 1.0)] * 50, (50.0, 1.0))) < 60.0
