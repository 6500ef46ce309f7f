"""A cold tier that fails, hangs, lies or goes away: the others go on, its keys say so, nothing is lost."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, SystemClock
from stratakv.engine.breaker import FAILURES, LONGEST_REST_SECONDS
from stratakv.errors import CorruptionError, StrataError, TierUnavailableError
from stratakv.testing import FlakyBackend, RecordingBackend, SlowBackend
from tests.tiers.sick_backends import (
    COLD,
    HOT,
    HOUR,
    WARM,
    SickBackend,
    check_sums,
    far,
    in_tier,
    leave_ram,
    noise,
    open_store,
    three_tiers,
    told,
)
from tests.tiers.test_overflow import until

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.backends.base import Backend


# -- down and up again ---------------------------------------------------------------------------------------


def test_while_cold_is_down_the_others_go_on_and_its_keys_say_so(tmp_path: Path) -> None:
    clock, sick = ManualClock(), SickBackend(far(tmp_path))
    with three_tiers(tmp_path, sick, clock) as (memory, cold, warm, hot):
        sick.fail_with(TierUnavailableError, "no route to host")
        keys = iter(cold)
        for number in range(2 * FAILURES):
            with pytest.raises(TierUnavailableError, match=r"the cold tier at .*far.*no route to host") as caught:
                memory.retrieve(next(keys))
            assert caught.value.retryable
            assert told(memory)["state"] == ("closed" if number + 1 < FAILURES else "open")
        with pytest.raises(TierUnavailableError, match=r"the cold tier at"):
            memory.retrieve_many([*cold, *warm])
        assert memory.retrieve_many(hot) == hot
        assert memory.retrieve_many(warm) == warm
        assert memory.tiered_storage.read(next(iter(hot))) == (hot[next(iter(hot))], HOT)
        assert all(key in memory for key in cold), "whether it is there needs no cold tier"
        assert len(memory) == len(cold) + len(warm) + len(hot)
        assert set(memory) == {*cold, *warm, *hot}
        memory.store("new", 1)
        key = next(keys)
        assert memory.delete(key)
        del cold[key]
        with pytest.raises(TierUnavailableError):
            memory.maintain(settle=True)
        assert "no route to host" in told(memory)["failures"]
        asked = len(sick.calls)
        for key in cold:
            with pytest.raises(TierUnavailableError):
                memory.retrieve(key)
        assert len(sick.calls) == asked, "an open breaker asks nothing"
        sick.recover()
        clock.advance(LONGEST_REST_SECONDS)
        assert memory.retrieve_many(cold) == cold
        memory.maintain(settle=True)
        assert told(memory)["state"] == "closed"
        assert memory.retrieve_many({**cold, **warm, **hot, "new": 1}) == {**cold, **warm, **hot, "new": 1}
        check_sums(memory)


def test_a_store_with_threads_finds_out_by_itself_that_cold_is_back(tmp_path: Path) -> None:
    sick = SickBackend(far(tmp_path))
    settings = {
        "storage": {"checkpoint_interval_seconds": 0.02},
        "tiered_storage": {"migration_interval_seconds": 0.02, "warm_to_cold_idle_hours": 0},
    }
    with open_store(tmp_path / "store", sick, SystemClock(), **settings) as memory:
        sick.fail_with(TierUnavailableError, "no route to host")
        values = noise(50)
        memory.store_many(values)
        until(lambda: told(memory)["state"] != "closed")
        more = noise(50, "more")
        memory.store_many(more)
        memory.flush()
        assert memory.retrieve_many({**values, **more}) == {**values, **more}
        sick.recover()
        until(lambda: in_tier(memory, COLD, {**values, **more}) == {*values, *more})
        leave_ram(memory)
        assert memory.retrieve_many({**values, **more}) == {**values, **more}


def test_on_recovery_the_backlog_drains_at_the_bounded_rate(tmp_path: Path) -> None:
    clock, sick = ManualClock(), SickBackend(far(tmp_path))
    values = noise(400)
    with open_store(tmp_path / "store", sick, clock, cold={"upload_mb_per_second": 0.25}) as memory:
        sick.fail_with(TierUnavailableError, "away")
        memory.store_many(values)
        with pytest.raises(TierUnavailableError):
            memory.maintain(settle=True)
        assert in_tier(memory, WARM, values) == set(values)
        sick.recover()
        clock.advance(HOUR)
        before, sick.calls[:] = clock.monotonic(), []
        memory.maintain(settle=True)
        uploaded = sum(call.size for call in sick.calls if call.call == "put")
        assert in_tier(memory, COLD, values) == set(values)
        assert uploaded > 390_000
        last = max(call.size for call in sick.calls if call.call == "put")
        # What is written first waits for nothing, and what it was is waited for by the next.
        assert clock.monotonic() - before >= 0.9 * (uploaded - last) / (0.25 * (1 << 20))
        assert clock.monotonic() - before <= 1.1 * uploaded / (0.25 * (1 << 20))
        assert memory.retrieve_many(values) == values


def test_a_put_whose_answer_was_lost_leaves_nothing_behind(tmp_path: Path) -> None:
    """The pack is there, nobody names it; a later round of the same session removes it."""
    clock = ManualClock()
    plan: list[Any] = [None, "after", None, "after", None]
    inner = far(tmp_path)
    flaky = FlakyBackend(inner, plan=plan, calls={"put"})
    values = noise(300)
    with open_store(tmp_path / "store", flaky, clock) as memory:
        memory.store_many(values)
        for _ in range(2):
            with pytest.raises(TierUnavailableError, match="answer lost"):
                memory.maintain(settle=True)
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        assert flaky.failures == 2
        assert in_tier(memory, COLD, values) == set(values)
        check_sums(memory)
        tiers = memory.get_statistics()["tiered_storage"]
        packs = sum(info.size for info in inner.list("packs/"))
        assert packs <= tiers["cold_usage_bytes"] <= packs + 64 * 1024
        leave_ram(memory)
        assert memory.retrieve_many(values) == values
        assert memory.get_statistics()["deduplication"]["unique_contents"] == len(values)


# -- slow and hanging ----------------------------------------------------------------------------------------


def test_answers_that_never_come_open_the_breaker_at_once(tmp_path: Path) -> None:
    clock, sick = ManualClock(), SickBackend(far(tmp_path))
    slow = SlowBackend(sick, clock, 30, calls={"get_range"})
    with three_tiers(tmp_path, slow, clock) as (memory, cold, warm, hot):
        sick.fail_with(TierUnavailableError, "no answer in time", only={"get_range"})
        before = clock.monotonic()
        for key in cold:
            with pytest.raises(TierUnavailableError, match="no answer in time"):
                memory.retrieve(key)
        assert clock.monotonic() - before == 30, "one caller waited, once"
        assert told(memory)["state"] == "open"
        assert memory.retrieve_many({**warm, **hot}) == {**warm, **hot}


def test_many_readers_of_a_hanging_tier_leave_the_others_alone(tmp_path: Path) -> None:
    sick = SickBackend(far(tmp_path))
    with three_tiers(tmp_path, sick, SystemClock()) as (memory, cold, warm, hot):
        sick.hang(only={"get_range"})
        found: dict[str, object] = {}
        readers = [threading.Thread(target=lambda key=key: found.update({key: memory[key]})) for key in cold]
        for reader in readers:
            reader.start()
        sick.hangs.wait()
        assert memory.retrieve_many({**warm, **hot}) == {**warm, **hot}
        for number in range(500):
            memory.store(f"new:{number}", number)
        memory.flush()
        assert memory["new:499"] == 499
        sick.go_on()
        for reader in readers:
            reader.join()
        assert found == cold


@pytest.mark.parametrize("call", ["list", "get_range"])
def test_a_store_shuts_down_while_cold_hangs(tmp_path: Path, call: str) -> None:
    sick = SickBackend(far(tmp_path))
    settings = {
        "storage": {"checkpoint_interval_seconds": 0.05, "grace_seconds": 0},
        "tiered_storage": {
            "migration_interval_seconds": 0.05, "warm_to_cold_idle_hours": 0, "promote_to_warm_accesses": 1,
        },
    }  # fmt: skip
    memory = open_store(tmp_path / "store", sick, SystemClock(), cold={"backup_interval_seconds": 0.05}, **settings)
    values = noise(100)
    memory.store_many(values)
    until(lambda: in_tier(memory, COLD, values) == set(values))
    leave_ram(memory)
    doomed = noise(100, "doomed")
    memory.store_many(doomed)
    until(lambda: in_tier(memory, COLD, doomed) == set(doomed))
    sick.hang(only={call})

    def read() -> None:
        with suppress(StrataError):  # the store is closed under it
            memory.retrieve_many(list(values)[:10])

    reader = threading.Thread(target=read)
    reader.start()
    memory.delete_many(doomed)
    more = noise(50, "more")
    memory.store_many(more)
    sick.hangs.wait(20)
    assert sick.hangs.is_set()
    last = noise(50, "last")
    memory.store_many(last)
    memory.shutdown()  # returns though the call is never answered
    sick.go_on()
    reader.join()
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        assert memory.retrieve_many({**values, **more, **last}) == {**values, **more, **last}
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        check_sums(memory)


# -- altered bodies ------------------------------------------------------------------------------------------


class LyingBackend(RecordingBackend):
    """Alters or cuts the answers to so many reads."""

    def __init__(self, inner: Backend, how: str) -> None:
        super().__init__(inner)
        self.times = 0
        self._cut = how == "cut"

    def get_range(self, name: str, start: int, length: int) -> bytes:
        found = bytearray(super().get_range(name, start, length))
        if self.times > 0:
            self.times -= 1
            if self._cut:
                del found[len(found) // 2 :]
            else:
                found[len(found) // 2] ^= 1
        return bytes(found)


@pytest.mark.parametrize("how", ["cut", "altered"])
def test_a_body_that_is_wrong_once_is_read_again_and_one_always_wrong_is_named(tmp_path: Path, how: str) -> None:
    lying = LyingBackend(far(tmp_path), how)
    with three_tiers(tmp_path, lying) as (memory, cold, _, _):
        for key in cold:
            lying.times = 1
            leave_ram(memory)
            assert memory[key] == cold[key]
        lying.times = 1
        leave_ram(memory)
        assert memory.retrieve_many(cold) == cold
        assert memory.get_statistics()["background"]["corruptions"] == 0
        lying.times = 1000
        leave_ram(memory)
        key = next(iter(cold))
        with pytest.raises(CorruptionError, match=rf"'{key}'.*packs/.*in the cold tier"):
            memory.retrieve(key)
        assert memory.get_statistics()["background"]["corruptions"] == 1
        lying.times = 0
        assert memory.retrieve_many(cold) == cold


# -- what servers say ----------------------------------------------------------------------------------------
