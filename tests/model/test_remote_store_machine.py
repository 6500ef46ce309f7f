"""The state machine with a cold tier far away that fails at times, or altogether: nothing is lost, nothing is wrong.

Calls that need the cold tier may say that it cannot be reached, and only those, and only while it is in trouble. The
rest is the machine of `test_store_machine.py`.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from stratakv import OptimizationMiddleware, StorageTier
from stratakv.backends.directory import DirectoryBackend
from stratakv.backends.views import DirectoryView
from stratakv.engine.breaker import LONGEST_REST_SECONDS
from stratakv.engine.guarded import GuardedBackend
from stratakv.engine.records import IN_COLD
from stratakv.engine.restoration import restore
from stratakv.errors import CapacityError, TierUnavailableError
from stratakv.testing import FlakyBackend
from tests.engine.value_strategies import same
from tests.model.machine_settings import REMOTE_VARIANTS, configuration
from tests.model.test_store_machine import KEYS, QUICK, TIERS, TTLS, StoreMachine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FAILING_SHARE = 0.1
CLEAR, SHOWERS, STORM = "clear", "showers", "storm"


class Weather:
    """The numbers by which a `FlakyBackend` decides: none of its calls fails, some do, or all."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.mood = CLEAR

    def __call__(self) -> float:
        if self.mood == SHOWERS:
            return self._chance.random()
        return 1.0 if self.mood == CLEAR else 0.0


