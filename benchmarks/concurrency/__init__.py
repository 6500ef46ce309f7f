"""What threads do to each other: hot reads and mixed work with 1 to 8 of them, and reads beside all background work.

Run as `python -m benchmarks.concurrency --data DIR` or `python -m benchmarks concurrency --data DIR`. What each module
owns: `threads` lets numbers of threads and mixes take turns, `background` reads while the store's own threads have
nothing or everything to do, `pressure` gives them everything to do, `summary` judges; `report`, `markdown` and `plot`
present; `command` has the options.
"""

from __future__ import annotations

from benchmarks.concurrency.command import main

__all__ = ["main"]
