"""`QuantizeInt4Codec` (id 12): rows of floats that are a step times -7 to 7, two in a byte."""

from __future__ import annotations

import numpy as np

from stratakv.engine.codecs.quantize_int8 import greatest_step
from stratakv.engine.codecs.stepped import Array, SteppedCodec
from stratakv.types import CompressionStrategy

_SHIFT = 8
"""Added to a multiple, so that it is a number of four bits."""


class QuantizeInt4Codec(SteppedCodec):
    """Four bits an element, the earlier one in the upper half of its byte."""

    id = 12
    strategy = CompressionStrategy.QUANTIZE_INT4
    bits = 4

    def steps_of(self, rows: Array) -> Array:
        return greatest_step(rows, 7)

    def pack(self, multiples: Array) -> bytes:
        nibbles = np.zeros(len(multiples) + len(multiples) % 2, np.uint8)
        nibbles[: len(multiples)] = multiples + _SHIFT
        return ((nibbles[0::2] << 4) | nibbles[1::2]).tobytes()

    def unpack(self, packed: bytes, count: int) -> Array:
        pairs = np.frombuffer(packed, np.uint8)
        nibbles = np.empty(2 * len(pairs), np.int8)
        nibbles[0::2] = pairs >> 4
        nibbles[1::2] = pairs & 15
        return nibbles[:count] - np.int8(_SHIFT)
