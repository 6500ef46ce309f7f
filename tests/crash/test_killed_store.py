"""A process is killed amid everything a store does: what it was told is so, and the catalog's sums are true."""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from tests.crash.deaths import Life, rounds
from tests.crash.life import CALLER_POINTS, POINTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("clock", ["manual", "real"])
def test_every_acknowledged_value_survives_kills_at_random_moments(tmp_path: Path, clock: str) -> None:
    life = Life(tmp_path / "store", clock=clock)
    rounds(life, 5, seed=1)
    assert life.acknowledged > 0


@pytest.mark.parametrize("point", [*POINTS, *CALLER_POINTS])
def test_every_acknowledged_value_survives_a_kill_at_a_named_point(tmp_path: Path, point: str) -> None:
    life = Life(tmp_path / "store", clock="manual")
    for hit in (3, 9) if point in CALLER_POINTS else (1, 2):  # large values are stored all the time
        assert life.live(hit, point=point, hit=hit) == -signal.SIGKILL, f"{point} was not reached"
        life.check()
    assert life.acknowledged > 0


@pytest.mark.stress
@pytest.mark.parametrize("clock", ["manual", "real"])
def test_every_acknowledged_value_survives_many_kills_at_random_moments(tmp_path: Path, clock: str) -> None:
    total = int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200"))
    for number in range(0, total // 2, 25):
        life = Life(tmp_path / f"store-{number}", clock=clock)
        rounds(life, min(25, total // 2 - number), seed=number + 2)


@pytest.mark.stress
def test_every_acknowledged_value_survives_many_kills_at_named_points(tmp_path: Path) -> None:
    total = int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200"))
    chance = random.Random(3)
    for number in range(0, total, 25):
        life = Life(tmp_path / f"store-{number}", clock="manual")
        for lap in range(min(25, total - number)):
            point, hit = chance.choice((*POINTS, *CALLER_POINTS)), chance.randint(1, 4)
            assert life.live(number * 100 + lap, point=point, hit=hit) == -signal.SIGKILL, f"{point} was not reached"
            life.check()
