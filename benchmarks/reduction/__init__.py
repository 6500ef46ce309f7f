"""How much smaller a settled store is than the values in it, and what a read then costs, beside other compressors.

Run as `python -m benchmarks.reduction --data DIR` or `python -m benchmarks reduction --data DIR`. Each corpus goes
through the public face into a store of its own; every value is compared on the way. Sizes are those of files and
objects, not the store's own counters, which stand beside them. What each module owns: `corpora` reads, `loss` says
which loss is allowed and whether a value kept within it, `run` drives one store, `rows` tells what was seen there,
`sizes` measures, `peers` compresses the same bytes without a store, `founding`, `table`, `markdown` and `plot` present,
`command` has the options.
"""

from __future__ import annotations

from benchmarks.reduction.command import main

__all__ = ["main"]
