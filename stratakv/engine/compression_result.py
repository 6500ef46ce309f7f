"""What `CompressionEngine` gives to its callers: results as they see them. Holds no behaviour but small sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.loss import Loss
    from stratakv.types import CompressionStrategy


@dataclass(frozen=True, slots=True)
class CompressionResult:
    """A compressed value.

    Attributes:
        strategy: What was applied in the end: NONE where the codec asked for did not pay. Of a value with arrays, what
            the largest of them got.
        data: The encoded plaintext; all that `decompress` needs.
        original_size: Bytes of plaintext.
        compressed_size: Bytes of payload.
        ratio: `original_size / compressed_size`.
        seconds: Time taken, serialisation included.
        loss: What was lost, as measured; None where nothing could be.
    """

    strategy: CompressionStrategy
    data: Encoded
    original_size: int
    compressed_size: int
    ratio: float
    seconds: float
    loss: Loss | None = None

    @property
    def space_saved(self) -> float:
        """The share of bytes saved, 0 to 1."""
        return 1 - self.compressed_size / self.original_size


@dataclass(frozen=True, slots=True)
class DecompressionResult:
    """A value back again.

    Attributes:
        data: The value.
        original_size: Bytes of plaintext.
        seconds: Time taken, deserialisation included.
    """

    data: object
    original_size: int
    seconds: float
