"""Symbols to bytes and back: an asymmetric numeral system for few rows, Huffman codes for many.

Owns the only import of constriction, an optional library, and both forms of coded symbols. The first (Duda, 2009; as in
constriction, Bamler, 2022) takes the frequencies of the statistics and comes within a bit a vector of them, at some
20 ns a symbol; the second is a zstd frame for each class, whose Huffman tables fit the block, at 1 ns.

Invariant: frequencies are whole numbers below 2^24 in sum, so that constriction's tables, which it makes with
floats, are the same on every machine.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import zstandard

from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.engine.codecs.zstd import ZstdFrames
from stratakv.engine.undisturbed_import import imported
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from types import ModuleType

    from stratakv.engine.rotation.statistics import Class, Statistics

Array = np.ndarray[Any, Any]

_WORD = 4
_LEVEL = 1
_BEST_RATIO = 4 * 32768  # four symbols a byte, and what zstd makes of one byte


@cache
def _find() -> ModuleType | None:
    return imported("constriction")


def vectors_installed() -> bool:
    """Tell whether constriction can be imported."""
    return _find() is not None


def _load() -> ModuleType:
    """Return constriction.

    Raises:
        ConfigurationError: It is not installed.
    """
    found = _find()
    if found is None:
        raise ConfigurationError("rotated vectors need the library constriction: pip install 'stratakv[vectors]'")
    return found


class Numerals:
    """Symbols by the statistics' own frequencies. Immutable, thread-safe."""

    def __init__(self, statistics: Statistics) -> None:
        self._widths = statistics.widths
        self._classes = statistics.classes
        self._shifted = any(kind.shift for kind in statistics.classes)
        self._models: list[tuple[int, Any, Any]] | None = None

    def encode(self, usual: Array, low: Array | None) -> bytes:
        """Return the bytes of rows of symbols."""
        coder = _load().stream.stack.AnsCoder()
        stop = usual.shape[1]
        for width, symbol, bits in reversed(self._made()):
            start = stop - width
            if low is not None and bits is not None:
                coder.encode_reverse(_flat(low, start, stop), bits)
            coder.encode_reverse(_flat(usual, start, stop), symbol)
            stop = start
        # The last word is not zero, but its highest bytes often are.
        return bytes(coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0"))

    def decode(self, payload: memoryview, rows: int) -> tuple[Array, Array | None]:
        """Return the symbols and low bits of so many rows.

        Raises:
            CorruptionError: The payload does not hold exactly so many.
        """
        if payload and not payload[-1]:
            raise CorruptionError(f"{len(payload)} bytes of coded vectors do not end as they must")
        words = np.frombuffer(bytes(payload) + bytes(-len(payload) % _WORD), "<u4")
        coder = _load().stream.stack.AnsCoder(words.astype(np.uint32))
        usual, low = [], []
        for width, symbol, bits in self._made():
            usual.append(coder.decode(symbol, rows * width).reshape(rows, width))
            if bits is not None:
                low.append(coder.decode(bits, rows * width).reshape(rows, width))
            elif self._shifted:
                low.append(np.zeros((rows, width), np.int32))
        if not coder.is_empty():
            raise CorruptionError(f"{len(payload)} bytes of coded vectors hold more than {rows} rows")
        return np.concatenate(usual, axis=1), np.concatenate(low, axis=1) if low else None

    def _made(self) -> list[tuple[int, Any, Any]]:
        """Return the coordinates and constriction's models of each class; two threads may both make them."""
        models = self._models
        if models is None:
            of = _load().stream.model
            models = [
                (
                    width,
                    of.Categorical(np.array(kind.frequencies, np.float32), perfect=False),
                    of.Uniform(1 << kind.shift) if kind.shift else None,
                )
                for kind, width in zip(self._classes, self._widths, strict=True)
                if width
            ]
            self._models = models
        return models


class Literals(ZstdFrames):
    """zstd frames in which hardly anything is matched: chance matches of symbols cost more than their Huffman codes."""

    def _compressor(self, level: int) -> zstandard.ZstdCompressor:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            level,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=1,
            write_checksum=0,
            write_dict_id=0,
            strategy=zstandard.STRATEGY_FAST,
            min_match=7,
            hash_log=6,
        )
        return zstandard.ZstdCompressor(compression_params=parameters)


