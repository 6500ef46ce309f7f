"""Owns what `maintain` takes, as it is and settling, when everything goes to the cold tier, a directory."""

from __future__ import annotations

import random
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.scale.memory import peak_bytes, resident_bytes
from benchmarks.scale.records import Records
from benchmarks.scale.stores import compare, opened

if TYPE_CHECKING:
    from benchmarks.scale.processes import Plan

LOOKED_AT = 200


def upkeep(plan: Plan) -> dict[str, Any]:
    """Return seconds of both, the RAM meanwhile, and how long values from cold take."""
    records = Records.read(Path(plan.records))
    with opened(Path(plan.store)) as memory:
        imported = resident_bytes()
        begun = perf_counter()
        memory.maintain()
        plain = perf_counter()
        memory.maintain(settle=True)
        settled = perf_counter()
        numbers = random.Random(1).sample(range(plan.keys), min(LOOKED_AT, plan.keys))
        compare(records, numbers, [memory.retrieve(records.key(number)) for number in numbers])
        return {
            "seconds": plain - begun,
            "settle_seconds": settled - plain,
            "peak_over_opened": peak_bytes() - imported,
        }
