"""The deaths of a store's owner: a process runs and is killed; what it left is compared with what it said."""

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

from stratakv.clock import ManualClock
from tests.crash.life import Bucket, Model, Step, after, settings
from tests.crash.soundness import check_contents, check_no_orphans, check_sums, leave
from tests.crash.unsynced import open_unsynced

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.engine.store import Store

ROOT = Path(__file__).resolve().parents[2]
START = 1_700_000_000
REOPENINGS, REMOTE_REOPENINGS = 5, 3
"""After each death; those of a store with a bucket take a second each."""


class Life:
    """One directory, and perhaps one bucket, through many deaths of their owner."""

    def __init__(self, path: Path, *, clock: str, bucket: Bucket | None = None) -> None:
        self.path = path
        self.bucket = bucket
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
        surroundings = dict(os.environ)
        if self.bucket is not None:
            surroundings |= {"STRATAKV_MORTAL_S3": self.bucket.url, "STRATAKV_MORTAL_BUCKET": self.bucket.name}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=surroundings
        ) as process:
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
        return open_unsynced(settings(self.path, bucket=self.bucket), ManualClock(wall))

    def check(self) -> None:
        """Reopen several times, mostly without a proper end; the last owner settles."""
        allowed = [self.model]
        if self._undecided is not None:
            allowed.append(after(self.model, self._undecided))
        reopenings = REOPENINGS if self.bucket is None else REMOTE_REOPENINGS
        for reopening in range(reopenings):
            store = self.open()
            try:
                check_sums(store)
                if reopening in (0, reopenings - 1):
                    # What an unfinished call did or did not do is decided by now, and stays so.
                    self.model = check_contents(store, allowed)
                    allowed = [self.model]
                if reopening == reopenings - 2:
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