class RemoteStoreMachine(StoreMachine):
    """The store beside its reference, and below it a bucket."""

    variants = REMOTE_VARIANTS

    @property
    def bucket(self) -> Path:
        return self.root / "bucket"

    def open(self) -> None:
        cold = FlakyBackend(
            DirectoryBackend(self.bucket, remote=True, fsync=False), rate=FAILING_SHARE, chance=self.weather
        )
        self.memory = OptimizationMiddleware(
            config=configuration(self.variants[self.variant], self.path),
            clock=self.clock,
            backends={StorageTier.COLD: cold},
        )

    @initialize(variant=st.sampled_from(sorted(REMOTE_VARIANTS)), seed=st.integers(0, 1 << 16))
    def begin(self, variant: str, seed: int) -> None:
        self.variant = variant
        self.weather = Weather(seed)
        self.open()
        self.weather.mood = SHOWERS

    def teardown(self) -> None:
        try:
            if hasattr(self, "memory") and sys.exc_info()[0] is None:
                self.clear_up()
        finally:
            super().teardown()

    # -- trouble ---------------------------------------------------------------------------------------------

    @rule(mood=st.sampled_from([CLEAR, SHOWERS, STORM]))
    def change(self, mood: str) -> None:
        self.weather.mood = mood

    @property
    def in_trouble(self) -> bool:
        cold = self.store.parts.backends[IN_COLD]
        assert isinstance(cold, GuardedBackend)
        return self.weather.mood != CLEAR or cold.breaker.state != "closed"

    @contextmanager
    def excused(self, keys: Iterable[str]) -> Iterator[None]:
        """Let a call pass that could not reach a value in a cold tier that is in trouble."""
        in_cold = any(map(self.reaches_into_cold, keys))
        trouble = self.in_trouble
        try:
            yield
        except TierUnavailableError:
            assert trouble
            assert in_cold

    def lies_in_cold(self, key: str) -> bool:
        """Tell whether a key's content does, all chunks of it; one that was just stored may share what lies there."""
        return set(self.tiers_of(key)) == {IN_COLD}

    def reaches_into_cold(self, key: str) -> bool:
        """Tell whether any of a key's content lies in cold."""
        return IN_COLD in self.tiers_of(key)

    def tiers_of(self, key: str) -> list[int]:
        state = self.store.state(key)
        if state is None or state.digest is None:
            return []
        catalog = self.store.parts.catalog
        held = catalog.find_blobs([state.digest, *catalog.chunks_of(state.digest)])
        return [found.tier for found in held.values()]

    def keep_up(self, *, settle: bool) -> bool:
        """Maintain; return whether all of it could be done."""
        trouble, done = self.in_trouble, True
        try:
            self.memory.maintain(settle=settle)
        except TierUnavailableError:
            assert trouble
            done = False
        self.model.prune()
        return done

    def refused_pin(self, key: str, wanted: StorageTier | None) -> None:
        if not self.is_full:
            super().refused_pin(key, wanted)

    def refused_batch(self) -> None:
        if not self.is_full:
            super().refused_batch()

    @property
    def is_full(self) -> bool:
        """Whether warm is over its capacity, and cold took nothing when it was last asked."""
        if self.store.parts.no_room is None:
            return False
        assert "warm_capacity_mb" in self.variants[self.variant].get("tiered_storage", {})
        return True

    # -- the calls that need the tier ------------------------------------------------------------------------

    @rule(key=KEYS)
    def retrieve(self, key: str) -> None:
        with self.excused([key]):
            super().retrieve(key)

    @rule(key=KEYS, start=st.integers(0, 4000), length=st.integers(0, 3000))
    def retrieve_range(self, key: str, start: int, length: int) -> None:
        with self.excused([key]):
            super().retrieve_range(key, start, length)

    @rule(key=KEYS, value=StoreMachine.contents, ttl=TTLS, tier=TIERS, known=st.booleans())
    def stream(self, key: str, value: Any, ttl: int | None, tier: StorageTier, known: bool) -> None:
        try:
            super().stream(key, value, ttl, tier, known)
        except CapacityError:
            assert self.is_full

    @rule(keys=st.lists(KEYS, max_size=6))
    def retrieve_many(self, keys: list[str]) -> None:
        with self.excused(keys):
            super().retrieve_many(keys)

    @rule()
    def everything(self) -> None:
        with self.excused(self.model.live()):
            super().everything()

    @rule(key=KEYS)
    def pop(self, key: str) -> None:
        with self.excused([key]):
            super().pop(key)

    @rule(key=KEYS, tier=TIERS)
    def migrate(self, key: str, tier: StorageTier) -> None:
        with self.excused([key] if tier is StorageTier.HOT else []):
            super().migrate(key, tier)

    @rule()
    def maintain(self) -> None:
        self.keep_up(settle=False)

    @rule()
    def settle(self) -> None:
        if self.keep_up(settle=True):
            self.check_places()
            if not self.in_trouble:
                self.check_nothing_is_left_over()

    @rule()
    def crash_and_reopen(self) -> None:
        """As without a bucket; what the last shutdown might do there does not happen."""
        if self.store.parts.config.storage.durability == "none":
            self.memory.flush()
        then = self.root / "as it was"
        shutil.copytree(self.path, then / "store")
        shutil.copytree(self.bucket, then / "bucket")
        self.memory.shutdown()
        for place, name in ((self.path, "store"), (self.bucket, "bucket")):
            # The directory itself stays: a crash leaves no copy of it, which would not be trusted with the bucket.
            for left in place.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            shutil.copytree(then / name, place, dirs_exist_ok=True)
        shutil.rmtree(then)
        self.open()

    # -- what the bucket is worth ----------------------------------------------------------------------------

    @rule()
    def restore_elsewhere(self) -> None:
        """Whoever restores from the newest backup finds every pack of it."""
        if not any(self.bucket.glob("catalog/**/*")) or self.store.parts.catalog.meta("backup") is None:
            return
        self.restored()

    def restored(self) -> Path:
        target = self.root / "restored"
        shutil.rmtree(target, ignore_errors=True)
        bucket = DirectoryView(self.bucket)
        now = int(self.clock.now())
        found = restore(bucket, target, now=now, trust_pickle=False, show=lambda *_: None)
        assert found.damaged == []
        return target

    def clear_up(self) -> None:
        """With the tier back everything is right, here and in a store built from the bucket alone."""
        self.weather.mood = CLEAR
        self.let_time_pass(seconds=int(LONGEST_REST_SECONDS) + 1)
        assert self.keep_up(settle=True)
        self.check_places()
        self.check_nothing_is_left_over()
        self.everything()
        live = self.model.live()
        in_cold = set(filter(self.lies_in_cold, live))
        self.memory.shutdown()
        self.memory = OptimizationMiddleware(
            config=configuration(self.variants[self.variant], self.restored()),
            clock=self.clock,
            backends={StorageTier.COLD: DirectoryBackend(self.bucket, remote=True)},
        )
        held = dict(self.memory.items())
        assert in_cold <= held.keys() <= live.keys()
        assert all(same(value, live[key].value) for key, value in held.items())

    @invariant()
    def the_bucket_holds_what_the_catalog_names(self) -> None:
        if hasattr(self, "memory"):
            named = {
                row[0] for row in self.store.parts.catalog.rows("SELECT name FROM packs WHERE tier = ?", (IN_COLD,))
            }
            assert named <= {path.relative_to(self.bucket).as_posix() for path in self.bucket.glob("packs/**/*")}


def test_store_equals_a_dict_though_the_cold_tier_fails() -> None:
    run_state_machine_as_test(RemoteStoreMachine, settings=settings(QUICK, max_examples=30))


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_store_equals_a_dict_though_the_cold_tier_fails_in_many_more() -> None:
    rounds = 5 * int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200"))
    many = settings(QUICK, max_examples=rounds, stateful_step_count=80, derandomize=False, database=None)
    run_state_machine_as_test(RemoteStoreMachine, settings=many)
