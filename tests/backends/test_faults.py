"""The fault backends fail as asked, and only so."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from stratakv.backends import DirectoryBackend, MemoryBackend, ObjectNotFoundError
from stratakv.clock import ManualClock
from stratakv.errors import ConfigurationError, TierUnavailableError
from stratakv.testing import Call, CrashBackend, FlakyBackend, RecordingBackend, SimulatedCrash, SlowBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(("when", "survivors"), [("before", ["1"]), ("after", ["1", "2"])])
def test_a_crash_happens_before_or_after_the_effect(tmp_path: Path, when: str, survivors: list[str]) -> None:
    backend = CrashBackend(DirectoryBackend(tmp_path), "put", at=2, when="after" if when == "after" else "before")
    backend.put("1", b"x")
    with pytest.raises(SimulatedCrash, match=f"{when} put 2"):
        backend.put("2", b"x")
    assert backend.crashed
    reopened = DirectoryBackend(tmp_path)
    assert sorted(info.name for info in reopened.list()) == survivors
    reopened.close()


def test_after_a_crash_every_call_is_refused() -> None:
    backend = CrashBackend(MemoryBackend(), "any")
    for _ in range(2):
        with pytest.raises(SimulatedCrash):
            backend.get("1")
    calls: list[Callable[[], object]] = [
        lambda: backend.put("1", b""),
        lambda: backend.get_range("1", 0, 1),
        lambda: backend.size("1"),
        lambda: backend.delete("1"),
        lambda: list(backend.list()),
        backend.bytes_on_disk,
        backend.close,
    ]
    for call in calls:
        with pytest.raises(SimulatedCrash, match="after the crash"):
            call()


def test_only_matching_names_count_towards_the_crash() -> None:
    backend = CrashBackend(MemoryBackend(), "delete", matching="cold/")
    backend.delete("warm/1")
    backend.put("cold/1", b"x")
    with pytest.raises(SimulatedCrash):
        backend.delete("cold/1")


def test_a_crash_passes_handlers_of_errors() -> None:
    assert not issubclass(SimulatedCrash, Exception)


def test_a_plan_decides_call_by_call() -> None:
    backend = FlakyBackend(MemoryBackend(), plan=[None, "before", "after"])
    backend.put("1", b"x")
    with pytest.raises(TierUnavailableError, match="refused"):
        backend.put("2", b"x")
    with pytest.raises(TierUnavailableError, match="answer lost"):
        backend.put("3", b"x")
    assert sorted(info.name for info in backend.list()) == ["1", "3"]
    assert backend.failures == 2
    backend.close()


def test_calls_that_may_not_fail_do_not_use_up_the_plan() -> None:
    backend = FlakyBackend(MemoryBackend(), plan=["before"], calls=["get"])
    backend.put("1", b"x")
    with pytest.raises(TierUnavailableError):
        backend.get("1")
    assert backend.get("1") == b"x"


def test_the_same_seed_fails_the_same_calls_at_about_the_rate() -> None:
    def failures(seed: int) -> list[int]:
        backend = FlakyBackend(MemoryBackend(), rate=0.25, chance=Random(seed).random)
        failed = []
        for number in range(400):
            try:
                backend.put(f"{number}", b"x")
            except TierUnavailableError:
                failed.append(number)
        assert backend.failures == len(failed)
        return failed

    assert failures(1) == failures(1)
    assert failures(1) != failures(2)
    assert 50 < len(failures(1)) < 150


def test_errors_of_the_inner_backend_pass_through() -> None:
    for backend in (
        CrashBackend(MemoryBackend()),
        FlakyBackend(MemoryBackend()),
        RecordingBackend(MemoryBackend()),
    ):
        with pytest.raises(ObjectNotFoundError):
            backend.get("missing")


def test_slowness_lets_the_clocks_time_pass() -> None:
    clock = ManualClock()
    backend = SlowBackend(MemoryBackend(), clock, 0.5, calls=["put", "get"])
    backend.put("1", b"x")
    backend.get("1")
    backend.size("1")
    assert clock.monotonic() == 1.0


def test_a_recording_names_calls_and_sizes_in_order() -> None:
    backend = RecordingBackend(MemoryBackend())
    backend.put("packs/1", b"four")
    backend.get_range("packs/1", 1, 2)
    list(backend.list("packs/"))
    backend.delete("packs/1")
    with pytest.raises(ObjectNotFoundError):
        backend.get("packs/1")
    assert backend.calls == [
        Call("put", "packs/1", 4),
        Call("get_range", "packs/1", 2),
        Call("list", "packs/", -1),
        Call("delete", "packs/1", -1),
        Call("get", "packs/1", -1),
    ]
    assert backend.count("put") == 1
    assert backend.count("size") == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda inner: CrashBackend(inner, "write"),
        lambda inner: CrashBackend(inner, "put", at=0),
        lambda inner: FlakyBackend(inner, rate=0.5),
        lambda inner: FlakyBackend(inner, rate=2, chance=Random(1).random),
        lambda inner: FlakyBackend(inner, calls=["write"]),
        lambda inner: SlowBackend(inner, ManualClock(), -1),
        lambda inner: SlowBackend(inner, ManualClock(), 1, calls=["write"]),
        lambda inner: RecordingBackend(inner).count("write"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(make: Callable[[MemoryBackend], object]) -> None:
    with pytest.raises(ConfigurationError):
        make(MemoryBackend())
