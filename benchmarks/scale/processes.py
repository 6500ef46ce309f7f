"""Owns doing a step in a process of its own, so that its RAM is its own and it can be killed; reads what it tells."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.keeping import DifferenceError

_ROOT = Path(__file__).resolve().parents[2]


class Plan(NamedTuple):
    """What a step is told.

    Attributes:
        keys: How many keys the store has, numbers 0 up to it.
        store: Its directory.
        small: The directory of the store that it is compared with.
        small_keys: How many keys that one has.
        records: The file of recorded records.
        quick: Few calls and rounds.
        lap: Which of several runs of the step this is.
    """

    keys: int
    store: str
    small: str
    small_keys: int
    records: str
    quick: bool
    lap: int = 0


def elsewhere(step: str, plan: Plan, *, killed: bool = False) -> dict[str, Any]:
    """Do a step in another process and return what it tells; nothing where it is to end by being killed.

    Raises:
        DifferenceError: A value came back changed, or the process failed; what it said is on standard error.
    """
    command = [sys.executable, "-m", "benchmarks.scale.process", step, json.dumps(plan._asdict())]
    ran = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if ran.returncode != (-signal.SIGKILL if killed else 0):
        raise DifferenceError(f"the process of step {step} with {plan.keys:,} keys ended with {ran.returncode}")
    told: dict[str, Any] = {} if killed else json.loads(ran.stdout)
    return told
