"""`DeltaCodec` (id 15): differences of consecutive integers, by the shortest general method.

The payload is a mode byte: below 16 a general form (`Shortest`) of the plaintext; else 32 and the log of the
element width, and then the `Shortest` form of the differences, modulo 2**bits, with bytes that make no whole
element after them as they are.

Invariant: signed and unsigned integers are one thing here: differences wrap.
"""

from __future__ import annotations

import numpy as np

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.shortest import FIRST_OWN_MODE, Shortest
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy

DELTA = 32

_WIDTHS = (1, 2, 4, 8)


class DeltaCodec(Codec):
    """Differences: for indices, offsets and times, which grow by little. Floats are left to the general form."""

    id = 15
    strategy = CompressionStrategy.NUMERIC

    def __init__(self) -> None:
        self._shortest = Shortest()

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        itemsize = elements.itemsize
        if elements.kind not in ("i", "u") or itemsize not in _WIDTHS or len(plaintext) < 2 * itemsize:
            return self._shortest.encode(plaintext, level, itemsize)
        mode = bytes((DELTA + _WIDTHS.index(itemsize),))
        payload = mode + self._shortest.encode(_differences(plaintext, itemsize), level, itemsize)
        if len(payload) <= len(plaintext):
            return payload
        return self._shortest.encode(plaintext, level, itemsize)

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        if not view or view[0] < FIRST_OWN_MODE:
            return self._shortest.decode(view, size)
        place = view[0] - DELTA
        if not 0 <= place < len(_WIDTHS):
            raise CorruptionError(f"damaged payload of differences: {len(view)} bytes, mode {view[0]}")
        return _sums(self._shortest.decode(view[1:], size), _WIDTHS[place])


def _differences(plaintext: Buffer, itemsize: int) -> bytes:
    whole = len(plaintext) // itemsize * itemsize
    numbers = np.frombuffer(plaintext, f"<u{itemsize}", whole // itemsize)
    differences = numbers.copy()
    differences[1:] -= numbers[:-1]
    return differences.tobytes() + bytes(memoryview(plaintext)[whole:])


def _sums(differences: bytes, itemsize: int) -> bytes:
    """Undo `_differences`."""
    whole = len(differences) // itemsize * itemsize
    steps = np.frombuffer(differences, f"<u{itemsize}", whole // itemsize)
    tail = differences[whole:]
    numbers = np.cumsum(steps, dtype=steps.dtype)
    del differences, steps  # a third copy would break the promise to take twice the size
    return b"".join((numbers.data, tail))
