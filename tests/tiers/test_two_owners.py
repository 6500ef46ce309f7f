"""Two that want one bucket: who owns it, what the other is told, and that nobody removes what is not his."""

from __future__ import annotations

import logging
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationMiddleware, SystemClock
from stratakv.backends.directory import DirectoryBackend
from stratakv.errors import ConfigurationError, StoreLockedError, TierUnavailableError
from stratakv.testing import RecordingBackend
from tests.tiers.sick_backends import (
    COLD,
    DAY,
    HOUR,
    CarelessBackend,
    LaggingList,
    SickBackend,
    far,
    in_tier,
    leave_ram,
    noise,
    open_store,
)
from tests.tiers.test_overflow import until

if TYPE_CHECKING:
    from pathlib import Path

WRITES = {"put", "create", "delete"}


def epoch_of(memory: OptimizationMiddleware) -> int | None:
    epoch: int | None = memory.get_statistics()["tiered_storage"]["cold"]["owner"]["epoch"]
    return epoch


def lost(memory: OptimizationMiddleware) -> str | None:
    reason: str | None = memory.get_statistics()["tiered_storage"]["cold"]["owner"]["lost"]
    return reason


def packs_in(path: Path) -> set[str]:
    return {info.name for info in far(path).list("packs/")}


def written(backend: RecordingBackend) -> list[str]:
    return [call.name for call in backend.calls if call.call in WRITES]


def fill(memory: OptimizationMiddleware, prefix: str, count: int = 60) -> dict[str, bytes]:
    """Store values and have them travel to cold."""
    values = noise(count, prefix)
    memory.store_many(values)
    memory.maintain(settle=True)
    assert in_tier(memory, COLD, values) == set(values)
    return values


# -- one after the other -------------------------------------------------------------------------------------


def test_the_same_store_reopens_with_the_next_epoch(tmp_path: Path) -> None:
    values: dict[str, bytes] = {}
    for number in range(5):
        with open_store(tmp_path / "store", far(tmp_path)) as memory:
            assert epoch_of(memory) == number + 1
            values |= fill(memory, f"life {number}")
            assert memory.retrieve_many(values) == values
    assert len([*far(tmp_path).list("manifests/")]) <= 3


def test_another_store_is_refused_until_it_takes_over(tmp_path: Path) -> None:
    with open_store(tmp_path / "A", far(tmp_path)) as first:
        values = fill(first, "a")
    with pytest.raises(ConfigurationError, match=r"belongs to another store.*take_over: true"):
        open_store(tmp_path / "B", far(tmp_path))
    before = packs_in(tmp_path)
    with open_store(tmp_path / "B", far(tmp_path), cold={"take_over": True}) as second:
        more = fill(second, "b")
        second.maintain(settle=True)
        assert second.retrieve_many(more) == more
    assert before <= packs_in(tmp_path), "what another store wrote stays"
    with pytest.raises(ConfigurationError, match="belongs to another store"):
        open_store(tmp_path / "A", far(tmp_path))
    with open_store(tmp_path / "A", far(tmp_path), cold={"take_over": True}) as first:
        assert first.retrieve_many(values) == values


# -- a copied directory --------------------------------------------------------------------------------------


def test_a_copy_opened_elsewhere_fences_the_first(tmp_path: Path) -> None:
    clock = ManualClock()
    backend = RecordingBackend(far(tmp_path))
    first = open_store(tmp_path / "A", backend, clock)
    with first:
        values = fill(first, "shared")
        shutil.copytree(tmp_path / "A", tmp_path / "B", ignore=shutil.ignore_patterns("LOCK"))
        with open_store(tmp_path / "B", far(tmp_path), clock) as second:
            assert (epoch_of(first), epoch_of(second)) == (1, 2)
            first.store("after the copy", 1)
            with pytest.raises(StoreLockedError, match=r"taken by another owner \(epoch 2"):
                first.maintain(settle=True)
            reason = lost(first)
            assert reason is not None
            assert "reopen it to take the tier back" in reason
            backend.calls.clear()
            clock.advance(2 * DAY)
            first.delete_many([*values][:30])
            more = noise(60, "more")
            first.store_many(more)
            for _ in range(3):
                first.maintain(settle=True)
            assert written(backend) == [], "it was told once, and leaves the bucket alone"
            leave_ram(first)
            rest = {key: values[key] for key in [*values][30:]}
            assert first.retrieve_many({**rest, **more}) == {**rest, **more}
            assert second.retrieve_many(values) == values
            second.maintain(settle=True)
            assert lost(second) is None


