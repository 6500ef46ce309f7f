"""Cutting: where a large plaintext is cut into chunks, so that what two values share is found again.

Text and other bytes are cut where their content says (FastCDC with normalised chunking: Xia et al., "The Design of Fast
Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE TPDS 2020; the cut points are those of the
library `pyfastcdc`), so that an insertion moves no cut but its own. Items of arrays have no such marks: an array is cut
into runs of whole rows, and each run is kept as an array itself, so that codecs know what its bytes are.

Pure. Invariants: the pieces of a plaintext, in order, give it back; the same plaintext is always cut alike; no piece is
what a large value or a manifest could be, so that a content is whole or in chunks, never both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pyfastcdc import FastCDC

from stratakv.engine.serialization import segments
from stratakv.engine.serialization.layout import ALIGN, STRETCH_MARK, has_buffers, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.engine.codecs.base import Elements
    from stratakv.engine.large.sources import Source
    from stratakv.engine.serialization import Serializer

Buffer = bytes | memoryview

HUGE_BYTES = 16 << 20
"""From this size on chunks are sixteen times as large: lists of a million chunks would weigh more than they save."""

HUGE_CHUNKS = 16
SPREAD = 4
"""The shortest chunk is the mean length divided by this, the longest that times this."""

ARRAY_PIECE_BYTES = 64 * 1024
"""A run of rows has about so many bytes; buffers below twice as many stay with the bytes around them."""

LEAST_TYPED_BYTES = 2 * ARRAY_PIECE_BYTES
"""Plaintexts with arrays below this size are never cut: a run of rows is one, and must not be large itself."""


class Piece(NamedTuple):
    """A stretch of a plaintext.

    Attributes:
        content: What is kept.
        size: How many bytes of the plaintext it holds.
        skip: Where in `content` these begin.
    """

    content: bytes
    size: int
    skip: int = 0


class Cutter:
    """Cuts plaintexts.

    Args:
        chunk_bytes: The wanted mean length of a chunk; 256 to 262,144.
        serializer: Makes arrays of runs of rows.
    """

    def __init__(self, chunk_bytes: int, serializer: Serializer) -> None:
        self._chunk_bytes = chunk_bytes
        self._dumps = serializer.dumps

    def cut(self, plaintext: bytes) -> Iterator[Piece]:
        """Yield the pieces of a plaintext."""
        chunk_bytes = self._mean(len(plaintext))
        view = memoryview(plaintext)
        reached = 0
        for start, stop, elements in _arrays(plaintext):
            yield from _by_content(view[reached:start], chunk_bytes)
            yield from self._rows(view[start:stop], elements)
            reached = stop
        yield from _by_content(view[reached:], chunk_bytes)

    def cut_stream(self, source: Source, size: int | None) -> Iterator[Piece]:
        """Yield the pieces of what a file holds from where it stands; `size` bytes are expected, None if unknown."""
        chunk_bytes = self._mean(HUGE_BYTES if size is None else size)
        for chunk in _chunker(chunk_bytes).cut_stream(source):
            yield stretch(bytes(chunk.data))

    def _mean(self, size: int) -> int:
        return self._chunk_bytes * (HUGE_CHUNKS if size >= HUGE_BYTES else 1)

    def _rows(self, buffer: memoryview, elements: Elements) -> Iterator[Piece]:
        """Yield runs of whole rows, each serialised as an array of its own."""
        row = max(1, elements.row)
        row_bytes = row * elements.itemsize
        if row_bytes > ARRAY_PIECE_BYTES:
            row, row_bytes = 1, elements.itemsize  # rows that are too long are cut between elements
        rows = ARRAY_PIECE_BYTES // row_bytes
        dtype = np.dtype(f"<{elements.kind}{elements.itemsize}") if elements.kind != "b" else np.dtype("?")
        for start in range(0, len(buffer), rows * row_bytes):
            run = buffer[start : start + rows * row_bytes]
            items = np.frombuffer(run, dtype)
            content = self._dumps(items.reshape(-1, row) if row > 1 else items)
            skip = content.rfind(run, len(content) - len(run) - ALIGN) if len(run) else 0
            yield Piece(content, len(run), skip)


def _arrays(plaintext: bytes) -> Iterator[tuple[int, int, Elements]]:
    """Yield (start, stop, elements) of the buffers that are cut by rows, without their padding."""
    if not has_buffers(plaintext):
        return
    _, _, entries = table(memoryview(plaintext))
    for segment, (length, _, _) in zip(segments(plaintext)[1:], entries, strict=True):
        elements = segment.elements
        whole = length % (elements.itemsize * max(1, elements.row)) == 0
        if elements.kind != "V" and length >= LEAST_TYPED_BYTES and whole:
            yield segment.start, segment.start + length, elements


def _by_content(view: memoryview, chunk_bytes: int) -> Iterator[Piece]:
    if len(view):
        for chunk in _chunker(chunk_bytes).cut_buf(view):
            yield stretch(bytes(chunk.data))


def stretch(content: bytes) -> Piece:
    """Return a stretch of a plaintext as a piece: behind a mark, so that it is never taken for a plaintext itself."""
    return Piece(STRETCH_MARK + content, len(content), len(STRETCH_MARK))


def is_cut(plaintext: bytes, least: int) -> bool:
    """Tell whether a plaintext of at least so many bytes counts as large."""
    return len(plaintext) >= (max(least, LEAST_TYPED_BYTES) if has_buffers(plaintext) else least)


def _chunker(chunk_bytes: int) -> FastCDC:
    # One for each use: a chunker keeps state while it cuts.
    return FastCDC(chunk_bytes, min_size=max(64, chunk_bytes // SPREAD), max_size=max(1024, chunk_bytes * SPREAD))
