"""`Lz4Codec` (id 3): bare LZ4 blocks; the length is kept outside."""

from __future__ import annotations

import lz4.block

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.errors import CapacityError, CorruptionError
from stratakv.types import CompressionStrategy

# A match length grows by at most 255 for each byte of the block; a few bytes come with its token.
_BEST_RATIO = 255
_LONGEST = 0x7E000000  # LZ4_MAX_INPUT_SIZE

_compress = lz4.block.compress
_decompress = lz4.block.decompress


class Lz4Codec(Codec):
    """LZ4; from level 7 on the slower high-compression search, which decodes as fast."""

    id = 3
    strategy = CompressionStrategy.LZ4

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:  # noqa: ARG002 - the interface's
        if len(plaintext) > _LONGEST:
            raise CapacityError(f"LZ4 takes at most {_LONGEST} bytes at once, not {len(plaintext)}; use ZSTD")
        encoded: bytes
        if level < 7:
            encoded = _compress(plaintext, store_size=False)
        else:
            encoded = _compress(plaintext, mode="high_compression", compression=min(level, 12), store_size=False)
        return encoded

    def decode(self, payload: Buffer, size: int) -> bytes:
        if size > _BEST_RATIO * len(payload) + 64 or size > _LONGEST:
            raise CorruptionError(f"an LZ4 payload of {len(payload)} bytes cannot hold {size} bytes")
        try:
            plaintext: bytes = _decompress(payload, uncompressed_size=size)
        except (lz4.block.LZ4BlockError, ValueError) as error:
            raise CorruptionError(f"damaged LZ4 payload of {len(payload)} bytes: {error}") from error
        if len(plaintext) != size:
            raise CorruptionError(f"an LZ4 payload holds {len(plaintext)} bytes, not {size}")
        return plaintext
