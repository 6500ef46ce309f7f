"""`BloscCodec` (id 5): blosc2 chunks for arrays. Owns the only import of blosc2, an optional library.

The payload is one blosc2 chunk after the other, each of `chunk_bytes` of plaintext (the last may be shorter),
so that blosc2's limit of 2 GiB does not bind. A chunk carries its own lengths; its header is checked field by
field before blosc2 sees it: blosc2 allocates what the header claims, and unknown filter or codec numbers make
it look for plug-ins.

Invariant: one thread, one context a call. blosc2's thread pool does not survive a fork and makes results
depend on timing.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.undisturbed_import import imported
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from types import ModuleType

_HEADER = 32
_CHUNK_BYTES = 1 << 28
_WIDEST = 255
_ZSTD = 5
_SHUFFLE, _BITSHUFFLE, _BYTEDELTA = 1, 2, 35
# Below this level, or for fewer bytes, trying filters costs more than it gains.
_TRIES_FROM = 3
_FEWEST_BYTES = 1024
_SAMPLE = 64 * 1024
_FORMATS = (0, 4)  # of the header's flags: nothing was compressed, or zstd
_SPECIAL_VALUES = (
    0x00,
    0x10,
    0x20,
    0x30,
)  # none, zeros, NaNs, one value; 0x40 would return memory as it was found


@cache
def _find() -> ModuleType | None:
    """Import blosc2, once: the import takes a third of a second, and a failing one is not free either."""
    blosc2: Any = imported("blosc2")
    if blosc2 is None:
        return None
    # By default blosc2 holds the interpreter lock: 50 ms for 4 MB at level 5, in which nothing else runs.
    blosc2.set_releasegil(True)
    found: ModuleType = blosc2
    return found


def blosc2_installed() -> bool:
    """Tell whether blosc2 can be imported."""
    return _find() is not None


def _load() -> ModuleType:
    """Return blosc2.

    Raises:
        ConfigurationError: It is not installed.
    """
    blosc2 = _find()
    if blosc2 is None:
        raise ConfigurationError("BLOSC compression needs the library blosc2: pip install 'stratakv[arrays]'")
    return blosc2


def blosc_level(level: int) -> int:
    """Map a codec level (1..22) to blosc2's.

    blosc2's level 9 is zstd's 22, ten to fifty times slower than 5 for a few percent: only the highest levels
    ask for it.
    """
    if level < 3:
        return 1
    if level < 6:
        return 3
    return 5 if level < 15 else 7


class BloscCodec(Codec):
    """blosc2 with zstd inside, behind the filter that does best on a sample.

    Elements wider than one byte have their bytes of equal rank put together, or their bits, or the differences
    between the bytes put together (bytedelta). Each wins somewhere: bytes on indices and float32 (index columns
    6.5 : 4.5 : 5.2), bits on decimal float64 columns (3.8 : 4.3 : 3.5), differences on counters and times (37 : 37 :
    32 KB). One-byte elements are tried with and without their bits shuffled: 0/1 flags (132 : 103) against text and
    images (16 : 21). At the lowest levels, where time counts, it is bytes for wide elements and nothing for others.

    Args:
        chunk_bytes: Plaintext bytes of a chunk. Part of the format: a decoder must be given the same.

    Raises:
        ConfigurationError: At the first use, when blosc2 is not installed.
    """

    id = 5
    strategy = CompressionStrategy.BLOSC

    def __init__(self, *, chunk_bytes: int = _CHUNK_BYTES) -> None:
        self._chunk_bytes = chunk_bytes

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        blosc2 = _load()
        itemsize = elements.itemsize if elements.itemsize <= _WIDEST else 1
        size, step = len(plaintext), self._chunk_bytes
        options: dict[str, Any] = {
            "typesize": itemsize,
            "clevel": blosc_level(level),
            "codec": blosc2.Codec.ZSTD,
            "nthreads": 1,
        }
        options |= _best_filters(blosc2, memoryview(plaintext), itemsize, level, options)
        if size <= step:
            pieces = [blosc2.compress2(plaintext, **options)] if size else []
        else:
            view = memoryview(plaintext)
            pieces = [blosc2.compress2(view[at : at + step], **options) for at in range(0, size, step)]
        for piece in pieces:
            try:
                _check_header(piece, min(size, step))
            except CorruptionError as error:
                raise ConfigurationError(
                    f"blosc2 {blosc2.__version__} writes chunks that stratakv does not know: {error}"
                ) from error
            size -= step
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def decode(self, payload: Buffer, size: int) -> bytes:
        blosc2 = _load()
        view = memoryview(payload)
        spans: list[tuple[int, int]] = []
        at = left = 0
        for left in range(size, 0, -self._chunk_bytes):
            # All headers are read before the first allocation, so a size no chunk backs is refused for free.
            stop = at + _check_header(view[at:], min(left, self._chunk_bytes))
            spans.append((at, stop))
            at = stop
        if at != len(view):
            raise CorruptionError(f"{len(view) - at} bytes too many after the blosc2 chunks of {size} bytes")
        pieces: list[bytes] = []
        try:
            for start, stop in spans:
                pieces.append(blosc2.decompress2(view[start:stop], nthreads=1))
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise CorruptionError(f"damaged blosc2 payload of {len(view)} bytes: {error}") from error
        plaintext = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if len(plaintext) != size:
            raise CorruptionError(f"a blosc2 payload holds {len(plaintext)} bytes, not {size}")
        return plaintext


def _best_filters(
    blosc2: ModuleType, plain: memoryview, itemsize: int, level: int, options: dict[str, Any]
) -> dict[str, list[int]]:
    """Return the filters that make a sample from the middle smallest, as arguments for blosc2."""
    of = blosc2.Filter
    kinds = [[of.NOFILTER], [of.BITSHUFFLE]]
    if itemsize > 1:
        kinds = [[of.SHUFFLE], [of.BITSHUFFLE], [of.SHUFFLE, of.BYTEDELTA]]
    arguments = [{"filters": kind, "filters_meta": [0] * len(kind)} for kind in kinds]
    if level < _TRIES_FROM or len(plain) < _FEWEST_BYTES:
        return arguments[0]
    start = max(0, (len(plain) - _SAMPLE) // 2)
    sample = plain[start - start % itemsize :][:_SAMPLE]
    return min(arguments, key=lambda each: len(blosc2.compress2(sample, **options, **each)))


def _filters_known(header: bytes) -> bool:
    """Tell whether a chunk's pipeline of filters is one that `encode` writes."""
    filters, meta = header[16:22], header[24:30]
    if filters[1:] == bytes(5):
        return filters[0] <= _BITSHUFFLE and meta == bytes(6)
    # The meta byte of bytedelta is the width; another one would make it read elsewhere.
    return filters == bytes((_SHUFFLE, _BYTEDELTA, 0, 0, 0, 0)) and meta == bytes((0, header[3], 0, 0, 0, 0))


