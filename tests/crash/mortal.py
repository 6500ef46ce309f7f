"""The program that is killed: takes random steps on a store and prints each before it is taken and once it returned.

Lines on standard output are JSON: [1, call, changes] before a step that changes values, [2] when it was acknowledged.
Run as `python -m tests.crash.mortal DIRECTORY SEED CLOCK POINT HIT`; CLOCK is `real` or a wall time for a manual one,
at the HIT-th passing of POINT (`-` for none) the process kills itself. With STRATAKV_MORTAL_S3 and
STRATAKV_MORTAL_BUCKET in the environment, an address and a name, the cold tier is that bucket.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from pathlib import Path

from stratakv.clock import ManualClock
from stratakv.engine.store import Store
from tests.crash.life import Bucket, changes_values, random_step, settings, take

STEPS = 3000


def say(*words: object) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def main(directory: str, seed: str, clock_name: str, point: str, hit: str) -> None:
    chance = random.Random(seed)
    clock = None if clock_name == "real" else ManualClock(float(clock_name))
    bucket = None
    if "STRATAKV_MORTAL_S3" in os.environ:
        bucket = Bucket(os.environ["STRATAKV_MORTAL_S3"], os.environ["STRATAKV_MORTAL_BUCKET"])
    store = Store(settings(Path(directory), bucket=bucket), clock=clock)
    left = int(hit)

    def at_point(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    store.parts.at_point = at_point
    for _ in range(STEPS):
        step = random_step(chance, upkeep=0.03 if clock is not None else 0.002)
        if clock is not None:
            clock.advance(chance.random() * 0.1)
        if changes_values(step):
            say(1, step.call, dict(step.changes))
            take(store, step, chance)
            say(2)
        else:
            take(store, step, chance)


if __name__ == "__main__":
    main(*sys.argv[1:])
