"""`RotatedEncoder`: plaintexts whose arrays a rotation of their namespace names, as payloads of codec 17.

Owns the question which rotation a plaintext is of. Vectors that were changed before a new rotation became current are
found with the one they were changed with, so the newest is tried first and then those before it.

Invariant: a payload has given its plaintext back before it is handed out.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from stratakv.engine.codecs.base import Encoded
from stratakv.engine.codecs.rotated import ID, decode_rotated, encode_rotated
from stratakv.engine.rotation.coding import vectors_installed
from stratakv.engine.serialization.layout import ALIGN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stratakv.engine.proof import Proof
    from stratakv.engine.rotation.book import RotationBook
    from stratakv.engine.rotation.model import Rotation
    from stratakv.engine.serialization import Segment

_FLOATS = frozenset({2, 4, 8})


class RotatedEncoder:
    """Encodes for one store.

    Args:
        book: The rotations.
        proof: Proves payloads.
    """

    def __init__(self, book: RotationBook, proof: Proof) -> None:
        self._book = book
        self._proof = proof
        # Neighbours mostly are of one rotation.
        self._last: dict[int, int] = {}

    def alone(self, plaintext: bytes, layout: Sequence[Segment], namespace: int, *, counted: bool) -> Encoded | None:
        """Return a value's payload; None where no rotation of its namespace makes it shorter.

        Args:
            plaintext: The value.
            layout: What lies where in it.
            namespace: Its number.
            counted: Whether the value is new, so that its vectors count as encoded.
        """
        for number, rotation in self._rotations(namespace):
            if not any(_may_be_of(span, rotation.dimension) for span in layout[1:]):
                continue
            made = encode_rotated(rotation, [plaintext], [layout])
            if made is not None and self._holds(rotation, made.payload, plaintext):
                if counted:
                    self._book.count(number, made.vectors)
                return Encoded(ID, number, len(plaintext), made.payload)
        return None

    def knows(self, namespace: int) -> bool:
        """Tell whether a namespace has rotations."""
        return bool(self._book.of(namespace))

    def rotation_of(self, plaintext: bytes, layout: Sequence[Segment], namespace: int) -> int:
        """Return the number of the rotation that most of a value's numbers are named by, 0 for none."""
        for number, rotation in self._rotations(namespace, first=self._last.get(namespace, 0)):
            named = others = 0
            for span in layout[1:]:
                is_named = _may_be_of(span, rotation.dimension) and _begins_named(plaintext, span, rotation)
                named += (span.stop - span.start) * is_named
                others += (span.stop - span.start) * (not is_named)
            if named > others:
                self._last[namespace] = number
                return number
        return 0

    def together(
        self, plaintexts: Sequence[bytes], layouts: Sequence[Sequence[Segment]], content: bytes, number: int
    ) -> Encoded | None:
        """Return the payload of values of one rotation side by side, whose bytes are `content`; None as above."""
        rotation = self._book.known(number)
        if rotation is None:
            return None
        made = encode_rotated(rotation, plaintexts, layouts)
        if made is None or not self._holds(rotation, made.payload, content):
            return None
        return Encoded(ID, number, len(content), made.payload)

    def _rotations(self, namespace: int, first: int = 0) -> Iterator[tuple[int, Rotation]]:
        """Yield the rotations of a namespace, the newest first but for the one that is asked for before them."""
        numbers = self._book.of(namespace)
        if not numbers or not vectors_installed():
            return
        for number in sorted(numbers, key=lambda each: each != first):
            rotation = self._book.known(number)
            if rotation is not None:
                yield number, rotation

    def _holds(self, rotation: Rotation, payload: bytes, plaintext: bytes) -> bool:
        return self._proof.holds(partial(decode_rotated, rotation), payload, plaintext, "the codec of rotated vectors")


def _may_be_of(span: Segment, dimension: int) -> bool:
    """Tell whether a stretch of plaintext holds rows of so many floats."""
    kind, itemsize, row = span.elements
    if kind != "f" or itemsize not in _FLOATS:
        return False
    return row == dimension or (row == 0 and 0 <= span.stop - span.start - dimension * itemsize < ALIGN)


def _begins_named(plaintext: bytes, span: Segment, rotation: Rotation) -> bool:
    """Tell whether the first row of a stretch has a name."""
    numbers = np.frombuffer(plaintext, f"<f{span.elements.itemsize}", rotation.dimension, span.start)
    return rotation.taken_apart(numbers.reshape(1, -1)) is not None
