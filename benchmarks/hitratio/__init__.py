"""How often each eviction policy hits on recorded traces, beside another simulator and Belady, and what a hit costs.

Run as `python -m benchmarks.hitratio --data DIR` or `python -m benchmarks hitratio --data DIR`. The policies are the
objects that the store uses, replayed as `stratakv simulate` does. What each module owns: `cells` says what is replayed
at which capacity, `jobs` replays, `summary` has the arithmetic and the goals, `costs` times hits and weighs tables,
`report`, `markdown` and `plot` present, `command` says what a run replays; `benchmarks.traces` finds traces.
"""

from __future__ import annotations

from benchmarks.hitratio.command import main

__all__ = ["main"]
