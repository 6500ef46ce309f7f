"""Old backups: whenever the machine is lost, each key of the last whole backup reads, or is reported as missing."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock
from stratakv.engine import backup
from stratakv.engine.backup_format import PREFIX
from stratakv.errors import ConfigurationError, CorruptionError, TierUnavailableError
from stratakv.testing.faults import CrashBackend, FlakyBackend, SimulatedCrash
from tests.crash.life import POINTS, Step, random_step
from tests.crash.soundness import check_contents, leave
from tests.recovery.lost_machines import NOW, Bucket, Objects, check_restored, live, open_life, restored, spread

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.backends.base import Backend

ROUNDS = int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200"))
BACKUP_POINTS = ("backup-based", "backup-made", "backup-put")
UPKEEP = 0.3
DEATHS = (("put", 1), ("put", 4), ("put", 9), ("create", 1), ("delete", 12), ("list", 9))


@pytest.fixture(autouse=True)
def short_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small stores have backups that are rebased often."""
    monkeypatch.setattr(backup, "LONGEST_CHAIN", 4)


def restore_or_say_why(bucket: Bucket, objects: Objects, folder: Path) -> bool:
    """Restore from a copy of a bucket; without a whole backup in it assert that this is said, and return False."""
    if bucket.newest(objects) is not None:
        result = check_restored(bucket, objects, folder)
        assert result.damaged == [], "packs and dictionaries outlast the newest backup that names them"
        return True
    started = any(name.startswith(PREFIX) for name in objects)
    with pytest.raises(CorruptionError if started else ConfigurationError, match="backup"):
        restored(spread(objects, folder / "cold"), folder / "store")
    assert not (folder / "store").exists()
    return False


def lose_machines(seed: int, steps: int, losses: int, folder: Path) -> int:
    """Lose the machine of one life at random moments; return how often something could be restored."""
    chance, bucket, clock = random.Random(seed), Bucket(), ManualClock(NOW)
    store = open_life(folder / "lived", bucket, clock)
    restorations = 0
    try:
        for moment in range(steps):
            clock.advance(chance.random() * 2)
            live(store, bucket, random_step(chance, upkeep=UPKEEP), chance)
            if chance.random() < losses / steps:
                restorations += restore_or_say_why(bucket, bucket.objects(), folder / str(moment))
                shutil.rmtree(folder / str(moment))
            if chance.random() < 0.02:
                store.close()
                store = open_life(folder / "lived", bucket, clock)
    finally:
        leave(store)
    return restorations


