"""`NumericCodec` (id 8): pcodec for numbers. Owns the only import of pcodec.

Without it, on a platform that has no wheel, a store works all the same; what was encoded with it waits for it.

The payload is a mode byte: below 16 a general form (`Shortest`); 16, the form of numbers:

    16, dtype byte (kind's place in "iuf" << 4 | itemsize), pcodec's two header bytes
    a varint for each chunk: its length
    the chunks: pcodec's chunk metadata and one page each, of `CHUNK` numbers (the last may have fewer)
    bytes that make no whole number, as they are

pcodec's "wrapped" format is used, which leaves counts and types to its container: the standalone format repeats
them in some 13 bytes, and its count hint of 64 bits is an allocation that damage can ask for.

Invariant: no damage makes pcodec allocate more than a few MB. Its decoder checks what it reads, but sizes two
tables by the metadata alone: the window of lookbacks (up to 2**32 numbers until 1.0.2, 2**24 since) and the
dictionary of mode 4 (2**25). Its automatic choice makes windows of 2**15 at most and no dictionaries, so
`_check_meta` refuses more before pcodec sees it. 500,000 damaged payloads in one process left its peak at 36 MB,
the longest took 28 ms, and none made pcodec 1.1 panic. One thread: pcodec has no others.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.shortest import FIRST_OWN_MODE, Shortest
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from types import ModuleType

PCODEC = 16

CHUNK = 1 << 18
_KINDS = "iuf"
_HEADER = 2
_HEAD = 2 + _HEADER
# Mode, differences, table size and count of bins take 27 bits: 2 MB of equal numbers for 4 bytes at most.
_SHORTEST_CHUNK = 4
_LARGEST_WINDOW_LOG = 15
_MAJOR_FORMAT = 4


@cache
def _find() -> ModuleType | None:
    try:
        import pcodec
    except ImportError:
        return None
    found: ModuleType = pcodec
    return found


def pcodec_installed() -> bool:
    """Tell whether pcodec can be imported."""
    return _find() is not None


def _load() -> ModuleType:
    """Return pcodec.

    Raises:
        ConfigurationError: It is not installed.
    """
    pcodec = _find()
    if pcodec is None:
        raise ConfigurationError("NUMERIC compression needs the library pcodec: pip install pcodec")
    return pcodec


def pcodec_levels(level: int) -> tuple[int, ...]:
    """Map a codec level to pcodec's; of several the shortest result counts.

    Measured on 124 float64 columns of 1.5 MB: level 3 makes 165 KB at 118 MB/s, 5 144 at 119, 7 140 at 99, 8 145
    at 95, 12 141 at 63. More levels are not always smaller.
    """
    if level < 6:
        return (5,)
    return (7,) if level < 12 else (7, 12)


def is_number(elements: Elements) -> bool:
    """Tell whether pcodec has the type."""
    itemsize = elements.itemsize
    if elements.kind == "f":
        return itemsize in (2, 4, 8)
    return elements.kind in ("i", "u") and itemsize in (1, 2, 4, 8)


class NumericCodec(Codec):
    """pcodec, which finds the distribution, common factors and differences of numbers. Exact to the bit.

    NaNs keep their payload and zeros their sign: pcodec maps floats to integers of the same order and back.

    Raises:
        ConfigurationError: At the first use on numbers, when pcodec is not installed.
    """

    id = 8
    strategy = CompressionStrategy.NUMERIC

    def __init__(self) -> None:
        self._shortest = Shortest()

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        count = len(plaintext) // elements.itemsize if is_number(elements) else 0
        if count:
            payload = _encode(plaintext, count, elements, level)
            if payload is not None and len(payload) < len(plaintext):
                return payload
        return self._shortest.encode(plaintext, level, elements.itemsize)

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        if not view or view[0] < FIRST_OWN_MODE:
            return self._shortest.decode(view, size)
        # The form of numbers is used only where it is shorter; its chunks are copied for pcodec.
        if view[0] != PCODEC or not _HEAD <= len(view) < size:
            raise CorruptionError(f"damaged payload of numbers: {len(view)} bytes, mode {view[0]}")
        dtype = _dtype(view[1])
        spans, tail = _spans(view, size, dtype.itemsize)
        header = bytes(view[2:_HEAD])
        pieces: list[bytes] = []
        left = size // dtype.itemsize
        for start, stop in spans:
            pieces.append(_decode_chunk(header, bytes(view[start:stop]), np.empty(min(left, CHUNK), dtype)))
            left -= CHUNK
        pieces.append(bytes(tail))
        return b"".join(pieces)


def _encode(plaintext: Buffer, count: int, elements: Elements, level: int) -> bytes | None:
    """Return the form of numbers; None when this pcodec writes what `_check_meta` does not know."""
    wrapped = _load().wrapped
    numbers = np.frombuffer(plaintext, f"<{elements.kind}{elements.itemsize}", count)
    if not numbers.flags.aligned:
        numbers = numbers.copy()  # a view into a larger buffer may begin anywhere, which pcodec refuses
    compressor = wrapped.FileCompressor()
    header: bytes = compressor.write_header()
    chunks: list[bytes] = []
    for at in range(0, count, CHUNK):
        part = numbers[at : at + CHUNK]
        chunks.append(min((_encode_chunk(compressor, part, each) for each in pcodec_levels(level)), key=len))
    try:
        _check_header(header)
        for chunk in chunks:
            _check_meta(chunk, 8 * elements.itemsize)
    except CorruptionError:
        return None
    tail = bytes(memoryview(plaintext)[count * elements.itemsize :])
    dtype = _KINDS.index(elements.kind) << 4 | elements.itemsize
    lengths = [write_varint(len(chunk)) for chunk in chunks]
    return b"".join((bytes((PCODEC, dtype)), header, *lengths, *chunks, tail))


def _encode_chunk(compressor: Any, numbers: np.ndarray[Any, Any], level: int) -> bytes:
    pcodec = _load()
    config = pcodec.ChunkConfig(
        compression_level=level, enable_8_bit=True, paging_spec=pcodec.PagingSpec.exact_page_sizes([len(numbers)])
    )
    chunk = compressor.chunk_compressor(numbers, config)
    encoded: bytes = chunk.write_meta() + chunk.write_page(0)
    return encoded


def _decode_chunk(header: bytes, chunk: bytes, numbers: np.ndarray[Any, Any]) -> bytes:
    """Fill `numbers` from a chunk and return their bytes.

    Raises:
        CorruptionError: The chunk does not hold exactly that many numbers.
    """
    _check_header(header)
    _check_meta(chunk, 8 * numbers.itemsize)
    wrapped = _load().wrapped
    name = f"{numbers.dtype.kind}{8 * numbers.itemsize}"
    try:
        decompressor, _ = wrapped.FileDecompressor.new(header)
        reader, start = decompressor.chunk_decompressor(chunk, name)
        progress, read = reader.read_page_into(chunk[start:], len(numbers), numbers)
    except (RuntimeError, ValueError, TypeError) as error:
        raise CorruptionError(f"damaged pcodec chunk of {len(chunk)} bytes: {error}") from error
    except BaseException as error:
        # A panic of Rust code comes as a class that derives from BaseException and cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
        raise CorruptionError(f"damaged pcodec chunk of {len(chunk)} bytes: {error}") from None
    if progress.n_processed != len(numbers) or not progress.finished or start + read != len(chunk):
        raise CorruptionError(f"a pcodec chunk of {len(chunk)} bytes does not hold exactly {len(numbers)} numbers")
    return numbers.tobytes()


def _dtype(code: int) -> np.dtype[Any]:
    place, itemsize = code >> 4, code & 15
    if place >= len(_KINDS) or not is_number(Elements(_KINDS[place], itemsize)):
        raise CorruptionError(f"damaged payload of numbers: unknown type {code}")
    return np.dtype(f"<{_KINDS[place]}{itemsize}")


def _spans(view: memoryview, size: int, itemsize: int) -> tuple[list[tuple[int, int]], memoryview]:
    """Return where each chunk lies, and the bytes behind them; refuse a size that they cannot hold."""
    lengths: list[int] = []
    at = _HEAD
    # A size far too large ends with the payload: each chunk takes a byte of the table at least.
    for _ in range(0, size // itemsize, CHUNK):
        length, at = read_varint(view, at)
        if length < _SHORTEST_CHUNK:
            raise CorruptionError(f"damaged payload of numbers: a chunk of {length} bytes")
        lengths.append(length)
    if at + sum(lengths) + size % itemsize != len(view):
        raise CorruptionError(f"{len(lengths)} chunks of numbers do not fill {len(view) - at} bytes")
    spans: list[tuple[int, int]] = []
    for length in lengths:
        spans.append((at, at + length))
        at += length
    return spans, view[at:]


def _check_header(header: bytes) -> None:
    if header[0] != _MAJOR_FORMAT:
        raise CorruptionError(f"unknown format {header[0]}.{header[1]} of pcodec")


def _check_meta(chunk: bytes, bits: int) -> None:
    """Refuse metadata that make pcodec allocate more than the numbers earn.

    They begin with a mode of 4 bits; a base of the number's width for modes 1 and 2, or 8 bits for mode 3; then
    4 bits for the kind of differences, of which 2, lookbacks, is followed by 5 bits: the log of its window less 1.

    Raises:
        CorruptionError: The mode is unknown or a dictionary, or the window is larger than pcodec makes them.
    """
    word = int.from_bytes(chunk[:16], "little")
    mode = word & 15
    if mode > 3:
        raise CorruptionError(f"damaged pcodec chunk: mode {mode}")
    word >>= 4 + (0, bits, bits, 8)[mode]
    if word & 15 == 2 and (word >> 4 & 31) + 1 > _LARGEST_WINDOW_LOG:
        raise CorruptionError(f"damaged pcodec chunk: a window of 2**{(word >> 4 & 31) + 1} numbers")


# Its import, and its look for numpy's interface at the first use, happen now and not in the middle of a caller's call:
# an interrupt there comes out as a panic of pcodec's own.
if pcodec_installed():
    _encode(bytes(64), 8, Elements("i", 8), 3)
