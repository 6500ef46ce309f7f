"""Unsigned LEB128 numbers: seven bits a byte, lowest first, the high bit set on all but the last.

Owns how containers write counts and lengths. Invariant: a number read is below 2**63, so it can be compared and
added without care.
"""

from __future__ import annotations

from stratakv.errors import CorruptionError


def write_varint(number: int) -> bytes:
    """Return the bytes of a number that is not negative."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return the number that begins at an offset, and the offset behind it.

    Raises:
        CorruptionError: The bytes end inside the number, or it takes more than 63 bits.
    """
    number = shift = 0
    while at < len(view) and shift < 63:
        byte = view[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise CorruptionError("damaged container: a number in its table does not end")
