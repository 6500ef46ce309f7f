"""Names shared by every room: tiers and compression strategies. Holds no behaviour beyond parsing them."""

from __future__ import annotations

from enum import Enum


class StorageTier(Enum):
    """Where a value lies: RAM, SSD or object store."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


class CompressionStrategy(Enum):
    """What a caller asks of the compression engine. `ADAPTIVE` leaves the choice to the engine."""

    NONE = "none"
    LZ4 = "lz4"
    ZSTD = "zstd"
    ZLIB = "zlib"
    BLOSC = "blosc"
    QUANTIZE_INT8 = "quantize_int8"
    QUANTIZE_INT4 = "quantize_int4"
    BINARIZE = "binarize"
    SPARSE_CSR = "sparse_csr"
    GRAPH_PRUNE = "graph_prune"
    NUMERIC = "numeric"
    LZMA = "lzma"
    COLUMNS = "columns"
    ROTATED = "rotated"
    ADAPTIVE = "adaptive"
