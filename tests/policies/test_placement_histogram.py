"""Histograms of idle ages: where time, returns and ends are counted, forgetting, and state that survives."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stratakv.errors import StrataError
from stratakv.policies.placement.histogram import (
    BUCKETS,
    CLASSES,
    EDGES,
    LONGEST,
    WIDTHS,
    AgeHistogram,
    access_class,
    access_classes,
    bucket_of,
)


def _floats(*numbers: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array(numbers, dtype=np.float64)


def _classes(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, dtype=np.int64)


def test_access_classes_are_1_2_4_8_and_16_accesses_and_more() -> None:
    counts = [1, 2, 3, 4, 7, 8, 15, 16, 1000]
    assert [access_class(count) for count in counts] == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert access_classes(np.array(counts)).tolist() == [access_class(count) for count in counts]


def test_there_are_four_buckets_an_octave_and_one_begins_at_the_break_even_time() -> None:
    assert bucket_of(_floats(2.0))[0] - bucket_of(_floats(1.0))[0] == 4
    assert EDGES[bucket_of(_floats(1.0))[0]] == 1.0
    assert bucket_of(_floats(0.0, LONGEST, 1e9)).tolist() == [0, BUCKETS - 1, BUCKETS - 1]


def test_a_wait_is_spread_over_the_buckets_that_it_passed() -> None:
    histogram = AgeHistogram()
    histogram.wait(_classes(2), _floats(0.0), _floats(1.5), _floats(3.0))
    exposure = histogram.exposure[2]
    assert exposure.sum() == pytest.approx(3.0 * 1.5)
    full = EDGES[1:] <= 1.0
    assert exposure[full] == pytest.approx(3.0 * WIDTHS[full])
    assert exposure[EDGES[:-1] > 1.5].sum() == 0
    assert histogram.exposure.sum() == pytest.approx(exposure.sum())


def test_what_reaches_a_bucket_is_counted_once_also_where_it_is_logged_in_parts() -> None:
    histogram = AgeHistogram()
    histogram.begin(_classes(1), _floats(3.0), _floats(0.0))
    histogram.wait(_classes(1), _floats(0.0), _floats(0.3), _floats(3.0))
    histogram.wait(_classes(1), _floats(0.3), _floats(1.1), _floats(3.0))
    reached = EDGES[:-1] <= 1.1
    assert histogram.entered[1] == pytest.approx(3.0 * reached)


def test_waiting_that_is_logged_in_two_parts_counts_as_one() -> None:
    whole, parts = AgeHistogram(), AgeHistogram()
    whole.wait(_classes(0, 1), _floats(0.0, 0.0), _floats(0.7, 40.0), _floats(1.0, 2.0))
    parts.wait(_classes(0, 1), _floats(0.0, 0.0), _floats(0.3, 1.0), _floats(1.0, 2.0))
    parts.wait(_classes(0, 1), _floats(0.3, 1.0), _floats(0.7, 40.0), _floats(1.0, 2.0))
    assert parts.exposure == pytest.approx(whole.exposure)


def test_an_end_is_not_a_return() -> None:
    histogram = AgeHistogram()
    returned = np.array([True, False])
    histogram.end(_classes(0, 0), _floats(0.5, 0.5), _floats(2.0, 5.0), returned)
    bucket = bucket_of(_floats(0.5))[0]
    assert histogram.returns[0, bucket] == 2.0
    assert histogram.ends[0, bucket] == 5.0
    assert histogram.events[0] == 2


def test_what_begins_to_wait_is_counted_by_weight() -> None:
    histogram = AgeHistogram()
    histogram.begin(_classes(0, 0, 3), _floats(2.0, 4.0, 1.0), _floats(0.1, 0.2, 0.4))
    assert histogram.weight.tolist() == [6.0, 0, 0, 1.0, 0]
    assert histogram.square.tolist() == [20.0, 0, 0, 1.0, 0]
    assert histogram.moving == pytest.approx(np.array([0.3, 0, 0, 0.4, 0]))


def _some() -> AgeHistogram:
    histogram = AgeHistogram()
    histogram.wait(_classes(0, 4), _floats(0.0, 0.1), _floats(0.5, 3.0), _floats(2.0, 5.0))
    histogram.begin(_classes(0, 4), _floats(2.0, 5.0), _floats(0.1, 0.2))
    histogram.end(_classes(0, 4), _floats(0.5, 3.0), _floats(2.0, 5.0), np.array([True, False]))
    histogram.seconds += 100.0
    return histogram


def test_forgetting_keeps_rates_and_loses_weight() -> None:
    histogram, whole = _some(), _some()
    histogram.forget(0.25)
    assert histogram.returns == pytest.approx(whole.returns / 4)
    assert histogram.exposure == pytest.approx(whole.exposure / 4)
    assert histogram.seconds[0] == 25.0


def test_another_share_of_watched_keys_changes_weights_and_not_the_time() -> None:
    histogram, whole = _some(), _some()
    histogram.resample(0.5)
    assert histogram.exposure == pytest.approx(whole.exposure / 2)
    assert histogram.seconds[0] == 100.0


def test_a_histogram_goes_a_share_of_the_way_to_another() -> None:
    histogram, goal = AgeHistogram(), _some()
    histogram.approach(goal, 0.5)
    histogram.approach(goal, 0.5)
    assert histogram.returns == pytest.approx(0.75 * goal.returns)


def test_state_survives_json() -> None:
    histogram = _some()
    restored = AgeHistogram.from_state(json.loads(json.dumps(histogram.to_state())))
    for name in AgeHistogram.__slots__:
        assert getattr(restored, name).tolist() == getattr(histogram, name).tolist()
    assert restored.exposure.shape == (CLASSES, BUCKETS)


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 99},
        {"an_octave": 8},
        {"returns": [[0.0]]},
        {"exposure": None},
        {"weight": [1.0, 2.0, -3.0, 0.0, 0.0]},
        {"weight": [1.0, 2.0, float("nan"), 0.0, 0.0]},
        {"ends": "many"},
    ],
)
def test_damaged_state_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(StrataError, match="it starts anew"):
        AgeHistogram.from_state({**_some().to_state(), **damage})


def test_what_is_no_state_is_refused() -> None:
    with pytest.raises(StrataError, match="it starts anew"):
        AgeHistogram.from_state(None)
