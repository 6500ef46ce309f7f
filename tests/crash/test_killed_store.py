"""A process is killed amid everything a store does: what it was told is so, and the catalog's sums are true."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stratakv.clock import ManualClock
from tests.crash.life import POINTS, Model, Step, after, settings
from tests.crash.soundness import check_contents, check_no_orphans, check_sums, leave
from tests.crash.unsynced import open_unsynced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.engine.store import Store

ROOT = Path(__file__).resolve().parents[2]
START = 1_700_000_000
REOPENINGS = 5


class Life:
    """One directory through many deaths of its owner."""

    def __init__(self, path: Path, *, clock: str) -> None:
        self.path = path
        self.model: Model = {}
        self._clock = clock
        self._wall = START
        self.acknowledged = 0

    def live(self, seed: int, *, point: str = "-", hit: int = 1, lines: int | None = None, delay: float = 0.0) -> int:
        """Run the owner until it dies and take in what it said; return its exit code.

        It is killed `delay` seconds after its `lines`-th line, or kills itself at a point.
        """
        self._wall += 86_400
        clock = "real" if self._clock == "real" else str(self._wall)
        command = [sys.executable, "-m", "tests.crash.mortal", str(self.path), str(seed), clock, point, str(hit)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            said = []
            if lines is not None:
                said = [process.stdout.readline() for _ in range(lines)]
                time.sleep(delay)
                process.kill()
            said += process.stdout.readlines()
            trouble = process.stderr.read().decode()
        assert trouble == ""
        self._take_in(said)
        return process.returncode

    def _take_in(self, said: Iterable[bytes]) -> None:
        self._undecided: Step | None = None
        for line in said:
            if not line.endswith(b"\n"):
                continue
            words = json.loads(line)
            if words[0] == 1:
                self._undecided = Step(words[1], words[2])
            elif self._undecided is not None:
                self.model = after(self.model, self._undecided)
                self._undecided = None
                self.acknowledged += 1

    def open(self) -> Store:
        self._wall += 3600
        wall = time.time() if self._clock == "real" else self._wall
        return open_unsynced(settings(self.path), ManualClock(wall))

    def check(self) -> None:
        """Reopen several times, mostly without a proper end; the last owner settles."""
        allowed = [self.model]
        if self._undecided is not None:
            allowed.append(after(self.model, self._undecided))
        for reopening in range(REOPENINGS):
            store = self.open()
            try:
                check_sums(store)
                if reopening in (0, REOPENINGS - 1):
                    # What an unfinished call did or did not do is decided by now, and stays so.
                    self.model = check_contents(store, allowed)
                    allowed = [self.model]
                if reopening == REOPENINGS - 2:
                    store.close()
            finally:
                leave(store)
        store = self.open()
        try:
            check_no_orphans(store)
            check_sums(store)
            check_contents(store, allowed)
        finally:
            leave(store)


def rounds(life: Life, number: int, seed: int) -> None:
    chance = random.Random(seed)
    for lap in range(number):
        code = life.live(seed * 100_000 + lap, lines=chance.randrange(1, 250), delay=chance.random() * 0.02)
        assert code == -signal.SIGKILL
        life.check()


@pytest.mark.parametrize("clock", ["manual", "real"])
def test_every_acknowledged_value_survives_kills_at_random_moments(tmp_path: Path, clock: str) -> None:
    life = Life(tmp_path / "store", clock=clock)
    rounds(life, 5, seed=1)
    assert life.acknowledged > 0


@pytest.mark.parametrize("point", POINTS)
def test_every_acknowledged_value_survives_a_kill_at_a_named_point(tmp_path: Path, point: str) -> None:
    life = Life(tmp_path / "store", clock="manual")
    for hit in (1, 2):
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
            point, hit = POINTS[(number + lap) % len(POINTS)], chance.randint(1, 4)
            assert life.live(number * 100 + lap, point=point, hit=hit) == -signal.SIGKILL, f"{point} was not reached"
            life.check()
