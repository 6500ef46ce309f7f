"""What an acknowledged write costs at each durability, with 1, 4 and 16 threads, beside diskcache and SQLite.

Run as `python -m benchmarks.durability --data DIR` or `python -m benchmarks durability --data DIR`. What each module
owns: `records` finds small values, `turns` runs threads through operations, `contenders` opens what is compared,
`writes` lets them take turns, `disk` times the medium's own sync, `summary` judges; `report`, `markdown` and `plot`
present; `command` has the options.
"""

from __future__ import annotations

from benchmarks.durability.command import main

__all__ = ["main"]
