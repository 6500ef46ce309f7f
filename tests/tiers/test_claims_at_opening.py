"""What opening makes of a remote cold tier: whether its conditional write is atomic, and whether it answers at all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, SystemClock
from stratakv.backends.directory import DirectoryBackend
from stratakv.errors import TierUnavailableError
from tests.tiers.sick_backends import (
    DAY,
    HOUR,
    CarelessBackend,
    SickBackend,
    epoch_of,
    far,
    fill,
    lost,
    noise,
    open_store,
)
from tests.tiers.test_overflow import until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("kind", "atomic"), [(DirectoryBackend, True), (CarelessBackend, False)])
def test_a_tier_without_atomic_creation_is_found_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: type[DirectoryBackend], atomic: bool
) -> None:
    for _ in range(2):  # found out at the first opening, remembered at the second
        with (
            caplog.at_level(logging.WARNING, "stratakv"),
            open_store(tmp_path / "store", kind(tmp_path / "far", remote=True)) as memory,
        ):
            owner = memory.get_statistics()["tiered_storage"]["cold"]["owner"]
            assert owner["conditional_write_is_atomic"] is atomic
        assert ("several writers create the same object" in caplog.text) is not atomic
        caplog.clear()
    assert not [*far(tmp_path).list("probes/")]


# -- while cold is away --------------------------------------------------------------------------------------


def test_a_store_that_never_used_its_cold_tier_is_not_opened_without_it(tmp_path: Path) -> None:
    sick = SickBackend(far(tmp_path))
    sick.fail_with(TierUnavailableError, "no route to host")
    with pytest.raises(TierUnavailableError, match="no route to host"):
        open_store(tmp_path / "store", sick)
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        assert epoch_of(memory) is not None


@pytest.mark.parametrize("threads", [False, True], ids=["by maintain", "with threads"])
def test_a_store_that_used_it_opens_without_and_claims_it_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, threads: bool
) -> None:
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        values = fill(memory, "a")
        warm = noise(20, "warm")
        memory.store_many(warm)
    sick = SickBackend(far(tmp_path))
    sick.fail_with(TierUnavailableError, "no route to host")
    clock = SystemClock() if threads else ManualClock()
    settings = {"tiered_storage": {"migration_interval_seconds": 0.05, "warm_to_cold_idle_hours": 0}} if threads else {}
    with (
        caplog.at_level(logging.WARNING, "stratakv"),
        open_store(tmp_path / "store", sick, clock, **settings) as memory,
    ):
        assert "open without its cold tier" in caplog.text
        assert epoch_of(memory) is None
        assert memory.retrieve_many(warm) == warm
        with pytest.raises(TierUnavailableError, match="cold tier"):
            memory.retrieve(next(iter(values)))
        memory.store("new", 1)
        sick.recover()
        if isinstance(clock, ManualClock):
            clock.advance(HOUR)
            memory.maintain()
        else:
            until(lambda: epoch_of(memory) is not None)
        epoch = epoch_of(memory)
        assert epoch is not None
        assert epoch >= 2
        assert memory.retrieve_many(values) == values
        memory.maintain(settle=True)
        assert memory.retrieve("new") == 1
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        assert epoch_of(memory) == epoch + 1
        assert memory.retrieve_many({**values, **warm}) == {**values, **warm}


def test_a_claim_that_landed_though_its_answer_was_lost_does_not_lock_the_store_out(tmp_path: Path) -> None:
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        values = fill(memory, "a")

    class LosingAnswers(SickBackend):
        def create(self, name: str, content: bytes) -> bool:
            created = super().create(name, content)
            if name.startswith("manifests/") and self.times:
                self.times -= 1
                raise TierUnavailableError("the answer was lost")
            return created

        times = 1

    clock = ManualClock()
    with open_store(tmp_path / "store", LosingAnswers(far(tmp_path)), clock) as memory:
        assert epoch_of(memory) is None
        clock.advance(HOUR)
        memory.maintain()
        assert epoch_of(memory) == 3
        values |= fill(memory, "b")
        memory.delete_many([*values][:20])
        clock.advance(DAY)
        memory.maintain(settle=True)
        left = {key: values[key] for key in [*values][20:]}
        assert memory.retrieve_many(left) == left
        assert lost(memory) is None
