"""`SparseCsrCodec` (id 10): elements that are mostly zero, as positions and the elements that are not.

The payload is a mode byte: below 16 a general form (`Shortest`) of the plaintext; 64, the sparse form:

    64, size, item width, the positions (`positions.py`), length of the elements' payload
    the elements' payload, of `Shortest` or `NumericCodec`, as its first byte tells
    bytes that make no whole element, as they are

Invariant: zero means that all bytes of an element are 0, so -0.0 and NaNs are kept. Nothing of `size` is
allocated before the size written and all positions were checked.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.numeric import NumericCodec, is_number, pcodec_installed
from stratakv.engine.codecs.positions import limit, read_positions, write_positions
from stratakv.engine.codecs.shortest import FIRST_OWN_MODE, Shortest
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy

SPARSE = 64

_WIDEST = 16
_SAMPLE = 4096
# A share of the sample, a little above the quarter that is allowed: the sample may be off by as much.
_LARGEST_SHARE = 0.3
_TINY = 64


class SparseCsrCodec(Codec):
    """Positions of rows and columns, as CSR matrices have them, and the elements packed.

    Args:
        numeric: Try pcodec for the elements; None means when it is installed. Decoding needs it where it was used.
    """

    id = 10
    strategy = CompressionStrategy.SPARSE_CSR

    def __init__(self, *, numeric: bool | None = None) -> None:
        self._numeric_wanted = numeric
        self._numeric = NumericCodec()
        self._shortest = Shortest()

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        itemsize, size = elements.itemsize, len(plaintext)
        if not 1 <= itemsize <= _WIDEST or size < _TINY:
            return self._shortest.encode(plaintext, level, itemsize)
        count = size // itemsize
        items = np.frombuffer(plaintext, np.uint8, count * itemsize).reshape(count, itemsize)
        if _looks_sparse(items):
            positions = np.flatnonzero(_non_zero(items))
            if len(positions) <= limit(count, itemsize):
                tail = bytes(memoryview(plaintext)[count * itemsize :])
                payload = self._encode(items, positions, elements, level, tail)
                if len(payload) < size:
                    return payload
        return self._shortest.encode(plaintext, level, itemsize)

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        mode = view[0] if view else 0
        if mode < FIRST_OWN_MODE:
            return self._shortest.decode(view, size)
        if mode != SPARSE:
            raise CorruptionError(f"damaged payload of a sparse array: {len(view)} bytes, mode {mode}")
        written, at = read_varint(view, 1)
        itemsize = view[at] if at < len(view) else 0
        if written != size or not 1 <= itemsize <= _WIDEST:
            raise CorruptionError(f"a sparse array of {written} bytes and width {itemsize} taken for {size} bytes")
        count, tail = divmod(size, itemsize)
        positions, at = read_positions(view, at + 1, count, limit(count, itemsize), self._shortest)
        length, at = read_varint(view, at)
        if length + tail != len(view) - at:
            raise CorruptionError(f"a sparse array's elements of {length} bytes do not fill {len(view) - at}")
        values = self._decode_values(view[at : at + length], len(positions) * itemsize)
        plaintext = np.zeros(size, np.uint8)
        items = plaintext[: count * itemsize].reshape(count, itemsize)
        items[positions] = np.frombuffer(values, np.uint8).reshape(-1, itemsize)
        if tail:
            plaintext[-tail:] = np.frombuffer(view[at + length :], np.uint8)
        del positions, values  # the copy that follows is the second of the size
        return plaintext.tobytes()

    def _encode(
        self, items: np.ndarray[Any, Any], positions: np.ndarray[Any, Any], elements: Elements, level: int, tail: bytes
    ) -> bytes:
        count, itemsize = items.shape
        head = bytes((SPARSE,)) + write_varint(count * itemsize + len(tail)) + bytes((itemsize,))
        where = write_positions(positions, count, elements.row, level, self._shortest)
        values = self._encode_values(items[positions].tobytes(), elements, level)
        return b"".join((head, where, write_varint(len(values)), values, tail))

    def _encode_values(self, values: bytes, elements: Elements, level: int) -> bytes:
        general = self._shortest.encode(values, level, elements.itemsize)
        wanted = pcodec_installed() if self._numeric_wanted is None else self._numeric_wanted
        if not wanted or not is_number(elements):
            return general
        # pcodec counts as one more candidate only: its own fall-back would be the general form again.
        numeric = self._numeric.encode(values, level=level, elements=elements)
        return min(general, numeric, key=len)

    def _decode_values(self, payload: memoryview, size: int) -> bytes:
        return self._numeric.decode(payload, size)


def _looks_sparse(items: np.ndarray[Any, Any]) -> bool:
    """Judge by at most `_SAMPLE` elements at equal distances, so that dense arrays cost next to nothing."""
    sample = items[:: max(1, -(-len(items) // _SAMPLE))]
    return bool(_non_zero(np.ascontiguousarray(sample)).mean() <= _LARGEST_SHARE)


def _non_zero(items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    itemsize = items.shape[1]
    if itemsize in (1, 2, 4, 8):
        # Ten times faster than looking at the bytes.
        return np.asarray(items.view(f"<u{itemsize}")[:, 0] != 0)
    return np.asarray(items.any(axis=1))
