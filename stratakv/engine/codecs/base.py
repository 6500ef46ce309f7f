"""`Codec`: a reversible transformation of bytes, and `Encoded`: what it makes.

A codec never sees keys, tiers or values. Its `id` is part of the on-disk format and is never reused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stratakv.types import CompressionStrategy

Buffer = bytes | bytearray | memoryview


class Elements(NamedTuple):
    """What the bytes of a plaintext are, as far as it is known.

    Attributes:
        kind: numpy's letter for little-endian numbers: "b" bool, "i" and "u" integers, "f" floats; "V" for all else.
        itemsize: Bytes of an element.
        row: Elements of a row, the array's last axis as it lies in memory; 0 where there is one row only.
    """

    kind: str = "V"
    itemsize: int = 1
    row: int = 0


UNTYPED = Elements()


@dataclass(slots=True)
class Encoded:
    """An encoded piece of plaintext, with all that is needed to decode it. Nobody changes it: many hold the same one.

    It is not frozen, because making a frozen one takes three times as long.

    Attributes:
        codec: `Codec.id` that made the payload.
        dictionary: Id of the dictionary used, 0 for none.
        size: Length of the plaintext in bytes.
        payload: The encoded bytes.
        kind: What the plaintext is: 0 a value or a part of one, 1 the manifest of a large one.
    """

    codec: int
    dictionary: int
    size: int
    payload: bytes
    kind: int = 0


class Codec(ABC):
    """Reversible, deterministic, thread-safe and safe after fork.

    Attributes:
        id: One byte on disk, 1..127 ours, 128..255 for others' codecs.
        strategy: The strategy a caller names to ask for this codec.
    """

    id: int
    strategy: CompressionStrategy

    @abstractmethod
    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:
        """Encode. `elements` tells what the bytes are, and is only a hint.

        `level` is 1 (fast) to 9 (small), and on up to 19 for background work that has time; a codec with
        fewer levels takes its highest. The result may be larger than the plaintext: keeping it raw is the
        caller's decision. The plaintext may be of any length, also none and also not a multiple of
        the element width.
        """

    @abstractmethod
    def decode(self, payload: Buffer, size: int) -> bytes:
        """Return exactly `size` bytes of plaintext.

        MUST NOT allocate more than about `size` plus a constant, whatever the payload claims, and MUST refuse
        a `size` that no payload of this length can hold before allocating it.

        Raises:
            CorruptionError: The payload is not of this codec or does not decode to `size` bytes.
        """