@pytest.mark.parametrize("seed", range(4))
def test_whenever_the_machine_is_lost_keys_read_or_are_reported(tmp_path: Path, seed: int) -> None:
    assert lose_machines(seed, 120, 8, tmp_path) > 0


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(100, 100 + max(1, ROUNDS // 4)))
def test_whenever_the_machine_is_lost_in_long_lives(tmp_path: Path, seed: int) -> None:
    assert lose_machines(seed, 500, 25, tmp_path) > 0


def boundaries(seed: int, steps: int, folder: Path) -> tuple[Bucket, list[Objects]]:
    """Return all states that the bucket of one life had before and after each change of an object."""
    chance, bucket, clock = random.Random(seed), Bucket(), ManualClock(NOW)
    states: list[Objects] = [{}]

    def note() -> None:
        if bucket.objects() != states[-1]:
            states.append(bucket.objects())

    bucket.at_change = note
    store = open_life(folder / "lived", bucket, clock)
    for _ in range(steps):
        clock.advance(1)
        live(store, bucket, random_step(chance, upkeep=UPKEEP), chance)
    bucket.at_change = lambda: None
    leave(store)
    return bucket, states


def check_every_boundary(seed: int, steps: int, folder: Path, *, at_most: int) -> None:
    bucket, states = boundaries(seed, steps, folder)
    assert len(bucket.models) > 5
    stride = max(1, len(states) // at_most)
    tried = [restore_or_say_why(bucket, state, folder / str(n)) for n, state in enumerate(states[::stride])]
    assert sum(tried) > len(tried) // 2


def test_at_every_change_in_the_bucket_what_is_there_restores(tmp_path: Path) -> None:
    check_every_boundary(1, 60, tmp_path, at_most=40)


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(200, 200 + max(1, ROUNDS // 40)))
def test_at_every_change_in_the_buckets_of_long_lives(tmp_path: Path, seed: int) -> None:
    check_every_boundary(seed, 120, tmp_path, at_most=10_000)


def life_until(bucket: Bucket, cold: Backend, seed: int, folder: Path, point: str | None, hit: int) -> bool:
    """Live until the process "dies" at a point or in the cold tier; return whether it did."""
    chance, clock, left = random.Random(seed), ManualClock(NOW), hit
    store = open_life(folder / "lived", cold, clock)

    def at_point(name: str) -> None:
        nonlocal left
        left -= name == point
        if name == point and left == 0:
            raise SimulatedCrash(name)

    store.parts.at_point = at_point
    try:
        for _ in range(60):
            clock.advance(1)
            live(store, bucket, random_step(chance, upkeep=UPKEEP), chance)
        store.maintain(settle=True)
    except SimulatedCrash:
        return True
    finally:
        leave(store)
    return False


def check_after_death(bucket: Bucket, folder: Path) -> None:
    """Assert that the bucket restores, and that the machine which comes back catches up with its backup."""
    acknowledged = dict(bucket.model)
    restore_or_say_why(bucket, bucket.objects(), folder / "dead")
    store = open_life(folder / "lived", bucket, ManualClock(NOW + 100))
    # The step that was under way may have been done or not: only the background dies here.
    check_contents(store, [acknowledged])
    store.maintain(settle=True)
    bucket.model = acknowledged
    leave(store)
    result = check_restored(bucket, bucket.objects(), folder / "again")
    assert result.missing == []
    assert result.damaged == []


@pytest.mark.parametrize("point", [*BACKUP_POINTS, *POINTS])
def test_stopped_at_a_point_of_the_background(tmp_path: Path, point: str) -> None:
    bucket = Bucket()
    died = life_until(bucket, bucket, 7, tmp_path, point, hit=1 if point.startswith("compaction") else 2)
    assert died
    check_after_death(bucket, tmp_path)


@pytest.mark.stress
@pytest.mark.parametrize("hit", [1, 3, 5, 8])
@pytest.mark.parametrize("point", [*BACKUP_POINTS, *POINTS])
@pytest.mark.parametrize("seed", range(300, 300 + max(1, ROUNDS // 100)))
def test_stopped_at_any_passing_of_a_point(tmp_path: Path, seed: int, point: str, hit: int) -> None:
    bucket = Bucket()
    life_until(bucket, bucket, seed, tmp_path, point, hit)
    check_after_death(bucket, tmp_path)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("call", "at"), DEATHS)
def test_dead_in_a_call_of_the_cold_tier(tmp_path: Path, call: str, at: int, when: str) -> None:
    bucket = Bucket()
    # Probes of the place are left out: they run in threads of their own.
    matching = "manifests/" if call == "create" else ""
    cold = CrashBackend(bucket, call, at=at, when="before" if when == "before" else "after", matching=matching)
    try:
        died = life_until(bucket, cold, 8, tmp_path, None, 0)
    except SimulatedCrash:  # at opening
        died = True
    assert died
    check_after_death(bucket, tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_a_cold_tier_that_fails_now_and_then_still_restores(tmp_path: Path, seed: int) -> None:
    chance, bucket, clock = random.Random(seed), Bucket(), ManualClock(NOW)
    open_life(tmp_path / "lived", bucket, clock).close()
    flaky = FlakyBackend(bucket, rate=0.15, chance=chance.random)
    store = open_life(tmp_path / "lived", flaky, clock)
    failed = 0
    for _ in range(150):
        clock.advance(chance.random() * 60)
        try:
            live(store, bucket, random_step(chance, upkeep=UPKEEP), chance)
        except TierUnavailableError:
            failed += 1
    leave(store)
    assert failed > 3
    check_after_death(bucket, tmp_path)


def test_back_up_delete_compact_and_collect_then_lose_the_machine(tmp_path: Path) -> None:
    bucket, clock, chance = Bucket(), ManualClock(NOW), random.Random(5)
    store = open_life(tmp_path / "lived", bucket, clock)
    live(store, bucket, Step("store_many", {f"key:{n}": n for n in range(40)}), chance)
    for _ in range(2):
        live(store, bucket, Step("settle", {}), chance)
    old = bucket.objects()
    live(store, bucket, Step("delete_many", {f"key:{n}": None for n in range(0, 40, 2)}), chance)
    for _ in range(3):
        clock.advance(100)
        live(store, bucket, Step("settle", {}), chance)
    leave(store)
    new = bucket.objects()
    assert {name for name in old if name.startswith("packs/")} - set(new), "dead packs were removed"
    result = check_restored(bucket, new, tmp_path / "new")
    assert (result.keys, result.missing, result.damaged) == (20, [], [])
    result = check_restored(bucket, old, tmp_path / "old")
    assert (result.keys, result.missing, result.damaged) == (40, [], [])
    # The catalog's backup of then with the packs of now: what a bucket without any order between them would show.
    mixed = {**new, **{name: old[name] for name in old if not name.startswith("packs/")}}
    mixed = {name: mixed[name] for name in mixed if not name.startswith("catalog/") or name in old}
    result = check_restored(bucket, mixed, tmp_path / "mixed")
    assert result.missing
    assert result.damaged
