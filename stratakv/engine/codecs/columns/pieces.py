"""`PieceWriter` and `PieceReader`: the payload of the columns codec as small numbers beside pieces of bytes.

Owns the layout. Numbers (counts, lengths, methods, keys) go to one stream, which is compressed as a whole;
pieces stand one after the other behind it:

    varint length of the numbers, varint length of their zstd frame (0: none), the frame or numbers, the pieces

Invariant of reading: nothing is allocated that the plaintext could not hold. Whoever is about to make
something *claims* the bytes that it takes in the plaintext at least, and the claims never exceed its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.codecs.lzma_raw import lzma_decode, lzma_encode
from stratakv.engine.codecs.numeric import NumericCodec, pcodec_installed
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.engine.codecs.zstd import HIGHEST_LEVEL, ZstdFrames
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Buffer

THOROUGH = 9
"""From this level on more candidates are tried, and LZMA among them."""

# Numbers and dictionaries may take this much more than the plaintext, for tiny plaintexts.
_SLACK = 4096
_DEEPEST = 40
_RAW, _ZSTD, _LZMA = range(3)
# LZMA's gain does not pay for its time below this; above the pilot's length it is tried on a sample first.
_LZMA_FROM = 200
_PILOT = 64 * 1024


class Tools:
    """The codecs that pieces are made with; one set serves all threads."""

    def __init__(self) -> None:
        self.zstd = ZstdFrames()
        self.numeric = NumericCodec()

    @property
    def numeric_works(self) -> bool:
        """Whether numbers may be written with pcodec. Asked late: the library is not loaded before its use."""
        return pcodec_installed()


class PieceWriter:
    """Collects one payload.

    Attributes:
        level: The level asked for, at most zstd's highest.
        thorough: Whether more candidates are worth their time.
    """

    def __init__(self, tools: Tools, level: int) -> None:
        self.tools = tools
        self.level = min(level, HIGHEST_LEVEL)
        self.thorough = level >= THOROUGH
        self._numbers = bytearray()
        self._pieces: list[Buffer] = []

    def number(self, number: int) -> None:
        """Add a number of at least 0."""
        self._numbers += write_varint(number)

    def signed(self, number: int) -> None:
        """Add any number of 64 bits."""
        self.number(number << 1 if number >= 0 else ~(number << 1))

    def name(self, text: str) -> None:
        """Add a short text to the numbers."""
        encoded = text.encode()
        self.number(len(encoded))
        self._numbers += encoded

    def piece(self, piece: Buffer) -> None:
        """Add bytes as they are."""
        self.number(len(piece))
        self._pieces.append(piece)

    def squeezed(self, plain: bytes) -> None:
        """Add bytes in the shortest of raw, zstd and LZMA."""
        method, shortest = _RAW, plain
        if len(plain) >= 16:
            for candidate in self._methods(plain):
                made = self._apply(candidate, plain)
                if len(made) < len(shortest):
                    method, shortest = candidate, made
        self.number(method)
        self.number(len(plain))
        self.piece(shortest)

    def finish(self) -> bytes:
        """Return the payload."""
        plain = bytes(self._numbers)
        packed = self.tools.zstd.encode(plain, self.level)
        if len(packed) < len(plain):
            return b"".join((write_varint(len(plain)), write_varint(len(packed)), packed, *self._pieces))
        return b"".join((write_varint(len(plain)), write_varint(0), plain, *self._pieces))

    def _methods(self, plain: bytes) -> tuple[int, ...]:
        if not self.thorough or len(plain) < _LZMA_FROM:
            return (_ZSTD,)
        if len(plain) <= 2 * _PILOT:
            return _ZSTD, _LZMA
        start = (len(plain) - _PILOT) // 2
        sample = plain[start : start + _PILOT]
        return (min((_ZSTD, _LZMA), key=lambda method: len(self._apply(method, sample))),)

    def _apply(self, method: int, plain: bytes) -> bytes:
        return self.tools.zstd.encode(plain, self.level) if method == _ZSTD else lzma_encode(plain, self.level)


class PieceReader:
    """Reads one payload and trusts none of it.

    Args:
        tools: The codecs.
        payload: The payload.
        size: Bytes of the plaintext, known from outside.
    """

    def __init__(self, tools: Tools, payload: memoryview, size: int) -> None:
        self.tools = tools
        self.size = size
        self._unclaimed = size
        self._depth = 0
        plain, at = read_varint(payload, 0)
        packed, at = read_varint(payload, at)
        end = at + (packed or plain)
        if plain > size + _SLACK or end > len(payload):
            raise CorruptionError(f"damaged columns: {plain} numbers in {len(payload)} bytes for {size}")
        numbers = payload[at:end]
        self._stream: Buffer = tools.zstd.decode(numbers, plain) if packed else numbers
        self._at = 0
        self._pieces = payload[end:]

    def number(self, limit: int) -> int:
        """Return a number from 0 to `limit`."""
        number = shift = 0
        while self._at < len(self._stream) and shift < 70:
            byte = self._stream[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                if number > limit:
                    raise CorruptionError(f"damaged columns: {number} where at most {limit} fits")
                return number
            shift += 7
        raise CorruptionError("damaged columns: a number does not end")

    def signed(self) -> int:
        """Return a number of 64 bits."""
        number = self.number((1 << 64) - 1)
        return ~(number >> 1) if number & 1 else number >> 1

    def name(self) -> str:
        """Return a short text."""
        length = self.number(self.size)
        encoded = bytes(self._stream[self._at : self._at + length])
        self._at += length
        if len(encoded) != length:
            raise CorruptionError("damaged columns: a name does not end")
        return encoded.decode()

    def piece(self) -> memoryview:
        """Return the next bytes."""
        length = self.number(len(self._pieces))
        piece, self._pieces = self._pieces[:length], self._pieces[length:]
        return piece

    def squeezed(self) -> bytes:
        """Undo `PieceWriter.squeezed`."""
        method, length = self.number(_LZMA), self.number(self.size + _SLACK)
        piece = self.piece()
        if method == _ZSTD:
            return self.tools.zstd.decode(piece, length)
        if method == _LZMA:
            return lzma_decode(piece, length)
        if len(piece) != length:
            raise CorruptionError("damaged columns: a raw piece has the wrong length")
        return bytes(piece)

    def claimed_text(self) -> bytes:
        """Return bytes that are part of the plaintext as they are."""
        text = self.squeezed()
        self.claim(len(text))
        return text

    def claim(self, length: int) -> None:
        """Take note that so many more bytes of the plaintext are about to be made.

        Raises:
            CorruptionError: The plaintext does not hold so many.
        """
        self._unclaimed -= length
        if length < 0 or self._unclaimed < 0:
            raise CorruptionError(f"damaged columns: they hold more than {self.size} bytes")

    def claim_back(self, length: int) -> None:
        """Take a claim back: others claim the same bytes now."""
        self._unclaimed += length

    def enter(self) -> None:
        """Go one level deeper."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise CorruptionError("damaged columns: nested too deep")

    def leave(self) -> None:
        """Come back from a level."""
        self._depth -= 1

    def finish(self) -> None:
        """Check that all was read."""
        if self._at != len(self._stream) or len(self._pieces):
            raise CorruptionError("damaged columns: something is left over")
