"""Opens stores with a clock that stands still, and asks them about keys, for the tests of explanations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.engine.explanation import Explanation, explain

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.engine.outlook import Prospect

HOUR = 3600.0
DAY = 24 * HOUR


def open_store(path: Path, clock: ManualClock, **settings: Any) -> OptimizationMiddleware:
    config = OptimizationConfig(storage={"path": str(path / "store")}, **settings)
    return OptimizationMiddleware(config=config, clock=clock)


def told(memory: OptimizationMiddleware, key: str) -> Explanation:
    found = explain(memory.tiered_storage._store, key)
    json.dumps(found.as_dict(), allow_nan=False)
    return found


def prospect(memory: OptimizationMiddleware, key: str, what: str) -> Prospect:
    (found,) = [prospect for prospect in told(memory, key).future if prospect.what == what]
    return found


def wait_until(clock: ManualClock, at: float | None) -> None:
    assert at is not None
    clock.advance(at - clock.now())


def place(memory: OptimizationMiddleware, key: str) -> tuple[bool, str | None]:
    """Return (in RAM, tier below it)."""
    found = told(memory, key)
    return found.ram is not None, found.pack.tier if found.pack is not None else None