class Huffman:
    """Symbols in a zstd frame for each class, low bits behind them in frames of their own. Thread-safe.

    Symbols of a small alphabet share a byte, for a Huffman code has whole bits.
    """

    def __init__(self, statistics: Statistics) -> None:
        self._widths = statistics.widths
        self._classes = [_Packing(kind) for kind in statistics.classes]
        self._shifted = any(kind.shift for kind in statistics.classes)
        self._frames = Literals()

    def encode(self, usual: Array, low: Array | None) -> bytes:
        """Return the bytes of rows of symbols: for each frame its length as a varint, then the frames."""
        frames: list[bytes] = []
        start = 0
        for packing, width in zip(self._classes, self._widths, strict=True):
            stop = start + width
            if width:
                frames.append(self._frames.encode(packing.packed(usual[:, start:stop]), _LEVEL))
            if low is not None and width:
                for plane in range(packing.planes):
                    part = (low[:, start:stop] >> (8 * plane)).astype(np.uint8)
                    frames.append(self._frames.encode(part.tobytes(), _LEVEL))
            start = stop
        return b"".join((*(write_varint(len(frame)) for frame in frames), *frames))

    def decode(self, payload: memoryview, rows: int) -> tuple[Array, Array | None]:
        """Return the symbols and low bits of so many rows.

        Raises:
            CorruptionError: The payload does not hold exactly so many.
        """
        lengths, at = [], 0
        for packing, width in zip(self._classes, self._widths, strict=True):
            for _ in range(1 + packing.planes if width else 0):
                length, at = read_varint(payload, at)
                lengths.append(length)
        if at + sum(lengths) != len(payload) or rows * sum(self._widths) > _BEST_RATIO * len(payload):
            raise CorruptionError(f"{len(payload)} bytes of coded vectors are not what their frames take")
        usual = np.empty((rows, sum(self._widths)), np.uint8)
        low = np.zeros(usual.shape, np.int32) if self._shifted else None
        start, following = 0, iter(lengths)
        for packing, width in zip(self._classes, self._widths, strict=True):
            stop = start + width
            for plane in range(-1, packing.planes if width else -1):
                frame = payload[at : (at := at + next(following))]
                count = rows * width
                if plane < 0:
                    packed = self._frames.decode(frame, packing.bytes_of(count))
                    usual[:, start:stop] = packing.unpacked(packed, count).reshape(rows, width)
                elif low is not None:
                    bits = np.frombuffer(self._frames.decode(frame, count), np.uint8).astype(np.int32)
                    low[:, start:stop] |= bits.reshape(rows, width) << (8 * plane)
            start = stop
        return usual, low


class _Packing:
    """How symbols of one class share bytes: four, two or one, the first most significant.

    Attributes:
        planes: Bytes of its low bits.
    """

    def __init__(self, kind: Class) -> None:
        self.planes = (kind.shift + 7) // 8
        letters = len(kind.frequencies)
        self._share = 4 if letters <= 4 else 2 if letters <= 16 else 1
        self._weights = letters ** np.arange(self._share)[::-1]
        each = np.arange(letters**self._share if self._share > 1 else 0)
        digits = (each[:, None] // self._weights % letters).astype(np.uint8)
        self._digits = digits.view(f"<u{self._share}").reshape(-1)

    def bytes_of(self, count: int) -> int:
        """Return how many bytes so many symbols take."""
        return -(-count // self._share)

    def packed(self, symbols: Array) -> bytes:
        """Return symbols in as few bytes as they can share."""
        if self._share == 1:
            return symbols.tobytes()
        flat = np.zeros(self.bytes_of(symbols.size) * self._share, np.uint8)
        flat[: symbols.size] = symbols.reshape(-1)
        packed: Array = flat.reshape(-1, self._share) @ self._weights
        return packed.astype(np.uint8).tobytes()

    def unpacked(self, packed: bytes, count: int) -> Array:
        """Undo `packed`.

        Raises:
            CorruptionError: A byte is none that symbols make.
        """
        numbers = np.frombuffer(packed, np.uint8)
        if self._share == 1:
            return numbers
        try:
            digits = self._digits.take(numbers)
        except IndexError:
            raise CorruptionError(f"{len(packed)} bytes of coded vectors hold symbols that there are not") from None
        return digits.view(np.uint8)[:count]


def _flat(numbers: Array, start: int, stop: int) -> Array:
    return np.ascontiguousarray(numbers[:, start:stop], np.int32).reshape(-1)
