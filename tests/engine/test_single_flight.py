"""Callers who want one thing at the same time share the work, its result and its failure."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from stratakv.engine.single_flight import SingleFlight

CALLERS = 8


class Slow:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, argument: object) -> object:
        self.calls.append(argument)
        self.begun.set()
        assert self.go_on.wait(30)
        if isinstance(argument, Exception):
            raise argument
        return [argument]


def run_together(flights: SingleFlight[object], work: Slow, argument: object) -> list[object]:
    """Have all callers join one flight; return what each got, results or failures."""
    asked = threading.Semaphore(0)

    def ask() -> object:
        asked.release()
        try:
            return flights.run(("name", 1), work, argument)
        except ZeroDivisionError as failure:
            return failure

    with ThreadPoolExecutor(CALLERS) as pool:
        leader = pool.submit(ask)
        assert work.begun.wait(30)
        others = [pool.submit(ask) for _ in range(CALLERS - 1)]
        for _ in range(CALLERS):
            asked.acquire()
        work.go_on.set()
        return [caller.result() for caller in (leader, *others)]


def test_callers_get_the_result_of_the_first() -> None:
    flights: SingleFlight[object] = SingleFlight()
    found = run_together(flights, work := Slow(), "argument")
    assert found == [["argument"]] * CALLERS
    assert 1 <= len(work.calls) < CALLERS
    assert not flights._flights


def test_callers_get_the_failure_of_the_first() -> None:
    flights: SingleFlight[object] = SingleFlight()
    failure = ZeroDivisionError("no")
    assert run_together(flights, work := Slow(), failure) == [failure] * CALLERS
    assert 1 <= len(work.calls) < CALLERS
    assert not flights._flights


def test_work_that_ended_is_done_again() -> None:
    flights: SingleFlight[int] = SingleFlight()
    numbers = iter(range(3))
    assert [flights.run("name", next, numbers) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(StopIteration):
        flights.run("name", next, numbers)
    assert not flights._flights


def test_things_of_other_names_do_not_wait() -> None:
    flights: SingleFlight[object] = SingleFlight()
    work = Slow()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(flights.run, "slow", work, 1)
        assert work.begun.wait(30)
        assert flights.run("quick", str, 2) == "2"
        work.go_on.set()
        assert slow.result() == [1]


def test_work_that_asks_for_itself_does_not_wait_for_itself() -> None:
    flights: SingleFlight[int] = SingleFlight()

    def depth(left: int) -> int:
        return 1 + flights.run("name", depth, left - 1) if left else 0

    assert flights.run("name", depth, 3) == 3
