"""`QuantizeInt8Codec` (id 11): rows of floats that are a step times -127 to 127."""

from __future__ import annotations

from typing import Any

import numpy as np

from stratakv.engine.codecs.stepped import Array, SteppedCodec
from stratakv.types import CompressionStrategy


def greatest_step(rows: Array, top: int) -> Array:
    """Return the step of rows whose greatest multiple is `top`; of float16, whose steps are coarse, by trial."""
    greatest: Array = np.abs(rows.astype(np.float64)).max(axis=1)
    if rows.dtype.itemsize > 2:
        return greatest / top
    # A float16 has few bits for its step, so rounding it up leaves the greatest multiple below `top`.
    steps = greatest / top
    for lower in range(top, top - (top >> 3) - 1, -1):
        trial = greatest / lower
        multiples = rows.astype(np.float64) / np.where(trial > 0, trial, 1.0)[:, None]
        fits = (multiples == np.rint(multiples)).all(axis=1)
        steps = np.where(fits, trial, steps)
    return steps


class QuantizeInt8Codec(SteppedCodec):
    """One signed byte an element."""

    id = 11
    strategy = CompressionStrategy.QUANTIZE_INT8
    bits = 8

    def steps_of(self, rows: Array) -> Array:
        return greatest_step(rows, 127)

    def pack(self, multiples: Array) -> bytes:
        return multiples.tobytes()

    def unpack(self, packed: bytes, count: int) -> Array:
        found: np.ndarray[Any, Any] = np.frombuffer(packed, np.int8, count)
        return found