def test_with_threads_the_fenced_one_hears_of_it_once(tmp_path: Path) -> None:
    settings = {
        "storage": {"checkpoint_interval_seconds": 0.01, "grace_seconds": 0},
        "tiered_storage": {"migration_interval_seconds": 0.02, "warm_to_cold_idle_hours": 0},
    }
    cold = {"backup_interval_seconds": 0.02}
    backend = RecordingBackend(far(tmp_path))
    first = open_store(tmp_path / "A", backend, SystemClock(), cold=cold, **settings)
    with first:
        values = noise(60)
        first.store_many(values)
        until(lambda: in_tier(first, COLD, values) == set(values))
        shutil.copytree(tmp_path / "A", tmp_path / "B", ignore=shutil.ignore_patterns("LOCK"))
        with open_store(tmp_path / "B", far(tmp_path), ManualClock()) as second:
            first._working().store.mover._carrying.nudge()  # type: ignore[union-attr]
            told = store_until_told(first)
            assert "another owner" in told
            assert lost(first)
            for number in range(100):
                first.store(f"new:{number % 10}", number)
                threading.Event().wait(0.001)
            backend.calls.clear()
            leave_ram(first)
            assert first.retrieve_many(values) == values
            assert first.store("later", 1)
            threading.Event().wait(0.2)
            assert written(backend) == []
            assert second.retrieve_many(values) == values


def store_until_told(memory: OptimizationMiddleware) -> str:
    for number in range(5000):
        try:
            memory.store(f"new:{number % 10}", number)
        except StoreLockedError as failure:
            return str(failure)
        threading.Event().wait(0.002)
    raise AssertionError("nobody told")


@pytest.mark.parametrize("copied", ["closed", "open"])
def test_packs_that_another_directory_wrote_stay(tmp_path: Path, copied: str) -> None:
    """The copy knows nothing of what the first wrote after it was made: it is no orphan of the copy's."""
    first = open_store(tmp_path / "A", far(tmp_path))
    values = fill(first, "shared")
    if copied == "closed":
        first.shutdown()
    shutil.copytree(tmp_path / "A", tmp_path / "B", ignore=shutil.ignore_patterns("LOCK"))
    if copied == "closed":
        first = open_store(tmp_path / "A", far(tmp_path))
    later = fill(first, "later")
    with open_store(tmp_path / "B", far(tmp_path)) as second:
        second.maintain(settle=True)
        assert second.retrieve_many(values) == values
        others = fill(second, "second")
        second.delete_many(others)
        second.maintain(settle=True)
        second.maintain(settle=True)
    leave_ram(first)
    assert first.retrieve_many(later) == later
    assert first.retrieve_many(values) == values
    first.shutdown()
    with open_store(tmp_path / "A", far(tmp_path)) as again:
        again.maintain(settle=True)
        assert again.retrieve_many({**values, **later}) == {**values, **later}


def test_orphans_of_the_own_past_go(tmp_path: Path) -> None:
    """What this directory left behind in an earlier life, and no other was the owner since, is removed."""
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        values = fill(memory, "a")
    folder = min(packs_in(tmp_path)).rpartition("/")[0]
    own = f"{folder}/00000001-{'0' * 16}.pack"
    foreign = f"{folder}/000000ff-{'0' * 16}.pack"
    for orphan in (own, foreign):
        far(tmp_path).put(orphan, b"left behind")
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        memory.maintain()
        assert own not in packs_in(tmp_path)
        assert foreign in packs_in(tmp_path), "of an epoch that is not known here"
        assert memory.retrieve_many(values) == values


def test_a_lagging_list_does_not_hide_the_new_owner(tmp_path: Path) -> None:
    backend = LaggingList(far(tmp_path))
    first = open_store(tmp_path / "A", backend)
    values = fill(first, "shared")
    shutil.copytree(tmp_path / "A", tmp_path / "B", ignore=shutil.ignore_patterns("LOCK"))
    backend.fall_behind()
    with open_store(tmp_path / "B", far(tmp_path)) as second:
        first.delete_many([*values][:40])
        with pytest.raises(StoreLockedError, match="another owner"):
            first.maintain(settle=True)
        leave_ram(second)
        assert second.retrieve_many(values) == values
    first.shutdown()


# -- at the same moment --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [DirectoryBackend, CarelessBackend])
def test_of_those_that_open_at_the_same_moment_one_owns_the_tier(tmp_path: Path, kind: type[DirectoryBackend]) -> None:
    with open_store(tmp_path / "0", kind(tmp_path / "far", remote=True)) as memory:
        fill(memory, "shared")
    for number in range(1, 4):
        shutil.copytree(tmp_path / "0", tmp_path / f"{number}", ignore=shutil.ignore_patterns("LOCK"))
    start = threading.Barrier(4)
    opened: list[OptimizationMiddleware] = []
    refused: list[StoreLockedError] = []

    def open_one(number: int) -> None:
        start.wait()
        try:
            opened.append(open_store(tmp_path / f"{number}", kind(tmp_path / "far", remote=True)))
        except StoreLockedError as failure:
            refused.append(failure)

    threads = [threading.Thread(target=open_one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) + len(refused) == 4
    assert opened
    owners = 0
    for memory in opened:
        memory.store("new", epoch_of(memory))
        try:
            memory.maintain(settle=True)
            owners += 1
        except StoreLockedError:
            pass
        memory.shutdown()
    assert owners <= 1


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
