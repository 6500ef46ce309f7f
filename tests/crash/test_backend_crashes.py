"""The process dies at each put and delete of a tier, before or after its effect: nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv.backends import Backend, DirectoryBackend, DiskBackend
from stratakv.clock import ManualClock
from stratakv.testing import CrashBackend, SimulatedCrash
from stratakv.types import StorageTier
from tests.crash.life import Model, Step, after, random_step, settings, take
from tests.crash.soundness import check_contents, check_no_orphans, check_sums, leave
from tests.crash.unsynced import UnsyncedFiles, open_unsynced

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.engine.store import Store

STEPS = 60


def open_backend(kind: str, path: Path) -> Backend:
    return DiskBackend(path, files=UnsyncedFiles()) if kind == "disk" else DirectoryBackend(path, fsync=False)


def open_store(folder: Path, warm: Backend, cold: Backend, clock: ManualClock) -> Store:
    return open_unsynced(settings(folder / "store"), clock, {StorageTier.WARM: warm, StorageTier.COLD: cold})


def die_at(folder: Path, tier: StorageTier, kind: str, call: str, at: int, when: str, seed: int) -> bool:
    """Live until the `at`-th call, reopen and check; False where it was never reached."""
    folder.mkdir()
    chance = random.Random(seed)
    clock = ManualClock()
    backends = {
        StorageTier.WARM: open_backend(kind if tier is StorageTier.WARM else "directory", folder / "warm"),
        StorageTier.COLD: open_backend("directory", folder / "cold"),
    }
    backends[tier] = CrashBackend(backends[tier], call, at=at, when="before" if when == "before" else "after")
    store = open_store(folder, backends[StorageTier.WARM], backends[StorageTier.COLD], clock)
    model: Model = {}
    step = Step("settle", {})
    crashed = False
    try:
        for _ in range(STEPS):
            step = random_step(chance, upkeep=0.15)
            clock.advance(0.2)
            take(store, step, chance)
            model = after(model, step)
    except SimulatedCrash:
        crashed = True
    finally:
        leave(store)
    if not crashed:
        return False
    for reopening in range(2):
        warm = open_backend(kind if tier is StorageTier.WARM else "directory", folder / "warm")
        store = open_store(folder, warm, open_backend("directory", folder / "cold"), clock)
        try:
            check_sums(store)
            model = check_contents(store, [model, after(model, step)] if not reopening else [model])
            if reopening:
                check_no_orphans(store)
                check_sums(store)
                check_contents(store, [model])
        finally:
            leave(store)
    shutil.rmtree(folder)
    return True


TIERS = pytest.mark.parametrize(
    ("tier", "kind"),
    [(StorageTier.WARM, "disk"), (StorageTier.WARM, "directory"), (StorageTier.COLD, "directory")],
    ids=["warm-disk", "warm-directory", "cold-directory"],
)
CALLS = pytest.mark.parametrize("call", ["put", "delete"])
MOMENTS = pytest.mark.parametrize("when", ["before", "after"])


def die_at_every_call(folder: Path, tier: StorageTier, kind: str, call: str, when: str, seed: int) -> int:
    """Die at the first call, at the second, and so on to the end; return how many there were."""
    at = 1
    while die_at(folder / str(at), tier, kind, call, at, when, seed):
        at += 1
    return at - 1


@MOMENTS
@CALLS
@TIERS
def test_nothing_acknowledged_is_lost_wherever_a_backend_dies(
    tmp_path: Path, tier: StorageTier, kind: str, call: str, when: str
) -> None:
    assert die_at_every_call(tmp_path, tier, kind, call, when, seed=7) >= 2


@pytest.mark.stress
@MOMENTS
@CALLS
@TIERS
def test_nothing_acknowledged_is_lost_in_many_lives(
    tmp_path: Path, tier: StorageTier, kind: str, call: str, when: str
) -> None:
    for seed in range(int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200")) // 20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        die_at_every_call(folder, tier, kind, call, when, seed + 100)
