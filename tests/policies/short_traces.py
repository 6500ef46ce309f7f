"""Traces for tests, written down as lists."""

from __future__ import annotations

import numpy as np

from stratakv.policies.simulation.trace import Trace


def short_trace(keys: list[int], sizes: list[int] | None = None, ops: list[int] | None = None) -> Trace:
    """Return a trace named "t" with these columns."""
    return Trace(
        "t",
        np.array(keys, np.int64),
        None if sizes is None else np.array(sizes, np.int64),
        None if ops is None else np.array(ops, np.uint8),
    )
