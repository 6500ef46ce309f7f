"""`BitsCodec` (id 9): elements of one byte that are all 0 or 1, as bits or as the positions of the ones.

The payload is a mode byte: below 16 a general form (`Shortest`) of the plaintext;

    48, size, row, and the `Shortest` form of the packed bits; each row begins with a new byte, row 0 means one row
    49, size, and the positions of the ones (`positions.py`)

Invariant: a size other than the one written is refused before anything of that size is allocated.
"""

from __future__ import annotations

import numpy as np

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.lzma_raw import RAW
from stratakv.engine.codecs.positions import limit, read_positions, sane_row, write_positions
from stratakv.engine.codecs.shortest import FIRST_OWN_MODE, Shortest
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy

PACKED, ONES = 48, 49

# In rows shorter than this, bytes of their own cost more than columns in line gain.
_SHORTEST_ROW = 32
# Above this level the form is chosen at it: LZMA over both would take twice the time for a byte or two.
_PILOT_LEVEL = 3

_Flags = np.ndarray[tuple[int], np.dtype[np.uint8]]


class BitsCodec(Codec):
    """Bits of flags. Ones that are few are told by their positions, when that is shorter.

    Measured on 30,303 x 598 tags of 18 MB: level 3 makes 88 KB by positions and 144 by packed bits;
    level 12 69 and 86.
    """

    id = 9
    strategy = CompressionStrategy.NUMERIC

    def __init__(self) -> None:
        self._shortest = Shortest()

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        flags = np.frombuffer(plaintext, np.uint8)
        if elements.itemsize != 1 or not len(flags) or int(flags.max()) > 1:
            return self._shortest.encode(plaintext, level, elements.itemsize)
        row = sane_row(elements.row, len(flags))
        if row < _SHORTEST_ROW and row % 8:
            row = 0
        forms = [self._pack]
        if np.count_nonzero(flags) <= limit(len(flags), 1):
            forms.append(self._tell_ones)
            if level > _PILOT_LEVEL:
                forms = [min(forms, key=lambda form: len(form(flags, row, _PILOT_LEVEL)))]
        shortest = min((form(flags, row, level) for form in forms), key=len)
        return shortest if len(shortest) <= len(plaintext) else bytes((RAW,)) + plaintext

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        mode = view[0] if view else 0
        if mode < FIRST_OWN_MODE:
            return self._shortest.decode(view, size)
        if mode not in (PACKED, ONES):
            raise CorruptionError(f"damaged payload of bits: {len(view)} bytes, mode {mode}")
        written, at = read_varint(view, 1)
        if written != size:
            raise CorruptionError(f"a payload of {written} bits taken for {size}")
        if mode == PACKED:
            return self._unpack(view, at, size)
        positions, at = read_positions(view, at, size, limit(size, 1), self._shortest)
        if at != len(view):
            raise CorruptionError(f"{len(view) - at} bytes too many after the positions of bits")
        flags = np.zeros(size, np.uint8)
        flags[positions] = 1
        del positions
        return flags.tobytes()

    def _pack(self, flags: _Flags, row: int, level: int) -> bytes:
        packed = np.packbits(flags.reshape(-1, row), axis=1) if row else np.packbits(flags)
        head = bytes((PACKED,)) + write_varint(len(flags)) + write_varint(row)
        return head + self._shortest.encode(packed.tobytes(), level)

    def _tell_ones(self, flags: _Flags, row: int, level: int) -> bytes:
        ones = write_positions(np.flatnonzero(flags), len(flags), row, level, self._shortest)
        return bytes((ONES,)) + write_varint(len(flags)) + ones

    def _unpack(self, view: memoryview, at: int, size: int) -> bytes:
        row, at = read_varint(view, at)
        if size < 1 or (row and row != sane_row(row, size)):
            raise CorruptionError(f"damaged payload of bits: rows of {row} in {size} bytes")
        across = row or size
        width = (across + 7) // 8
        packed = self._shortest.decode(view[at:], size // across * width)
        return np.unpackbits(np.frombuffer(packed, np.uint8).reshape(-1, width), axis=1, count=across).tobytes()
