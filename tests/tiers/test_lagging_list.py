"""A listing that lags: what is new is not shown, what is gone is. Nothing that lives is ever deleted for it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock
from tests.tiers.sick_backends import DAY, LaggingList, check_sums, far, leave_ram, noise, open_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_list_shows_what_lives_stays(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    clock = ManualClock()
    values: dict[str, bytes] = {}
    lagging = LaggingList(far(tmp_path))
    memory = open_store(tmp_path / "store", lagging, clock)
    for lap in range(6):
        if chance.random() < 0.5:
            lagging.fall_behind()
        more = noise(chance.randrange(20, 90), f"lap {lap}", seed=seed)
        memory.store_many(more)
        values |= more
        for key in chance.sample(sorted(values), len(values) // 3):
            memory.delete(key)
            del values[key]
        memory.maintain(settle=True)
        clock.advance(DAY)
        memory.maintain(settle=chance.random() < 0.5)
        leave_ram(memory)
        assert memory.retrieve_many(values) == values
        if chance.random() < 0.3:
            memory.shutdown()
            lagging = LaggingList(far(tmp_path))
            if chance.random() < 0.5:
                lagging.fall_behind()
            memory = open_store(tmp_path / "store", lagging, clock)
    lagging.catch_up()
    memory.maintain(settle=True)
    assert memory.retrieve_many(values) == values
    check_sums(memory)
    memory.shutdown()
    with open_store(tmp_path / "store", far(tmp_path), clock) as memory:
        memory.maintain(settle=True)
        assert memory.retrieve_many(values) == values
        check_sums(memory)


def test_a_list_that_lags_while_another_epoch_begins(tmp_path: Path) -> None:
    """The opening sees manifests of long ago, and none of the last ones."""
    lagging = LaggingList(far(tmp_path))
    values = noise(60)
    with open_store(tmp_path / "store", lagging) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
    long_ago = LaggingList(far(tmp_path))
    long_ago.fall_behind()
    for number in range(4):
        lagging = LaggingList(far(tmp_path))
        lagging.lag_like(long_ago)
        with open_store(tmp_path / "store", lagging) as memory:
            owner = memory.get_statistics()["tiered_storage"]["cold"]["owner"]
            assert owner["epoch"] == number + 2
            memory.maintain(settle=True)
            assert owner["lost"] is None
            assert memory.retrieve_many(values) == values
