"""Steering: a target that is missed moves the weight of rent and the budget of codecs, within bounds, and only then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratakv.policies.tuning.steering import FACTORS, WEIGHTS, Course, Measured, Targets, steer

TARGETS = Targets(75.0, 5.0)
PERCENTAGES = st.one_of(st.none(), st.floats(-1000, 100))


def test_too_little_saved_makes_rent_weigh_more_and_gives_codecs_more_time() -> None:
    course = steer(Course(), Measured(40.0, 1.0), TARGETS, 0.5)
    assert course.rent_weight > 1
    assert course.codec_factor > 1
    assert course.reason == "40.0% of the bytes are saved, 75% is wanted"


def test_too_much_waiting_makes_rent_weigh_less_even_where_too_little_is_saved() -> None:
    course = steer(Course(), Measured(40.0, 20.0), TARGETS, 0.5)
    assert course.rent_weight < 1
    assert course.codec_factor < 1
    assert course.reason == "callers wait 20.0% of the time for what lies below RAM, 5% is wanted"


def test_a_target_that_is_missed_by_more_moves_more() -> None:
    near, far = (steer(Course(), Measured(saved, 0.0), TARGETS, 0.5).rent_weight for saved in (70.0, 10.0))
    assert 1 < near < far


def test_what_was_moved_goes_home_when_the_targets_are_met() -> None:
    course = Course(8.0, 4.0)
    for _ in range(60):
        course = steer(course, Measured(80.0, 1.0), TARGETS, 0.5)
    assert course == Course(1.0, 1.0, "")


def test_a_target_out_of_reach_is_given_up_and_prices_count_again() -> None:
    course, heaviest = Course(), 1.0
    for _ in range(80):
        course = steer(course, Measured(10.0, 0.0), TARGETS, 0.5)
        heaviest = max(heaviest, course.rent_weight)
    assert 1.5 < heaviest < 16
    assert course[:2] == (1.0, 1.0)


def test_a_target_that_comes_nearer_is_pursued() -> None:
    course = Course()
    for saved in range(10, 70, 2):
        course = steer(course, Measured(float(saved), 0.0), TARGETS, 0.5)
    assert course.rent_weight > 4
    assert "is wanted" in course.reason


def test_nothing_known_changes_nothing() -> None:
    assert steer(Course(), Measured(None, None), TARGETS, 1.0) == Course()


def test_a_learning_rate_of_zero_never_moves() -> None:
    assert steer(Course(2.0, 2.0), Measured(0.0, 100.0), TARGETS, 0.0)[:2] == (2.0, 2.0)


@given(st.lists(st.tuples(PERCENTAGES, st.one_of(st.none(), st.floats(0, 10_000))), max_size=60), st.floats(0, 1))
def test_weights_stay_within_their_bounds(measured: list[tuple[float | None, float | None]], rate: float) -> None:
    course = Course()
    for each in measured:
        course = steer(course, Measured(*each), TARGETS, rate)
        assert WEIGHTS[0] <= course.rent_weight <= WEIGHTS[1]
        assert FACTORS[0] <= course.codec_factor <= FACTORS[1]