def _check_header(chunk: Buffer, size: int) -> int:
    """Check the header of a chunk for `size` bytes of plaintext; return the chunk's length.

    The layout is blosc2's README_CHUNK_FORMAT: version, codec version, flags, typesize, nbytes u32, blocksize
    u32, cbytes u32, six filters, codec, codec parameter, six filter parameters, two further bytes of flags.

    Raises:
        CorruptionError: It is not a header that `BloscCodec.encode` makes for that many bytes.
    """
    header = bytes(chunk[:_HEADER])
    if len(header) < _HEADER:
        raise CorruptionError(f"a blosc2 chunk needs a header of {_HEADER} bytes, but {len(header)} are left")
    nbytes = int.from_bytes(header[4:8], "little")
    block = int.from_bytes(header[8:12], "little")
    length = int.from_bytes(header[12:16], "little")
    flags = header[2]
    known = (
        2 <= header[0] <= 5
        and flags & 0x0D == 0x05
        and flags >> 5 in _FORMATS
        and header[3] > 0
        and _filters_known(header)
        and header[22] == _ZSTD
        and not any(header[23:24] + header[30:31])
        and header[31] in _SPECIAL_VALUES
    )
    if not known:
        raise CorruptionError(f"damaged blosc2 chunk: unknown header {header.hex()}")
    if nbytes != size:
        raise CorruptionError(f"a blosc2 chunk claims {nbytes} bytes where {size} are expected")
    if not _HEADER <= length <= len(chunk):
        raise CorruptionError(f"a blosc2 chunk claims a length of {length} bytes, but {len(chunk)} are left")
    if not 1 <= block <= size:
        raise CorruptionError(f"a blosc2 chunk of {size} bytes claims blocks of {block}")
    return length
