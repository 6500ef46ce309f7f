"""Candidates: which codecs may suit a segment, found out cheaply, and their numbers in a container of parts.

Owns the method numbers, which are part of the format: 0 raw, 1 LZ4, 2 zstd, 3 blosc2, 4 zstd over byte planes, 5 LZMA,
6 numeric, 7 differences, 8 bits, 9 sparse, 10 steps of 8 bits, 11 of 4 bits, 12 signs. A number is never used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stratakv.engine.codecs.binarize import BinarizeCodec
from stratakv.engine.codecs.bits import BitsCodec
from stratakv.engine.codecs.blosc import BloscCodec, blosc2_installed
from stratakv.engine.codecs.contests import Candidate
from stratakv.engine.codecs.delta import DeltaCodec
from stratakv.engine.codecs.lz4_block import Lz4Codec
from stratakv.engine.codecs.lzma_raw import LzmaCodec
from stratakv.engine.codecs.numeric import NumericCodec, pcodec_installed
from stratakv.engine.codecs.planes import from_planes, to_planes
from stratakv.engine.codecs.quantize_int4 import QuantizeInt4Codec
from stratakv.engine.codecs.quantize_int8 import QuantizeInt8Codec
from stratakv.engine.codecs.raw import RawCodec
from stratakv.engine.codecs.sparse_csr import SparseCsrCodec
from stratakv.engine.codecs.zstd import ZstdCodec
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.codecs.base import Codec, Elements
    from stratakv.engine.codecs.stepped import SteppedCodec

RAW, LZ4, ZSTD, BLOSC, PLANES, LZMA, NUMERIC, DELTA, BITS, SPARSE, INT8, INT4, SIGNS = range(13)

THOROUGH = 9
"""From this level of zstd on there is time for LZMA."""

_KINDS: dict[int, Callable[[], Codec]] = {
    RAW: RawCodec, LZ4: Lz4Codec, ZSTD: ZstdCodec, BLOSC: BloscCodec, LZMA: LzmaCodec, NUMERIC: NumericCodec,
    DELTA: DeltaCodec, BITS: BitsCodec, SPARSE: SparseCsrCodec, INT8: QuantizeInt8Codec, INT4: QuantizeInt4Codec,
    SIGNS: BinarizeCodec,
}  # fmt: skip
_STEPPED = (INT8, INT4, SIGNS)
# Importing blosc2 takes a third of a second, which no caller of `store` shall wait for; planes come near it.
_BLOSC_FROM = 2
_NAMES = {
    RAW: "none", LZ4: "lz4", ZSTD: "zstd", BLOSC: "blosc", PLANES: "zstd over byte planes", LZMA: "lzma",
    NUMERIC: "numeric", DELTA: "differences", BITS: "bits", SPARSE: "sparse_csr", INT8: "quantize_int8",
    INT4: "quantize_int4", SIGNS: "binarize",
}  # fmt: skip
_STRATEGIES: dict[int, CompressionStrategy] = {
    PLANES: CompressionStrategy.ZSTD,
    **{method: kind().strategy for method, kind in _KINDS.items()},
}
_SAMPLE = 4096
_FEWEST_ZEROS = 0.75
_NUMBERS = (1, 2, 4, 8)


def name_of(method: int) -> str:
    """Return what statistics call a method."""
    return _NAMES[method]


def strategy_of(method: int) -> CompressionStrategy:
    """Return the strategy under which a method is asked for."""
    return _STRATEGIES[method]


class Methods:
    """One codec for each method.

    Args:
        blosc: Use blosc2; None means when it is installed.
        numeric: Use pcodec; None means when it is installed.
    """

    def __init__(self, *, blosc: bool | None = None, numeric: bool | None = None) -> None:
        self._blosc = blosc
        self._numeric = numeric
        self._codecs: dict[int, Codec] = {method: kind() for method, kind in _KINDS.items()}
        self._stepped: dict[int, SteppedCodec] = {
            INT8: QuantizeInt8Codec(), INT4: QuantizeInt4Codec(), SIGNS: BinarizeCodec()
        }  # fmt: skip

    @staticmethod
    def knows(method: int) -> bool:
        """Tell whether a number is that of a method."""
        return method <= SIGNS

    def fitting(
        self, plain: memoryview, elements: Elements, level: int, settled: str | None = None
    ) -> tuple[str, list[int]]:
        """Return a special form of the elements, if they have one, and the methods worth trying.

        Special forms that a look at a few elements confirms are so much smaller that nothing else is tried. The look
        costs some microseconds, so where earlier trials have `settled` on a method there is none.
        """
        kind, itemsize, _ = elements
        thorough = [LZMA] if level >= THOROUGH else []
        if kind == "V":
            if itemsize == 1:
                # LZ4 loses to zstd in size nearly always; it is for text in a hurry.
                return "", [LZ4] if level < 2 else [ZSTD, *thorough]
            return "", [ZSTD, *self._planes(itemsize, level), *thorough]
        general = [ZSTD, *self._planes(itemsize, level), *self._numbers(itemsize), *thorough]
        if kind != "f" and itemsize > 1:
            general.append(DELTA)
        if settled is not None:
            return "", general
        if kind == "f":
            for method in _STEPPED:
                if self._stepped[method].suits(plain, elements):
                    return " in steps", [method]
        elif itemsize == 1 and _is_bits(plain):
            return " of 0 and 1", [BITS]
        if _is_sparse(plain, itemsize):
            return ", mostly zero", [SPARSE, *general]
        return "", general

    def of(self, strategy: CompressionStrategy, plain: memoryview, elements: Elements) -> list[int]:
        """Return the methods of a strategy for a segment; zstd for one that is not typed."""
        if elements.kind == "V" and elements.itemsize == 1:
            return [ZSTD]
        named = [method for method, kind in self._codecs.items() if kind.strategy is strategy]
        if elements.itemsize == 1 and not _is_bits(plain):
            named = [method for method in named if method != BITS]
        return named or [ZSTD]

    def candidate(self, method: int, elements: Elements, level: int) -> Candidate:
        """Return a method as a candidate; only where there is time for LZMA does the time of reading count."""
        if method == PLANES:
            zstd = self._codecs[ZSTD]
            return Candidate(lambda plain: zstd.encode(to_planes(plain, elements.itemsize), level=level))
        codec = self._codecs[method]
        decode = codec.decode if level >= THOROUGH else None
        return Candidate(lambda plain: codec.encode(plain, level=level, elements=elements), decode)

    def decode(self, method: int, payload: memoryview, size: int, itemsize: int) -> bytes:
        """Return the plain bytes of a part; errors as `Codec.decode`."""
        if method == PLANES:
            return from_planes(self._codecs[ZSTD].decode(payload, size), itemsize)
        return self._codecs[method].decode(payload, size)

    def _planes(self, itemsize: int, level: int) -> list[int]:
        if not 1 < itemsize < 256:
            return []
        if level < _BLOSC_FROM and self._blosc is None:
            return [PLANES]
        blosc = blosc2_installed() if self._blosc is None else self._blosc
        return [BLOSC if blosc else PLANES]

    def _numbers(self, itemsize: int) -> list[int]:
        numeric = pcodec_installed() if self._numeric is None else self._numeric
        return [NUMERIC] if numeric and itemsize in _NUMBERS else []


def _is_bits(plain: memoryview) -> bool:
    """Tell whether all bytes are 0 or 1; most that are not show it at once."""
    flat = np.frombuffer(plain, np.uint8)
    return bool((flat[:: max(1, len(flat) // _SAMPLE)] < 2).all() and flat.max(initial=0) < 2)


def _is_sparse(plain: memoryview, itemsize: int) -> bool:
    """Tell from a sample whether most elements have no bit set."""
    count = len(plain) // itemsize
    flat = np.frombuffer(plain, np.uint8, count * itemsize).reshape(-1, itemsize)
    sample = flat[:: max(1, count // _SAMPLE)]
    return bool(len(sample) and (~sample.any(axis=1)).mean() >= _FEWEST_ZEROS)
