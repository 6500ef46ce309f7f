"""Trials: a change is judged by what requests cost before and after, not too early, and not twice in a row."""

from __future__ import annotations

from stratakv.policies.tuning.trials import LEAST_REQUESTS, LONGEST_TRIAL, Spent, Trials

NAME = ("hot->warm", 0)
BEFORE = Spent(10.0, 1000)
WORSE = Spent(40.0, 1000)
BETTER = Spent(5.0, 1000)


def test_a_change_that_made_requests_dearer_fails_once_its_time_is_over() -> None:
    trials = Trials(rest=600.0)
    trials.begin(NAME, 0.0, 100.0, BEFORE)
    assert trials.failed(NAME, 50.0, WORSE) is None
    assert not trials.may_change(NAME, 60.0)
    failed = trials.failed(NAME, 150.0, WORSE)
    assert failed is not None
    assert failed.before.each == 0.01
    assert failed.after.each == 0.04


def test_what_failed_is_not_tried_again_before_its_rest_is_over() -> None:
    trials = Trials(rest=600.0)
    trials.begin(NAME, 0.0, 100.0, BEFORE)
    assert trials.failed(NAME, 100.0, WORSE) is not None
    assert not trials.may_change(NAME, 699.0)
    assert trials.may_change(NAME, 700.0)


def test_a_change_that_made_requests_cheaper_stays() -> None:
    trials = Trials(rest=600.0)
    trials.begin(NAME, 0.0, 100.0, BEFORE)
    assert trials.failed(NAME, 100.0, BETTER) is None
    assert trials.may_change(NAME, 100.0)


def test_few_requests_say_nothing() -> None:
    trials = Trials(rest=600.0)
    trials.begin(NAME, 0.0, 100.0, BEFORE)
    few = Spent(1000.0, LEAST_REQUESTS - 1)
    assert trials.failed(NAME, 200.0, few) is None
    assert trials.failed(NAME, 300.0, Spent(0.1, 1)) is not None


def test_a_change_after_few_requests_is_on_no_trial() -> None:
    trials = Trials(rest=600.0)
    trials.begin(NAME, 0.0, 100.0, Spent(1.0, LEAST_REQUESTS - 1))
    assert trials.may_change(NAME, 1.0)


def test_no_trial_is_longer_than_an_hour() -> None:
    trials = Trials(rest=600.0)
    trials.begin(NAME, 0.0, 1e9, BEFORE)
    assert trials.failed(NAME, LONGEST_TRIAL, WORSE) is not None
