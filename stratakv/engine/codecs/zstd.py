"""`ZstdCodec` (id 4) and `ZstdFrames`: zstd frames without their header.

Owns the pools of zstandard's contexts. The payload is a single zstd frame (RFC 8878) without magic number,
checksum, dictionary id AND without the frame header: size and dictionary are known from outside, so the
header is made again at decode (single segment, content size = `size`). It saves 2 to 6 bytes a record, lets
the decoder write straight into its result, and leaves no size field that damage could turn into a huge
allocation. An empty plaintext is an empty payload.

zstandard's contexts are not thread-safe. Each pool is a list used as a stack: `pop` and `append` are atomic,
an empty pool makes a new context. A context lent at the moment of a fork is lost to the child, never shared
with the parent.
"""

from __future__ import annotations

import zstandard

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.errors import CorruptionError
from stratakv.types import CompressionStrategy

HIGHEST_LEVEL = 22
# A block of 128 KiB takes at least a 3-byte header and one byte.
_BEST_RATIO = 32768
# A frame is longer than its plaintext by 1/256 and some bytes at most (ZSTD_COMPRESSBOUND). What is longer by more
# would be copied to get its header, before it is refused.
_EXCESS_SHIFT = 7
_EXCESS = 64
# Contexts above this level hold tens of MB and their run time dwarfs the making of one.
_POOLED_LEVEL = 9
DICTIONARY_MAGIC = b"\x37\xa4\x30\xec"


def _header(size: int) -> bytes:
    """Return the frame header (RFC 8878, 3.1.1.1) of a single segment with a content of `size` bytes."""
    if size < 256:
        return bytes((0x20, size))
    if size < 65792:
        return b"\x60" + (size - 256).to_bytes(2, "little")
    if size < 1 << 32:
        return b"\xa0" + size.to_bytes(4, "little")
    return b"\xe0" + size.to_bytes(8, "little")


_SHORT_HEADERS = tuple(map(_header, range(2048)))


def _header_length(frame: bytes) -> int:
    descriptor = frame[0]
    # Without the single-segment bit a window byte follows instead of the shortest content size.
    return 2 + (0, 2, 4, 8)[descriptor >> 6] - bool(descriptor & 0x20 and descriptor >> 6)


