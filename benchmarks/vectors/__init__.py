"""What vectors take when a learned rotation keeps them, and which nearest neighbours are still found, beside others.

Run as `python -m benchmarks.vectors --data DIR` or `python -m benchmarks vectors --data DIR`. What each module owns:
`tables` reads or makes vectors, `rotated` encodes them with a model learned from half of them, `peers` quantises them
without a model, `times` decodes, `stores` takes them through whole stores, `summary` judges; `report`, `markdown` and
`plot` present; `command` has the options. Needs the extra `vectors`.
"""

from __future__ import annotations

from benchmarks.vectors.command import main

__all__ = ["main"]
