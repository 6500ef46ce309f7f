"""What a store and a read cost beside their floors and diskcache, and an engine wrapped beside the same engine bare.

Run as `python -m benchmarks.overhead --data DIR` or `python -m benchmarks overhead --data DIR`. What each module owns:
`records` the values, `turns` interleaving and spread, `floors` single calls beside the codec alone and diskcache,
`sustained` many stores in a row and bytes at rest; `engines` the engines that are wrapped and their servers,
`workloads` the requests, `requests` what a request is for an engine, `wrapping` bare and wrapped side by side, `alone`
the same in processes of their own; `summary` judges; `report`, `markdown` and `plot` present; `command` has the
options.
"""

from __future__ import annotations

from benchmarks.overhead.command import main

__all__ = ["main"]