class ZstdFrames:
    """Encodes and decodes headless frames, with or without one dictionary. Thread-safe.

    Args:
        dictionary: A trained dictionary with zstd's header, or None.

    Raises:
        CorruptionError: The dictionary is not one of zstd's.
    """

    def __init__(self, dictionary: bytes | None = None) -> None:
        if dictionary is not None and not dictionary.startswith(DICTIONARY_MAGIC):
            raise CorruptionError(f"{len(dictionary)} bytes given as a zstd dictionary do not begin like one")
        self._dictionary = dictionary
        self._prepared: dict[int, zstandard.ZstdCompressionDict | None] = {}
        self._compressors: dict[int, list[zstandard.ZstdCompressor]] = {}
        self._decompressors: list[zstandard.ZstdDecompressor] = []

    def encode(self, plaintext: Buffer, level: int) -> bytes:
        """Return a headless frame. `level` is zstd's, 1 to 22."""
        try:
            idle = self._compressors[level]
            compressor = idle.pop()
        except (KeyError, IndexError):
            compressor = self._compressor(level)
            idle = self._compressors.setdefault(level, [])
        frame = compressor.compress(plaintext)
        if level <= _POOLED_LEVEL:
            idle.append(compressor)  # lost with its list if `trim` came in between
        descriptor = frame[0]
        if descriptor == 0x60:
            return frame[3:]
        if descriptor == 0x20:
            return frame[2:] if plaintext else b""
        return frame[_header_length(frame) :]

    def decode(self, payload: Buffer, size: int) -> bytes:
        """Return the plaintext of exactly `size` bytes.

        Raises:
            CorruptionError: The payload does not decode to `size` bytes with this dictionary.
        """
        if len(payload) > size + (size >> _EXCESS_SHIFT) + _EXCESS:
            raise CorruptionError(f"a zstd payload of {len(payload)} bytes is too long for {size} bytes")
        if size < 2048:
            header = _SHORT_HEADERS[size]
        elif size > _BEST_RATIO * len(payload):
            raise CorruptionError(f"a zstd payload of {len(payload)} bytes cannot hold {size} bytes")
        else:
            header = _header(size)
        if size <= 0:
            # zstandard reads no further than a content size of 0.
            if payload or size:
                raise CorruptionError(f"a zstd payload of {len(payload)} bytes cannot hold {size} bytes")
            return b""
        try:
            decompressor = self._decompressors.pop()
        except IndexError:
            decompressor = self._decompressor()
        try:
            plaintext = decompressor.decompress(header + payload, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CorruptionError(f"damaged zstd payload of {len(payload)} bytes for {size}: {error}") from error
        self._decompressors.append(decompressor)
        if len(plaintext) != size:
            raise CorruptionError(f"a zstd payload holds {len(plaintext)} bytes, not {size}")
        return plaintext

    def trim(self, keep_level: int) -> None:
        """Let go of contexts and tables for other levels than one (0: of all); they are made again when needed."""
        if not keep_level:
            self._decompressors.clear()
            self._prepared.pop(0, None)
        for level in list(self._compressors):
            if level != keep_level:
                self._compressors.pop(level, None)
        for level in list(self._prepared):
            if level not in (0, keep_level):
                self._prepared.pop(level, None)

    def ram_bytes(self) -> int:
        """Estimate the bytes of RAM held by the dictionary, its prepared forms and idle contexts."""
        return len(self._dictionary or b"") + self.native_bytes()

    def native_bytes(self) -> int:
        """Estimate what of that is allocated by zstd itself."""
        copies = len(self._dictionary or b"") * len(self._prepared)
        for level, idle in self._compressors.copy().items():
            copies += sum(context.memory_size() for context in list(idle))
            if self._dictionary is not None:
                copies += _tables_bytes(level, len(self._dictionary))
        return copies + sum(context.memory_size() for context in list(self._decompressors))

    def _prepare(self, level: int) -> zstandard.ZstdCompressionDict | None:
        """Return the dictionary prepared for a level, 0 meaning decompression. Two threads may both do it."""
        if self._dictionary is None:
            return None
        held = self._prepared.get(level)
        if held is None:
            prepared = zstandard.ZstdCompressionDict(self._dictionary, dict_type=zstandard.DICT_TYPE_FULLDICT)
            try:
                if level:
                    prepared.precompute_compress(level=level)
            except zstandard.ZstdError as error:
                raise CorruptionError(f"damaged zstd dictionary of {len(self._dictionary)} bytes: {error}") from error
            self._prepared[level] = held = prepared
        return held

    def _compressor(self, level: int) -> zstandard.ZstdCompressor:
        parameters = zstandard.ZstdCompressionParameters(
            compression_level=level,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=1,
            write_checksum=0,
            write_dict_id=0,
        )
        return zstandard.ZstdCompressor(dict_data=self._prepare(level), compression_params=parameters)

    def _decompressor(self) -> zstandard.ZstdDecompressor:
        dictionary = self._prepare(0)
        try:
            return zstandard.ZstdDecompressor(dict_data=dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
        except zstandard.ZstdError as error:
            raise CorruptionError(f"damaged zstd dictionary: {error}") from error


def _tables_bytes(level: int, dictionary: int) -> int:
    """Estimate the match tables that a dictionary prepared for a level holds."""
    shape = zstandard.ZstdCompressionParameters.from_level(level, dict_size=dictionary)
    chain = 0 if shape.strategy == zstandard.STRATEGY_FAST else 4 << shape.chain_log
    return (4 << shape.hash_log) + chain


class ZstdCodec(Codec):
    """zstd without a dictionary. `level` is zstd's own, 1 to 22."""

    id = 4
    strategy = CompressionStrategy.ZSTD

    def __init__(self) -> None:
        frames = ZstdFrames()
        self._encode = frames.encode
        self._decode = frames.decode

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:  # noqa: ARG002 - the interface's
        return self._encode(plaintext, min(level, HIGHEST_LEVEL))

    def decode(self, payload: Buffer, size: int) -> bytes:
        return self._decode(payload, size)
