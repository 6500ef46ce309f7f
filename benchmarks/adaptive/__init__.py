"""What tuned idle thresholds and a divided RAM cost, beside hindsight, the founding 1 h and 24 h, and one global LRU.

Run as `python -m benchmarks.adaptive --data DIR` or `python -m benchmarks adaptive --data DIR`. Everything goes through
the objects that the store uses. What each module owns: `settings` says which traces are played how fast and at which
prices, `jobs` replays, `day` lives a day with a tuner and a store, `summary` has the arithmetic and the goals,
`report`, `markdown` and `plot` present, `command` says what a run replays; `benchmarks.traces` finds traces.
"""

from __future__ import annotations

from benchmarks.adaptive.command import main

__all__ = ["main"]
