"""The circuit breaker by itself: when it opens, how long it rests, and that one caller at a time tries again."""

from __future__ import annotations

import threading

import pytest

from stratakv import ManualClock
from stratakv.engine.breaker import (
    FAILURES,
    FIRST_REST_SECONDS,
    LONGEST_REST_SECONDS,
    PATIENCE_SECONDS,
    CircuitBreaker,
)
from stratakv.testing.backend_material import in_threads


def opened(clock: ManualClock) -> CircuitBreaker:
    """Return a breaker that has just opened."""
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES):
        assert breaker.admit() == 0
        breaker.failed("down", 0.1)
    assert breaker.state == "open"
    return breaker


def test_it_opens_after_some_failures_in_a_row() -> None:
    breaker = CircuitBreaker(ManualClock())
    for _ in range(10):
        breaker.admit()
        breaker.failed("now and then", 0.1)
        breaker.admit()
        breaker.succeeded()
    assert (breaker.state, breaker.opened) == ("closed", 0)
    for _ in range(FAILURES):
        assert breaker.state == "closed"
        breaker.failed("down", 0.1)
    assert (breaker.state, breaker.opened, breaker.last_failure) == ("open", 1, "down")


def test_one_failure_that_took_long_opens_it() -> None:
    breaker = CircuitBreaker(ManualClock())
    breaker.admit()
    breaker.failed("no answer", PATIENCE_SECONDS - 0.1)
    assert breaker.state == "closed"
    breaker.admit()
    breaker.failed("no answer", PATIENCE_SECONDS)
    assert breaker.state == "open"


def test_open_it_says_how_long_it_rests_and_then_lets_one_through() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    assert breaker.admit() == pytest.approx(FIRST_REST_SECONDS)
    clock.advance(FIRST_REST_SECONDS - 0.01)
    assert breaker.admit() > 0
    clock.advance(0.01)
    assert breaker.state == "half-open"
    assert breaker.admit() == 0
    breaker.succeeded()
    assert breaker.state == "closed"
    assert breaker.admit() == 0


def test_the_rest_doubles_up_to_a_bound_and_a_success_shortens_it_again() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    rests = []
    for _ in range(10):
        rests.append(breaker.admit())
        clock.advance(rests[-1])
        assert breaker.admit() == 0
        breaker.failed("still down", 0.1)
    assert rests == pytest.approx([min(2**n * FIRST_REST_SECONDS, LONGEST_REST_SECONDS) for n in range(10)])
    clock.advance(LONGEST_REST_SECONDS)
    assert breaker.admit() == 0
    breaker.succeeded()
    for _ in range(FAILURES):
        breaker.failed("down again", 0.1)
    assert breaker.admit() == pytest.approx(FIRST_REST_SECONDS)


def test_of_many_threads_exactly_one_is_let_through_as_a_probe() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    for _ in range(20):
        clock.advance(LONGEST_REST_SECONDS)
        start = threading.Barrier(8)
        asked = threading.Barrier(8)
        let_through: list[int] = []

        def ask(
            number: int,
            start: threading.Barrier = start,
            asked: threading.Barrier = asked,
            let_through: list[int] = let_through,
        ) -> None:
            start.wait()
            admitted = breaker.admit() == 0
            if admitted:
                let_through.append(number)
            asked.wait()
            if admitted:
                breaker.failed("still down", 0.1)

        in_threads(8, ask)
        assert len(let_through) == 1


@pytest.mark.parametrize("outcome", ["failed", "gave up"])
def test_a_call_from_before_it_opened_is_not_taken_for_the_probe(outcome: str) -> None:
    clock = ManualClock()
    breaker = CircuitBreaker(clock)
    begun, go_on = threading.Event(), threading.Event()

    def old_call() -> None:
        assert breaker.admit() == 0
        begun.set()
        go_on.wait()
        if outcome == "failed":
            breaker.failed("an old call", 0.1)
        else:
            breaker.gave_up()

    thread = threading.Thread(target=old_call)
    thread.start()
    begun.wait()
    for _ in range(FAILURES):
        breaker.failed("down", 0.1)
    clock.advance(FIRST_REST_SECONDS)
    assert breaker.admit() == 0, "the probe"
    go_on.set()
    thread.join()
    clock.advance(LONGEST_REST_SECONDS)
    assert breaker.admit() > 0, "the probe is still under way"
    assert breaker.opened == 1
    breaker.succeeded()
    assert breaker.state == "closed"


def test_a_probe_that_was_interrupted_leaves_the_next_caller_to_try() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    clock.advance(FIRST_REST_SECONDS)
    assert breaker.admit() == 0
    assert breaker.admit() > 0
    breaker.gave_up()
    assert breaker.state == "half-open"
    assert breaker.admit() == 0


def test_failures_of_calls_under_way_do_not_lengthen_the_rest() -> None:
    clock = ManualClock()
    breaker = opened(clock)
    for _ in range(20):
        breaker.failed("one of many that waited", PATIENCE_SECONDS)
    assert breaker.opened == 1
    assert breaker.admit() == pytest.approx(FIRST_REST_SECONDS)
