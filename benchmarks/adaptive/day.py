"""Owns a day of simulated time: a store under a clock that is told, and a tuner under targets that are violated.

Invariant: nothing of it depends on how fast the machine is, so equal seeds lead to equal decisions.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.policies.admission import Accesses
from stratakv.policies.placement.prices import Prices
from stratakv.policies.simulation.cycles import hashed
from stratakv.policies.tuning.steering import Measured, Targets
from stratakv.policies.tuning.tuner import Tuner
from stratakv.policies.tuning.verdict import HOT, WARM, Capacity, Load, Settings, Sight

if TYPE_CHECKING:
    from stratakv.policies.tuning.verdict import Change, Verdict

HOUR, DAY = 3_600.0, 86_400.0
TELEMETRY, RETUNE = 10.0, 300.0
KEYS = 400
AGAIN = 2 * HOUR
"""Each key is read again after about so long."""

SEED = 5

SIGHTS = {
    "both targets met": Measured(90.0, 0.5),
    "30% saved, and little by little more": Measured(30.0, 0.5),
    "callers wait 60% of the time": Measured(90.0, 60.0),
}


def reads(keys: int, seconds: float, seed: int) -> list[tuple[float, int]]:
    """Return times and key numbers, in order: each key comes again after about `AGAIN`."""
    source = np.random.default_rng(seed)
    most = int(seconds / (0.8 * AGAIN)) + 2
    gaps = source.uniform(0.8, 1.2, (keys, most)) * AGAIN
    gaps[:, 0] = source.uniform(0, AGAIN, keys)
    times = gaps.cumsum(axis=1)
    number = np.broadcast_to(np.arange(keys)[:, None], times.shape)
    within = times < seconds
    order = np.argsort(times[within], kind="stable")
    return list(zip(times[within][order].tolist(), number[within][order].tolist(), strict=True))


def live(seconds: float, seed: int) -> dict[str, Any]:
    """Let a store live: values are read, telemetry is looked at every 10 s, and it is retuned every 5 minutes.

    Returns:
        Processor seconds, retunes, reads, and each change that was made.
    """
    clock = ManualClock()
    events = reads(KEYS, seconds, seed)
    with tempfile.TemporaryDirectory(prefix="stratakv-adaptive-") as directory:
        config = OptimizationConfig(storage={"path": str(Path(directory) / "store")})
        config.adaptive.telemetry_interval_seconds = TELEMETRY
        config.adaptive.retune_interval_seconds = RETUNE
        with OptimizationMiddleware(config=config, clock=clock) as memory:
            for number in range(KEYS):
                memory[f"key:{number}"] = {"number": number, "text": f"record {number} " * 20}
            tuning = memory.tiered_storage._store.tuning  # noqa: SLF001 -- the background work of a told clock
            place = 0
            began = process_time()
            for window in range(1, int(seconds / TELEMETRY) + 1):
                clock.advance(TELEMETRY)
                while place < len(events) and events[place][0] <= window * TELEMETRY:
                    memory.retrieve(f"key:{events[place][1]}")
                    place += 1
                tuning.step(lambda: None)
            took = process_time() - began
            adaptive = memory.get_statistics()["adaptive"]
    return {"cpu_seconds": took, "retunes": adaptive["retunes"], "reads": place, "changes": adaptive["last_changes"]}


def targets(seconds: float, seed: int) -> list[dict[str, Any]]:
    """Tell a tuner the same day with other measurements beside it, and return where it goes."""
    told = []
    for name, measured in SIGHTS.items():
        tuner = Tuner(_settings())
        verdict, changes = _day(tuner, measured, seconds, seed)
        threshold = verdict.idle.get((HOT, 0))
        told.append(
            {
                "measured": name,
                "rent_weight": verdict.course.rent_weight,
                "codec_factor": verdict.course.codec_factor,
                "hot_idle_hours": None if threshold is None else threshold.seconds(1000) / HOUR,
                "why": next((change.why for change in changes if change.what == "weight of rent"), ""),
            }
        )
    return told


def _day(tuner: Tuner, measured: Measured, seconds: float, seed: int) -> tuple[Verdict, list[Change]]:
    hashes = hashed(np.arange(KEYS)).tolist()
    loads = {0: Load(100, {HOT: 1, WARM: 0}, RETUNE)}
    changes: list[Change] = []
    events = iter(reads(KEYS, seconds, seed))
    at, number = next(events)
    verdict = None
    retunes = int(seconds / RETUNE)
    for retune in range(1, retunes + 1):
        while at < retune * RETUNE:
            tuner.edges.read(0, hashes[number], at, (1000, 400))
            at, number = next(events, (math.inf, 0))
        verdict = tuner.retune(Sight(retune * RETUNE, retune * RETUNE, _at(measured, retune / retunes), loads))
        changes += verdict.changes
    assert verdict is not None
    return verdict, changes


def _at(measured: Measured, part: float) -> Measured:
    """Return what is measured when so much of the time is over: what is saved too little of comes near the target."""
    saved, target = measured.reduction_percent or 0.0, Targets().reduction_percent
    return measured._replace(reduction_percent=max(saved, saved + part * (target - 1.0 - saved)))


def _settings() -> Settings:
    return Settings(
        prices=Prices(),
        wait_of=lambda _namespace: 1e-4,
        targets=Targets(),
        learning_rate=0.5,
        rest=600.0,
        shortest=10.0,
        longest=90 * DAY,
        configured={HOT: HOUR, WARM: DAY},
        accesses=Accesses(2, 5),
        capacity=Capacity(1 << 28, 1 << 28, 1 << 28),
    )


def day(*, quick: bool) -> dict[str, Any]:
    """Live the same time twice, and under each measurement.

    Args:
        quick: Four hours, not a day.
    """
    seconds = 4 * HOUR if quick else DAY
    once, again = live(seconds, SEED), live(seconds, SEED)
    other = live(seconds, SEED + 1)
    changes = once.pop("changes")
    return {
        "hours": seconds / HOUR,
        **once,
        "changes": len(changes),
        "same": changes == again["changes"],
        "another_seed_differs": changes != other["changes"],
        "targets": targets(seconds, SEED),
    }
