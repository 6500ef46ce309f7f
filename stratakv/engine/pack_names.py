"""Names in packs: which keys named the blobs of a pack when it was packed, as bytes and back.

Owns the format of a pack's names section. Knows neither catalog nor backend, and never decides whether a key still
names a blob. Plain, little-endian, before it is made a zstd frame without header:

    head   16  blobs u32, names u32, labels u32, bytes of the labels' text u32
    labels     their numbers u32, their lengths u8
    blobs      how many names each has u32, in the order of the pack's sizes
    names      in the order of the blobs: key lengths u16, namespaces u32, versions u64 and expires i64 (milliseconds, 0
               for never), the last two as byte planes of their differences
    texts      the labels in UTF-8, the keys as they stand in the catalog, each one behind the other

Invariant: what is decoded has one tuple for each blob, or is `CorruptionError`; no count is believed before the bytes
that it speaks of are there.
"""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.engine.codecs.planes import from_planes, to_planes
from stratakv.engine.codecs.zstd import ZstdFrames
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

HEAD = struct.Struct("<IIII")
LEVEL = 9
_LABEL_BYTES = 5
_BLOB_BYTES = 4
NAME_BYTES = 2 + 4 + 8 + 8

_frames = ZstdFrames()


class Name(NamedTuple):
    """A key that names a blob.

    Attributes:
        key: As it stands in the catalog.
        version: Sequence number of the journal record that wrote it.
        namespace: The number of the key's namespace.
        expires: Wall time in milliseconds at which it is gone, 0 for never.
    """

    key: bytes
    version: int
    namespace: int
    expires: int


class PackNames(NamedTuple):
    """A decoded section.

    Attributes:
        labels: The names of the namespaces that the pack's blobs and keys belong to, by number.
        blobs: For each blob of the pack the keys that named it.
    """

    labels: dict[int, str]
    blobs: list[tuple[Name, ...]]


def encode_names(blobs: Sequence[Sequence[Name]], labels: Mapping[int, str]) -> tuple[bytes, int]:
    """Return (payload, bytes of plaintext) of the names of a pack's blobs, in the order of its sizes."""
    names = [name for blob in blobs for name in blob]
    texts = [label.encode() for label in labels.values()]
    keys = [name.key for name in names]
    parts = (
        HEAD.pack(len(blobs), len(names), len(texts), sum(map(len, texts))),
        np.array(list(labels), dtype="<u4").tobytes(),
        bytes(map(len, texts)),
        np.array([len(blob) for blob in blobs], dtype="<u4").tobytes(),
        np.array([len(key) for key in keys], dtype="<u2").tobytes(),
        np.array([name.namespace for name in names], dtype="<u4").tobytes(),
        _differences(np.array([name.version for name in names], dtype="<u8")),
        _differences(np.array([name.expires for name in names], dtype="<i8").view("<u8")),
        *texts,
        *keys,
    )
    plain = b"".join(parts)
    return _frames.encode(plain, LEVEL), len(plain)


def decode_names(payload: bytes, size: int) -> PackNames:
    """Reverse `encode_names`.

    Raises:
        CorruptionError: The bytes are no such section.
    """
    plain = _frames.decode(payload, size)
    if len(plain) < HEAD.size:
        raise CorruptionError("the names are shorter than their head")
    blobs, names, labels, label_bytes = HEAD.unpack_from(plain)
    texts = HEAD.size + labels * _LABEL_BYTES + blobs * _BLOB_BYTES + names * NAME_BYTES
    if texts + label_bytes > len(plain):
        raise CorruptionError("the names are shorter than they say")
    columns = _Columns(plain)
    numbers = columns.take("<u4", labels)
    label_lengths = columns.take("u1", labels)
    counts = columns.take("<u4", blobs)
    key_lengths = columns.take("<u2", names)
    namespaces = columns.take("<u4", names).tolist()
    versions = columns.sums(names).tolist()
    expires = columns.sums(names).view("<i8").tolist()
    if (
        int(counts.sum(dtype="u8")) != names
        or int(label_lengths.sum(dtype="u8")) != label_bytes
        or texts + label_bytes + int(key_lengths.sum(dtype="u8")) != len(plain)
    ):
        raise CorruptionError("the names contradict themselves")
    label_texts = _cut(plain, texts, label_lengths)
    keys = _cut(plain, texts + label_bytes, key_lengths)
    try:
        told = {number: text.decode() for number, text in zip(numbers.tolist(), label_texts, strict=True)}
    except UnicodeDecodeError as failure:
        raise CorruptionError("the label of a namespace is no text") from failure
    rows = list(map(Name, keys, versions, namespaces, expires))
    return PackNames(told, [tuple(part) for part in _split(rows, counts)])


class _Columns:
    """Takes columns from the front of a plaintext whose length was checked."""

    def __init__(self, plain: bytes) -> None:
        self._plain = plain
        self._position = HEAD.size

    def take(self, dtype: str, count: int) -> npt.NDArray[np.unsignedinteger]:
        column = np.frombuffer(self._plain, dtype=dtype, count=count, offset=self._position)
        self._position += column.nbytes
        return column

    def sums(self, count: int) -> npt.NDArray[np.uint64]:
        """Take a column of 64 bits that is kept as byte planes of its differences."""
        planes = self._plain[self._position : self._position + 8 * count]
        self._position += 8 * count
        return np.cumsum(np.frombuffer(from_planes(planes, 8), dtype="<u8"), dtype="<u8")


def _differences(column: npt.NDArray[np.uint64]) -> bytes:
    return to_planes(np.diff(column, prepend=column.dtype.type(0)).tobytes(), 8)


def _ends(start: int, lengths: npt.NDArray[np.unsignedinteger]) -> list[int]:
    return [start, *(np.cumsum(lengths, dtype="u8") + np.uint64(start)).tolist()]


def _cut(plain: bytes, start: int, lengths: npt.NDArray[np.unsignedinteger]) -> list[bytes]:
    ends = _ends(start, lengths)
    return [plain[begin:end] for begin, end in itertools.pairwise(ends)]


def _split(rows: list[Name], counts: npt.NDArray[np.unsignedinteger]) -> list[list[Name]]:
    ends = _ends(0, counts)
    return [rows[begin:end] for begin, end in itertools.pairwise(ends)]
