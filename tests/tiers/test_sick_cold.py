"""A cold tier that fails, hangs, lies or goes away: the others go on, its keys say so, nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, SystemClock
from stratakv.engine.breaker import FAILURES, LONGEST_REST_SECONDS
from stratakv.errors import TierUnavailableError
from stratakv.testing import FlakyBackend
from tests.tiers.sick_backends import SickBackend
from tests.tiers.tier_stores import (
    COLD,
    HOT,
    HOUR,
    WARM,
    check_sums,
    far,
    in_tier,
    leave_ram,
    noise,
    open_store,
    three_tiers,
    told,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path


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
