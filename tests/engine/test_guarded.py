"""A tier behind its breaker: what callers are told, what passes, and how fast it is written to."""

from __future__ import annotations

import threading

import pytest

from stratakv import ManualClock
from stratakv.backends.base import ObjectNotFoundError
from stratakv.backends.memory import MemoryBackend
from stratakv.engine.breaker import FAILURES, FIRST_REST_SECONDS, CircuitBreaker
from stratakv.engine.guarded import GuardedBackend
from stratakv.errors import CapacityError, TierUnavailableError
from stratakv.testing import RecordingBackend, SlowBackend
from tests.tiers.sick_backends import SickBackend

MB = 1 << 20


def guard(inner: RecordingBackend, clock: ManualClock, rate: float | None = None) -> GuardedBackend:
    return GuardedBackend(inner, CircuitBreaker(clock), clock, rate)


def test_errors_name_tier_and_place_while_it_fails_and_while_it_is_not_asked() -> None:
    clock, sick = ManualClock(), SickBackend(MemoryBackend())
    guarded = guard(sick, clock)
    guarded.put("a", b"content")
    sick.fail_with(TierUnavailableError, "connection refused")
    for _ in range(FAILURES):
        with pytest.raises(TierUnavailableError, match=r"the cold tier at MemoryBackend.*connection refused"):
            guarded.get("a")
    sick.calls.clear()
    calls = (
        lambda: guarded.get("a"),
        lambda: guarded.get_range("a", 0, 1),
        lambda: guarded.size("a"),
        lambda: guarded.put("b", b""),
        lambda: guarded.create("b", b""),
        lambda: guarded.delete("a"),
        lambda: guarded.delete_many(["a"]),
        guarded.list,
    )
    for call in calls:
        with pytest.raises(TierUnavailableError, match=r"the cold tier at MemoryBackend.*connection refused") as caught:
            call()
        assert caught.value.retryable
    assert sick.calls == [], "an open breaker asks nothing"
    sick.recover()
    clock.advance(FIRST_REST_SECONDS)
    assert guarded.get("a") == b"content"
    assert guarded.breaker.state == "closed"


@pytest.mark.parametrize("answer", [CapacityError, ObjectNotFoundError])
def test_a_refusal_is_an_answer(answer: type[CapacityError | ObjectNotFoundError]) -> None:
    sick = SickBackend(MemoryBackend())
    guarded = guard(sick, ManualClock())
    sick.fail_with(answer, "no")
    for _ in range(2 * FAILURES):
        with pytest.raises(answer):
            guarded.get("a")
    assert guarded.breaker.state == "closed"


def test_one_call_that_hangs_and_fails_is_the_last_one() -> None:
    clock, sick = ManualClock(), SickBackend(MemoryBackend())
    guarded = GuardedBackend(SlowBackend(sick, clock, 30), CircuitBreaker(clock), clock)
    sick.fail_with(TierUnavailableError, "no answer in time")
    before = clock.monotonic()
    for _ in range(5):
        with pytest.raises(TierUnavailableError):
            guarded.get("a")
    assert len(sick.calls) == 1
    assert clock.monotonic() - before == 30


def test_an_interrupted_call_says_nothing_of_the_tier() -> None:
    clock, sick = ManualClock(), SickBackend(MemoryBackend())
    guarded = guard(sick, clock)
    guarded.put("a", b"content")
    sick.fail_with(TierUnavailableError, "down")
    for _ in range(FAILURES):
        with pytest.raises(TierUnavailableError):
            guarded.get("a")
    clock.advance(FIRST_REST_SECONDS)
    sick.fail_with(KeyboardInterrupt, "")
    with pytest.raises(KeyboardInterrupt):
        guarded.get("a")
    sick.recover()
    assert guarded.get("a") == b"content", "the next caller is the probe"


def test_writes_pass_at_the_rate_and_reads_at_once() -> None:
    clock = ManualClock()
    guarded = guard(RecordingBackend(MemoryBackend()), clock, rate=2 * MB)
    guarded.put("first", b"x" * MB)
    assert clock.monotonic() == 0, "after a while of quiet nothing waits"
    for number in range(8):
        guarded.put(f"{number}", b"x" * MB)
    assert clock.monotonic() == pytest.approx(4)
    guarded.get("first")
    guarded.create("created", b"x" * MB)
    assert clock.monotonic() == pytest.approx(4)


def test_what_is_refused_neither_waits_nor_uses_up_the_rate() -> None:
    clock, sick = ManualClock(), SickBackend(MemoryBackend())
    guarded = guard(sick, clock, rate=MB)
    sick.fail_with(TierUnavailableError, "down")
    for _ in range(FAILURES):
        with pytest.raises(TierUnavailableError):
            guarded.put("a", b"x")
    before = clock.monotonic()
    for _ in range(10):
        with pytest.raises(TierUnavailableError):
            guarded.put("a", b"x" * 8 * MB)
    assert clock.monotonic() == before
    sick.recover()
    clock.advance(FIRST_REST_SECONDS)
    before = clock.monotonic()
    guarded.put("a", b"x" * MB)
    assert clock.monotonic() == before


def test_a_store_that_shuts_down_does_not_wait_for_its_turn() -> None:
    clock = ManualClock()
    guarded = guard(RecordingBackend(MemoryBackend()), clock, rate=1)
    guarded.put("a", b"x" * 3600)
    guarded.stopping.set()
    guarded.put("b", b"x" * 3600)
    assert clock.monotonic() == 0


def test_a_hanging_tier_holds_up_one_caller_of_many() -> None:
    """Seven readers come while the eighth probes: they hear at once that the tier is away."""
    clock, sick = ManualClock(), SickBackend(MemoryBackend())
    guarded = guard(sick, clock)
    guarded.put("a", b"content")
    sick.fail_with(TierUnavailableError, "down")
    for _ in range(FAILURES):
        with pytest.raises(TierUnavailableError):
            guarded.get("a")
    clock.advance(FIRST_REST_SECONDS)
    sick.recover()
    sick.hang()
    found: list[bytes] = []
    probe = threading.Thread(target=lambda: found.append(guarded.get("a")))
    probe.start()
    sick.hangs.wait()
    for _ in range(7):
        with pytest.raises(TierUnavailableError):
            guarded.get("a")
    sick.go_on()
    probe.join()
    assert found == [b"content"]
    assert guarded.get("a") == b"content"
