"""Owns the other end of `processes`: does the step named, prints JSON."""

from __future__ import annotations

import json
import sys

from benchmarks.scale.across import across
from benchmarks.scale.loading import loading
from benchmarks.scale.openings import crash, openings
from benchmarks.scale.processes import Plan
from benchmarks.scale.sustained import sustained
from benchmarks.scale.upkeep import upkeep

STEPS = {
    "loading": loading,
    "across": across,
    "crash": crash,
    "openings": openings,
    "sustained": sustained,
    "upkeep": upkeep,
}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](Plan(**json.loads(sys.argv[2])))))
