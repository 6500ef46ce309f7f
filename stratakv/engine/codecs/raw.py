"""`RawCodec` (id 1): the plaintext itself. Used wherever another codec would not pay."""

from __future__ import annotations

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy


class RawCodec(Codec):
    """Keeps the bytes as they are; copies only what is not `bytes` already."""

    id = 1
    strategy = CompressionStrategy.NONE

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:  # noqa: ARG002 - the interface's
        return bytes(plaintext)

    def decode(self, payload: Buffer, size: int) -> bytes:
        if len(payload) != size:
            raise CorruptionError(f"a raw payload of {len(payload)} bytes cannot be a plaintext of {size} bytes")
        return bytes(payload)
