"""Thresholds from hazards: the expected cost is that of the arithmetic, and the choice is the cheapest."""

from __future__ import annotations

import numpy as np
import pytest

from stratakv.policies.placement.histogram import BUCKETS, CLASSES, EDGES, WIDTHS, AgeHistogram, bucket_of
from stratakv.policies.placement.prices import Prices, hot_to_warm
from stratakv.policies.placement.threshold import Curves, Hazards, Threshold, choose, expected_costs, hazards

AT_ONCE = 0.02
"""A shorter threshold costs as good as nothing more than none."""


def _rates(returns: float, ends: float = 0.0, moving: float = 0.0) -> Hazards:
    """Return what is seen of waits that end at a steady rate."""
    total = returns + ends
    gone = 1 - np.exp(-total * WIDTHS)
    stays = gone / total
    return Hazards(
        (gone * returns / total)[None], (gone * ends / total)[None], stays[None], np.array([moving]), np.array([1e6])
    )


def _filled(ages: list[float], *, number: int = 0, each: int = 1_000, lost: int = 0) -> AgeHistogram:
    """Return what is seen of waits that all ended by returns at these ages, and of some that never ended."""
    histogram = AgeHistogram()
    at = np.repeat(np.array(ages, dtype=np.float64), each)
    ones = np.ones(len(at))
    classes = np.full(len(at), number)
    histogram.begin(classes, ones, 0 * ones)
    histogram.wait(classes, 0 * ones, at, ones)
    histogram.end(classes, at, ones, ones > 0)
    waiting, still = np.full(lost, number), np.ones(lost)
    histogram.begin(waiting, still, 0 * still)
    histogram.wait(waiting, 0 * still, EDGES[-1] * still, still)
    return histogram


def test_where_a_return_is_as_likely_as_rent_is_dear_every_threshold_costs_one_return() -> None:
    costs = expected_costs(_rates(1.0)).costs[0]
    assert costs == pytest.approx(np.ones(BUCKETS + 1), rel=1e-6)


@pytest.mark.parametrize("rate", [0.2, 3.0])
def test_the_expected_cost_of_a_steady_hazard_is_that_of_the_integral(rate: float) -> None:
    curves = expected_costs(_rates(rate, ends=0.5, moving=0.1))
    for threshold in (0.0, 0.25, 1.0, 4.0):
        total = rate + 0.5
        survival = np.exp(-total * threshold)
        expected = (1 - survival) / total + 0.1 * survival + survival * rate / total
        assert curves.cost(0, threshold) == pytest.approx(expected, rel=1e-3)


def test_dearer_rent_raises_the_cost_of_keeping_and_not_of_returns() -> None:
    once, twice = expected_costs(_rates(0.5)), expected_costs(_rates(0.5), rent_weight=2.0)
    assert twice.costs[0, 0] == pytest.approx(once.costs[0, 0])
    assert twice.rents[0] == pytest.approx(2 * once.rents[0])


def test_where_nothing_is_at_stake_the_break_even_time_is_chosen() -> None:
    assert choose(expected_costs(_rates(1.0)), 0) == 1.0


def test_nothing_seen_gives_the_break_even_time() -> None:
    curves = expected_costs(hazards(AgeHistogram()))
    assert [choose(curves, group) for group in range(CLASSES + 1)] == [1.0] * (CLASSES + 1)


def test_blobs_that_come_back_soon_or_never_are_kept_until_just_after_they_would_have_come() -> None:
    chosen = choose(expected_costs(hazards(_filled([0.1], lost=1_000))), 0)
    assert EDGES[bucket_of(np.array([0.1]))[0] + 1] == chosen


def test_blobs_that_never_come_back_are_dropped_at_once() -> None:
    assert choose(expected_costs(hazards(_filled([30.0], each=10, lost=2_000))), 0) < AT_ONCE


def test_blobs_that_all_come_back_before_the_break_even_time_are_kept_that_long() -> None:
    assert choose(expected_costs(hazards(_filled([0.9]))), 0) == 1.0


def test_returns_after_the_break_even_time_are_not_waited_for() -> None:
    assert choose(expected_costs(hazards(_filled([4.0], lost=10))), 0) < 0.01


def test_waiting_that_has_not_ended_counts() -> None:
    """Without it every blob seems to come back soon, and all are kept for long."""
    ended = _filled([0.5], each=100)
    with_waiting = _filled([0.5], each=100, lost=900)
    keep, drop = (choose(expected_costs(hazards(histogram)), 0) for histogram in (ended, with_waiting))
    assert keep >= 0.5
    assert drop < AT_ONCE


def test_classes_of_accesses_have_thresholds_of_their_own() -> None:
    histogram = _filled([30.0], each=10, lost=2_000, number=0)
    other = _filled([0.7], each=2_000, number=4)
    for name in AgeHistogram.__slots__:
        setattr(histogram, name, getattr(histogram, name) + getattr(other, name))
    curves = expected_costs(hazards(histogram))
    assert choose(curves, 1) < AT_ONCE
    assert choose(curves, 5) == pytest.approx(1.0, rel=0.2)


def test_a_class_of_which_nothing_is_known_is_expected_to_cost_what_all_do() -> None:
    curves = expected_costs(hazards(_filled([0.1], each=5_000, lost=5_000, number=1)))
    assert curves.costs[4] == pytest.approx(curves.costs[0], rel=0.01)
    assert curves.births[4] == 0


def test_blobs_that_all_come_back_at_one_age_are_expected_to_pay_rent_until_then_and_no_more() -> None:
    for age in (0.03, 0.7, 0.84):
        curves = expected_costs(hazards(_filled([age], each=100_000)))
        assert curves.costs[0, -1] == pytest.approx(age, rel=0.01)


def test_within_the_tolerance_the_nearest_to_the_break_even_time_wins() -> None:
    costs = np.full((1, BUCKETS + 1), 2.0)
    costs[0, 10], costs[0, 50] = 1.0, 1.002
    assert choose(Curves(costs, costs, np.array([1e9])), 0) == EDGES[50]
    costs[0, 50] = 1.01
    assert choose(Curves(costs, costs, np.array([1e9])), 0) == EDGES[10]
    assert choose(Curves(costs, costs, np.array([100.0])), 0) == EDGES[50]


def test_a_threshold_in_seconds_grows_with_the_break_even_time_of_the_size() -> None:
    costs = hot_to_warm(Prices())
    threshold = Threshold(costs, 0.5, (0.0, 0.1, 0.2, 0.3, 2.0))
    assert threshold.seconds(10_000) == pytest.approx(0.5 * costs.break_even_seconds(10_000))
    assert threshold.seconds(10_000, 1) == 0.0
    assert threshold.seconds(500, 99) == pytest.approx(2.0 * costs.break_even_seconds(500))
    assert threshold.fewest() == 2


def test_where_staying_is_free_nothing_moves() -> None:
    assert Threshold(hot_to_warm(Prices(ram_gb_month=0)), 0.0, (0.0,) * CLASSES).seconds(100) == float("inf")


def test_the_width_of_all_buckets_reaches_the_longest_age() -> None:
    assert WIDTHS.sum() == pytest.approx(EDGES[-1])
