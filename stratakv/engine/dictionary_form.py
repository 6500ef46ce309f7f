"""How a trained dictionary stands in the catalog: compressed, since it is made of text like what it compresses.

A stored form begins with the byte 1, then the dictionary's length (u32, little-endian) and an LZMA2 stream. The first
release stored dictionaries as they are; zstd's own magic number tells those.
"""

from __future__ import annotations

from stratakv.engine.codecs.lzma_raw import lzma_decode, lzma_encode
from stratakv.engine.codecs.zstd import DICTIONARY_MAGIC
from stratakv.errors import CorruptionError

_PACKED = 1
_LEVEL = 9
_LARGEST = 1 << 24


def stored_form(dictionary: bytes) -> bytes:
    """Return what the catalog keeps of a dictionary."""
    return bytes((_PACKED,)) + len(dictionary).to_bytes(4, "little") + lzma_encode(dictionary, _LEVEL)


def from_stored(stored: bytes) -> bytes:
    """Undo `stored_form`.

    Raises:
        CorruptionError: It is not the stored form of a dictionary.
    """
    if stored.startswith(DICTIONARY_MAGIC):
        return stored
    size = int.from_bytes(stored[1:5], "little")
    if len(stored) < 5 or stored[0] != _PACKED or size > _LARGEST:
        raise CorruptionError(f"{len(stored)} bytes given as a stored dictionary do not begin like one")
    return lzma_decode(stored[5:], size)
