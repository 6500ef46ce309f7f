"""`BinarizeCodec` (id 13): rows of floats that are one magnitude with a sign each."""

from __future__ import annotations

import numpy as np

from stratakv.engine.codecs.stepped import Array, SteppedCodec
from stratakv.types import CompressionStrategy


class BinarizeCodec(SteppedCodec):
    """One bit an element: 1 for a negative one."""

    id = 13
    strategy = CompressionStrategy.BINARIZE
    bits = 1

    def steps_of(self, rows: Array) -> Array:
        return np.abs(rows[:, 0].astype(np.float64))

    def pack(self, multiples: Array) -> bytes:
        return np.packbits(multiples < 0).tobytes()

    def unpack(self, packed: bytes, count: int) -> Array:
        negative = np.unpackbits(np.frombuffer(packed, np.uint8), count=count)
        return np.where(negative, np.int8(-1), np.int8(1))
