"""`Shortest`: bytes by whichever general method makes them smallest, told by a mode byte in front.

What the codecs for numbers, bits and sparse arrays use where their own form does not apply, and for what their
own form is made of. Owns the modes 0 to 15; their own forms have higher ones, so a first byte tells which codec
a payload is of:

    0 raw, 1 zstd, 2 LZMA2, 3 zstd over byte planes (a byte with the element width follows)

Invariant: no payload is longer than the plaintext and one byte.
"""

from __future__ import annotations

from stratakv.engine.codecs.lzma_raw import LZMA, RAW, lzma_decode, lzma_encode
from stratakv.engine.codecs.planes import from_planes, to_planes
from stratakv.engine.codecs.zstd import HIGHEST_LEVEL, ZstdFrames
from stratakv.errors import CorruptionError

ZSTD, ZSTD_PLANES = 1, 3
FIRST_OWN_MODE = 16

# From here on size counts more than time: LZMA is tried too.
SMALL_LEVEL = 9
_WIDEST = 255
_TINY = 16


class Shortest:
    """Encodes bytes by the shortest of raw, zstd, zstd over byte planes and, from level 9 on, LZMA. Thread-safe."""

    def __init__(self) -> None:
        self._zstd = ZstdFrames()

    def encode(self, plaintext: bytes | bytearray | memoryview, level: int, itemsize: int = 1) -> bytes:
        """Return the mode byte and the shortest result."""
        size = len(plaintext)
        best = bytes((RAW,)) + plaintext
        if size < _TINY:
            return best
        zstd_level = min(level, HIGHEST_LEVEL)
        tried = [bytes((ZSTD,)) + self._zstd.encode(plaintext, zstd_level)]
        if 1 < itemsize <= _WIDEST:
            planes = to_planes(plaintext, itemsize)
            tried.append(bytes((ZSTD_PLANES, itemsize)) + self._zstd.encode(planes, zstd_level))
        if level >= SMALL_LEVEL:
            tried.append(bytes((LZMA,)) + lzma_encode(plaintext, level, itemsize))
        return min(best, *tried, key=len)

    def decode(self, payload: memoryview, size: int) -> bytes:
        """Return exactly `size` bytes of plaintext.

        Raises:
            CorruptionError: The payload is of no general mode or does not decode to `size` bytes.
        """
        mode = payload[0] if len(payload) else -1
        if mode == RAW and len(payload) - 1 == size:
            return bytes(payload[1:])
        if mode == ZSTD:
            return self._zstd.decode(payload[1:], size)
        if mode == LZMA:
            return lzma_decode(payload[1:], size)
        if mode == ZSTD_PLANES and len(payload) > 1 and payload[1] > 1:
            return from_planes(self._zstd.decode(payload[2:], size), payload[1])
        raise CorruptionError(f"a payload of {len(payload)} bytes and mode {mode} cannot hold {size} bytes")
