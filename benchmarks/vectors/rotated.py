"""Owns encoding a table with models learned from every other row of it: in blocks, one by one, and the unseen half.

Everything that is encoded is decoded again and compared to the bit with what the model changed it into.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.keeping import DifferenceError
from benchmarks.reduction.loss import recall
from benchmarks.vectors.peers import BLOCK_BYTES, cosines
from stratakv.engine.codecs.rotated import decode_rotated, encode_rotated
from stratakv.engine.rotation import DEFAULT_MIN_COSINE, Rotation, trained
from stratakv.engine.serialization import Serializer, segments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.reduction.corpora import Array
    from benchmarks.vectors.tables import Table

BOUNDS = (0.9999, DEFAULT_MIN_COSINE, 0.999, 0.998, 0.996, 0.993, 0.99, 0.98, 0.96)
QUICK_BOUNDS = (DEFAULT_MIN_COSINE, 0.998, 0.99)


class Payload(NamedTuple):
    """Values encoded together.

    Attributes:
        payload: What is kept; the plaintexts themselves where the model cannot name what it made.
        size: Bytes of their plaintexts.
        values: How many there are.
    """

    payload: bytes
    size: int
    values: int


class Encoded(NamedTuple):
    """A table, encoded by one model.

    Attributes:
        rotation: The model.
        blocks: The table in blocks.
        singles: The same values, each by itself.
        row: What is told of it.
    """

    rotation: Rotation
    blocks: list[Payload]
    singles: list[Payload]
    row: dict[str, Any]


def encoded(table: Table, bound: float) -> Encoded | None:
    """Return a table encoded within a bound; None where no model is worth its bytes.

    Raises:
        DifferenceError: Something did not decode to what was encoded.
        ConfigurationError: The extra `vectors` is not installed.
    """
    dumps = Serializer().dumps
    base = table.base
    rotation = trained(base[::2].copy(), bound, base.nbytes, dumps(base[0].copy()))
    if rotation is None:
        return None
    after = rotation.changed(base)
    plaintexts = [dumps(vector.copy()) for vector in after]
    rows = max(1, BLOCK_BYTES // len(plaintexts[0]))
    blocks, singles = list(_payloads(rotation, plaintexts, rows)), list(_payloads(rotation, plaintexts, 1))
    unseen = list(_payloads(rotation, plaintexts[1::2], rows))
    row = {
        "way": "rotated",
        "bound": bound,
        "rotates": rotation.rotates,
        "bytes": _bytes(blocks),
        "single": _bytes(singles),
        "unseen_share": _bytes(unseen) / base[1::2].nbytes,
        "model": len(rotation.content),
        "recall": recall(after, table.neighbours),
        "unnamed": sum(len(each.payload) == each.size for each in singles),
        "past_bound": _past(base, after, bound),
        **cosines(base, after),
    }
    return Encoded(rotation, blocks, singles, row)


def _payloads(rotation: Rotation, plaintexts: list[bytes], count: int) -> Iterator[Payload]:
    for start in range(0, len(plaintexts), count):
        some = plaintexts[start : start + count]
        whole = b"".join(some)
        found = encode_rotated(rotation, some, [segments(each) for each in some])
        if found is not None and decode_rotated(rotation, found.payload, len(whole)) != whole:
            raise DifferenceError("vectors were not decoded to what was encoded")
        yield Payload(whole if found is None else found.payload, len(whole), len(some))


def _bytes(payloads: list[Payload]) -> int:
    return sum(len(each.payload) for each in payloads)


def _past(before: Array, after: Array, bound: float) -> int:
    """Return how many vectors are past the bound; a store keeps those in other ways."""
    return sum(cosines(before[at : at + 1], after[at : at + 1])["least_cosine"] < bound for at in range(len(before)))
