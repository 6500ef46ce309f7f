"""Bodies of single values that are not times: big int, odd str, bytearray, complex, Decimal, Fraction, UUID.

Owns their bytes in both directions. Never nests. Invariant: `read(write(x))` is x, type and bits, and each
readable body is the one that `write` gives, so damage cannot make a second spelling of a value.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from fractions import Fraction
from math import gcd
from uuid import UUID

from stratakv.engine.serialization.refusal import RefusedError
from stratakv.errors import CorruptionError

SMALLEST = -(1 << 63)
LARGEST = (1 << 64) - 1

_COMPLEX = struct.Struct(">dd")
_LENGTH = struct.Struct(">I")
# Reading a fraction takes a greatest common divisor, whose cost grows with the square of the length.
_FRACTION_BYTES = 1 << 17


def write_int(value: int) -> bytes:
    """Return the shortest two's complement, big-endian."""
    bits = (value if value >= 0 else ~value).bit_length()
    return value.to_bytes(bits // 8 + 1, "big", signed=True)


def read_int(body: bytes) -> int:
    """Return the integer; every length is accepted that `write_int` would give."""
    value = int.from_bytes(body, "big", signed=True)
    if write_int(value) != body:
        raise CorruptionError("integer is not in its shortest form")
    return value


def read_big_int(body: bytes) -> int:
    """Return an integer outside the range of plain ones."""
    value = read_int(body)
    if SMALLEST <= value <= LARGEST:
        raise CorruptionError("integer is marked as big but is not")
    return value


def write_str(value: str) -> bytes:
    """Return UTF-8 with lone surrogates passed through."""
    return value.encode("utf-8", "surrogatepass")


def read_str(body: bytes) -> str:
    """Return the text of `write_str`."""
    return body.decode("utf-8", "surrogatepass")


def write_complex(value: complex) -> bytes:
    """Return both parts, bit by bit."""
    return _COMPLEX.pack(value.real, value.imag)


def read_complex(body: bytes) -> complex:
    """Return the number of `write_complex`."""
    return complex(*_COMPLEX.unpack(body))


def write_decimal(value: Decimal) -> bytes:
    """Return the exact text. Upper case, as the case of `str` depends on the decimal context."""
    return str(value).upper().encode("ascii")


def read_decimal(body: bytes) -> Decimal:
    """Return the number of `write_decimal`: construction from text is exact in every context."""
    value = Decimal(body.decode("ascii"))
    if write_decimal(value) != body:
        raise CorruptionError("decimal text is not in its standard form")
    return value


def write_fraction(value: Fraction) -> bytes:
    """Return numerator and denominator; terms over 128 KiB are refused."""
    numerator, denominator = write_int(value.numerator), write_int(value.denominator)
    if max(len(numerator), len(denominator)) > _FRACTION_BYTES:
        raise RefusedError("its terms are longer than 128 KiB; store numerator and denominator as a tuple")
    return _LENGTH.pack(len(numerator)) + numerator + denominator


def read_fraction(body: bytes) -> Fraction:
    """Return the number of `write_fraction`."""
    (length,) = _LENGTH.unpack_from(body)
    if max(length, len(body) - 4 - length) > _FRACTION_BYTES:
        raise CorruptionError("fraction is longer than any that is written")
    numerator, denominator = read_int(body[4 : 4 + length]), read_int(body[4 + length :])
    if denominator <= 0 or gcd(numerator, denominator) != 1:
        raise CorruptionError("fraction is not in lowest terms")
    return Fraction(numerator, denominator)


def write_uuid(value: UUID) -> bytes:
    """Return the 16 bytes. `is_safe`, which no comparison sees, is not kept."""
    return value.bytes


def read_uuid(body: bytes) -> UUID:
    """Return the UUID of `write_uuid`."""
    return UUID(bytes=body)
