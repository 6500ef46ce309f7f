"""The codecs by id and by strategy. Owns the shared instances; ids 128 to 255 are for codecs of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.codecs.binarize import BinarizeCodec
from stratakv.engine.codecs.bits import BitsCodec
from stratakv.engine.codecs.blosc import BloscCodec
from stratakv.engine.codecs.columns import ColumnsCodec
from stratakv.engine.codecs.deflate import ZlibCodec
from stratakv.engine.codecs.delta import DeltaCodec
from stratakv.engine.codecs.lz4_block import Lz4Codec
from stratakv.engine.codecs.lzma_raw import LzmaCodec
from stratakv.engine.codecs.numeric import NumericCodec
from stratakv.engine.codecs.parts import PartsCodec
from stratakv.engine.codecs.quantize_int4 import QuantizeInt4Codec
from stratakv.engine.codecs.quantize_int8 import QuantizeInt8Codec
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.codecs.sparse_csr import SparseCsrCodec
from stratakv.engine.codecs.stack import StackCodec
from stratakv.engine.codecs.zstd import ZstdCodec
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Codec

FIRST_FOREIGN_ID = 128

_codecs: dict[int, Codec] = {
    codec.id: codec
    for codec in (
        RawCodec(), ZlibCodec(), Lz4Codec(), ZstdCodec(), BloscCodec(), PartsCodec(), LzmaCodec(), NumericCodec(),
        BitsCodec(), SparseCsrCodec(), QuantizeInt8Codec(), QuantizeInt4Codec(), BinarizeCodec(), ColumnsCodec(),
        DeltaCodec(), StackCodec(),
    )
}  # fmt: skip

TYPED_ONLY = frozenset(
    {
        CompressionStrategy.BLOSC, CompressionStrategy.NUMERIC, CompressionStrategy.SPARSE_CSR,
        CompressionStrategy.QUANTIZE_INT8, CompressionStrategy.QUANTIZE_INT4, CompressionStrategy.BINARIZE,
    }
)  # fmt: skip
"""Strategies for the arrays in a value; what is no array gets zstd."""

# Several codecs may serve one strategy; this is the one for a plaintext without arrays.
_by_strategy: dict[CompressionStrategy, Codec] = {
    CompressionStrategy.NONE: _codecs[RawCodec.id],
    CompressionStrategy.LZ4: _codecs[Lz4Codec.id],
    CompressionStrategy.ZLIB: _codecs[ZlibCodec.id],
    CompressionStrategy.LZMA: _codecs[LzmaCodec.id],
    CompressionStrategy.COLUMNS: _codecs[ColumnsCodec.id],
    CompressionStrategy.GRAPH_PRUNE: _codecs[ColumnsCodec.id],
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


def codec_of(strategy: CompressionStrategy) -> Codec:
    """Return the codec that a strategy has for plaintexts without arrays; zstd for those meant for arrays."""
    return _by_strategy.get(strategy, _codecs[ZstdCodec.id])


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
