"""`ZlibCodec` (id 2): raw deflate streams (RFC 1951), without zlib's header and checksum.

The length is known from outside and blocks are verified by their pack, so both would be dead weight.
"""

from __future__ import annotations

import zlib

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy

# Deflate codes at most 258 bytes in two bits.
_BEST_RATIO = 1032
# A stream is longer than its plaintext by 1/4096 and some bytes at most (deflateBound). zlib keeps a copy of what it
# did not decode.
_EXCESS_SHIFT = 7
_EXCESS = 64


class ZlibCodec(Codec):
    """Deflate. Takes levels 1 to 9; higher ones count as 9."""

    id = 2
    strategy = CompressionStrategy.ZLIB

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:  # noqa: ARG002 - the interface's
        return zlib.compress(plaintext, min(level, 9), wbits=-zlib.MAX_WBITS)

    def decode(self, payload: Buffer, size: int) -> bytes:
        if size > _BEST_RATIO * len(payload) or len(payload) > size + (size >> _EXCESS_SHIFT) + _EXCESS:
            raise CorruptionError(f"a zlib payload of {len(payload)} bytes cannot hold {size} bytes")
        stream = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        try:
            # One byte more than expected shows a stream that is too long, and lets the end be reached at size
            # 0.
            plaintext = stream.decompress(payload, size + 1)
        except zlib.error as error:
            raise CorruptionError(f"damaged zlib payload of {len(payload)} bytes: {error}") from error
        if len(plaintext) != size or not stream.eof or stream.unused_data:
            raise CorruptionError(f"a zlib payload of {len(payload)} bytes does not decode to exactly {size} bytes")
        return plaintext
