"""What versions of large documents take at rest, and what storing, streaming and reading parts of large values costs.

Run as `python -m benchmarks.large --data DIR` or `python -m benchmarks large --data DIR`. Sizes are those of files,
catalog included. What each module owns: `documents` reads or makes versions, `text` makes text, `stores` opens and
settles, `sizes` measures what versions take, `peers` compresses them without a store, `summary` compares, `costs` times
stores, `ranges` times parts of values, `streams` sends a value through `passage`, a process of its own; `report`,
`markdown` and `plot` present; `command` has the options.
"""

from __future__ import annotations

from benchmarks.large.command import main

__all__ = ["main"]
