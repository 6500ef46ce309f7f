"""The power fails: what was promised to be durable is there, and what is there once was, in `sync` and in `process`."""

from __future__ import annotations

import os
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.crash.life import Step
from tests.crash.power import Rehearsal
from tests.crash.soundness import leave

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def rehearsal(folder: Path, durability: str, every: int, seed: int) -> Iterator[Rehearsal]:
    folder.mkdir(exist_ok=True)
    play = Rehearsal(folder, durability=durability, every=every, chance=random.Random(seed))
    try:
        yield play
    finally:
        play.end()


def test_sync_loses_no_acknowledged_write_at_any_sync_point(tmp_path: Path) -> None:
    with rehearsal(tmp_path, "sync", every=11, seed=1) as play:
        play.run(150)
        assert len(play.images) > 40
        play.check(lambda number: number % 4 == 0)


def test_process_loses_nothing_that_was_flushed_and_keeps_a_prefix_of_the_rest(tmp_path: Path) -> None:
    with rehearsal(tmp_path, "process", every=7, seed=2) as play:
        play.run(200, flush_every=20)
        assert len(play.images) > 40
        play.check(lambda number: number % 4 == 0)


def test_none_opens_with_a_prefix(tmp_path: Path) -> None:
    with rehearsal(tmp_path, "none", every=9, seed=3) as play:
        play.run(150, flush_every=50)
        assert len(play.images) > 20
        play.check(lambda number: number % 4 == 0)


@pytest.mark.parametrize("durability", ["sync", "process"])
def test_power_may_fail_at_every_instant_of_the_first_opening(tmp_path: Path, durability: str) -> None:
    with rehearsal(tmp_path, durability, every=1, seed=4) as play:
        play.step(Step("store", {"key:1": 1}))
        play.flush()
        assert len(play.images) > 10
        play.check()


@pytest.mark.parametrize("durability", ["sync", "process"])
def test_what_a_killed_owner_left_unsynced_is_durable_before_anything_newer(tmp_path: Path, durability: str) -> None:
    with rehearsal(tmp_path, "process", every=10_000, seed=5) as play:
        play.run(20, upkeep=0)
        leave(play.store)
        play.durability = durability
        play.open()
        play.step(Step("store", {"key:1": 1}))
        play.flush()
        play.fail_here()
        play.fail_here()
        play.check()


@pytest.mark.parametrize("durability", ["sync", "process"])
def test_power_may_fail_in_many_lives_of_one_directory(tmp_path: Path, durability: str) -> None:
    with rehearsal(tmp_path, durability, every=13, seed=6) as play:
        for life in range(4):
            play.run(40)
            if life % 2:
                play.store.close()
                play.promised = play.begun
            else:
                leave(play.store)
            play.open()
        play.check(lambda number: number % 4 == 0)


@pytest.mark.stress
@pytest.mark.parametrize("durability", ["sync", "process"])
def test_power_fails_in_many_ways(tmp_path: Path, durability: str) -> None:
    for number in range(int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200")) // 4):
        with rehearsal(tmp_path / str(number), durability, every=5, seed=100 + number) as play:
            play.run(120, flush_every=30)
            play.check(lambda image: image % 3 == 0)
