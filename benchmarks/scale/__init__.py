"""What 100 thousand, 1 million and 10 million keys cost: rates and latencies, RAM, disk, opening, upkeep.

Run as `python -m benchmarks.scale --data DIR --keys 100k,1m,10m`. Every size is built and measured in processes of
its own. What each module owns: `records` makes keys and values, `stores` opens and looks into stores, `memory` measures
RAM, `latencies` times calls, `processes` starts `process`, which does one step: `loading` fills a store and has
`operations` time what is done with it, `across` reads it beside the smallest one, `sustained` stores beside diskcache,
`openings` opens after crash and shutdown, `upkeep` runs `maintain`; `sizes` takes one size through all steps; `summary`
compares; `report`, `markdown` and `plot` present; `command` has the options.
"""

from __future__ import annotations

from benchmarks.scale.command import main

__all__ = ["main"]
