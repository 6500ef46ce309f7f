"""How what was learned stands in the catalog: trained dictionaries, and rotations, which share their numbers.

The stored form of a dictionary begins with the byte 1, then its length (u32, little-endian) and an LZMA2 stream: it is
made of text like what it compresses. The first release stored dictionaries as they are; zstd's own magic number tells
those. The stored form of a rotation is the byte 2 and the rotation's own, which is coded already.
"""

from __future__ import annotations

from stratakv.engine.codecs.lzma_raw import lzma_decode, lzma_encode
from stratakv.engine.codecs.zstd import DICTIONARY_MAGIC
from stratakv.errors import CorruptionError

_PACKED, _ROTATION = 1, 2
_LEVEL = 9
_LARGEST = 1 << 24


def stored_form(dictionary: bytes) -> bytes:
    """Return what the catalog keeps of a dictionary."""
    return bytes((_PACKED,)) + len(dictionary).to_bytes(4, "little") + lzma_encode(dictionary, _LEVEL)


def stored_rotation(content: bytes) -> bytes:
    """Return what the catalog keeps of a rotation."""
    return bytes((_ROTATION,)) + content


def is_rotation(stored: bytes) -> bool:
    """Tell whether a stored form is that of a rotation."""
    return stored[:1] == bytes((_ROTATION,))


def from_stored(stored: bytes) -> bytes:
    """Undo `stored_form` and `stored_rotation`; what the content is, is not looked at.

    Raises:
        CorruptionError: It is not the stored form of either.
    """
    if is_rotation(stored):
        return stored[1:]
    if stored.startswith(DICTIONARY_MAGIC):
        return stored
    size = int.from_bytes(stored[1:5], "little")
    if len(stored) < 5 or stored[0] != _PACKED or size > _LARGEST:
        raise CorruptionError(f"{len(stored)} bytes given as a stored dictionary do not begin like one")
    return lzma_decode(stored[5:], size)
