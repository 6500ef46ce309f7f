"""The same job done by stratakv and by what people use today: times, bytes, RAM, and what a crash takes.

Run as `python -m benchmarks.peers --data DIR` or `python -m benchmarks peers --data DIR`. Every store works in a
process of its own. What each module owns: `protocol` is what all have in common, `ours`, `caches`, `by_hand` and
`mappings` are the stores (`live_objects` what two of them do alike), `contenders` names them; `records` are the values;
`worker` is a store's process; `times`, `alone`, `kills` and `syncs` measure (`synced` is the program whose system calls
are counted); `summary` compares; `report`, `markdown` and `plot` present; `command` has the options.
"""

from __future__ import annotations

from benchmarks.peers.command import main

__all__ = ["main"]
