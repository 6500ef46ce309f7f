"""Codecs, one a file: reversible transformations of bytes that know nothing of keys, tiers or values."""

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements, Encoded
from stratakv.engine.codecs.blosc import BloscCodec, blosc2_installed
from stratakv.engine.codecs.deflate import ZlibCodec
from stratakv.engine.codecs.lz4_block import Lz4Codec
from stratakv.engine.codecs.parts import PartsCodec
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.codecs.registry import codec_by_id, register_codec
from stratakv.engine.codecs.zstd import ZstdCodec, ZstdFrames

__all__ = [
    "UNTYPED",
    "BloscCodec",
    "Buffer",
    "Codec",
    "Elements",
    "Encoded",
    "Lz4Codec",
    "PartsCodec",
    "RawCodec",
    "ZlibCodec",
    "ZstdCodec",
    "ZstdFrames",
    "blosc2_installed",
    "codec_by_id",
    "register_codec",
]
