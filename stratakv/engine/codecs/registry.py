"""The codecs by id and by strategy. Owns the shared instances; ids 128 to 255 are for codecs of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.codecs.blosc import BloscCodec
from stratakv.engine.codecs.deflate import ZlibCodec
from stratakv.engine.codecs.lz4_block import Lz4Codec
from stratakv.engine.codecs.parts import PartsCodec
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.codecs.zstd import ZstdCodec
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Codec

FIRST_FOREIGN_ID = 128

_codecs: dict[int, Codec] = {
    codec.id: codec for codec in (RawCodec(), ZlibCodec(), Lz4Codec(), ZstdCodec(), BloscCodec(), PartsCodec())
}


def codec_by_id(codec_id: int) -> Codec:
    """Return the codec that made a payload.

    Raises:
        CorruptionError: No codec has this id: damage, or a codec of others that was not registered.
    """
    try:
        return _codecs[codec_id]
    except KeyError:
        hint = "; register it with register_codec() first" if codec_id >= FIRST_FOREIGN_ID else ""
        raise CorruptionError(f"a payload names codec {codec_id}, which is not known{hint}") from None


def register_codec(codec: Codec) -> None:
    """Make a codec of others known for decoding, for the whole process.

    Raises:
        ConfigurationError: The id is outside 128..255 or taken by another codec.
    """
    if not FIRST_FOREIGN_ID <= codec.id <= 255:
        raise ConfigurationError(f"codec id {codec.id} of {type(codec).__name__} is not in 128..255")
    known = _codecs.setdefault(codec.id, codec)
    if type(known) is not type(codec):
        raise ConfigurationError(f"codec id {codec.id} is already taken by {type(known).__name__}")
