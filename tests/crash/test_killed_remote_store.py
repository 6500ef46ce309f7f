"""A process is killed while its cold tier is an S3 bucket: what was acknowledged is there, and nothing is left over.

A kill cuts uploads short, loses answers, and falls between a request and the transaction that it serves.
"""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING

import pytest

from tests.crash.deaths import Life, rounds
from tests.crash.life import BACKUP_POINTS, POINTS, Bucket

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server


def life_of(path: Path, server: S3Server, clock: str) -> Life:
    return Life(path, clock=clock, bucket=Bucket(server.url, server.new_bucket()))


def die_at(life: Life, seed: int, point: str, hit: int) -> None:
    assert life.live(seed, point=point, hit=hit) == -signal.SIGKILL, f"{point} was not reached"
    life.check()


@pytest.mark.parametrize("clock", ["manual", "real"])
def test_every_acknowledged_value_survives_a_kill_at_a_random_moment(
    tmp_path: Path, s3_server: S3Server, clock: str
) -> None:
    life = life_of(tmp_path / "store", s3_server, clock)
    assert life.live(1, lines=80, delay=0.01) == -signal.SIGKILL
    life.check()
    assert life.acknowledged > 0


def test_every_acknowledged_value_survives_a_kill_in_a_backup(tmp_path: Path, s3_server: S3Server) -> None:
    life = life_of(tmp_path / "store", s3_server, "manual")
    die_at(life, 1, "backup-put", 2)
    assert life.acknowledged > 0


@pytest.mark.stress
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("clock", ["manual", "real"])
def test_every_acknowledged_value_survives_many_kills_at_random_moments(
    tmp_path: Path, s3_server: S3Server, clock: str
) -> None:
    total = int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200")) // 8
    rounds(life_of(tmp_path / "store", s3_server, clock), total, seed=2)


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_every_acknowledged_value_survives_many_kills_at_named_points(tmp_path: Path, s3_server: S3Server) -> None:
    total = int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200")) // 4
    chance = random.Random(3)
    life = life_of(tmp_path / "store", s3_server, "manual")
    points = (*BACKUP_POINTS, *POINTS)
    for lap in range(total):
        die_at(life, lap, points[lap % len(points)], chance.randint(1, 2))
