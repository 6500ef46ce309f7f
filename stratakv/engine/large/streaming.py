"""Streaming: a bytes value that is read from a file and becomes chunks on its way, never in RAM as a whole.

What is stored is the same value, with the same digest, as if its bytes had been stored. Where the length is not known
before the end the digest is taken from the chunks, once they are durable: a value's first bytes tell its length.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from stratakv.engine.contents import Content, Contents
from stratakv.engine.large.chunk_writing import ChunkWriter
from stratakv.engine.large.cutting import HUGE_BYTES, stretch
from stratakv.engine.large.manifest import Manifest
from stratakv.engine.large.packing import cutter_of, journaled_bytes
from stratakv.engine.large.sources import check_source, length_of, pieces_of
from stratakv.engine.serialization.extents import bytes_around

if TYPE_CHECKING:
    from stratakv.engine.labels import Label
    from stratakv.engine.large.assembling import Assembler
    from stratakv.engine.large.sources import Source
    from stratakv.engine.parts import Parts
    from stratakv.types import CompressionStrategy


class Streaming:
    """Prepares streamed contents of one store.

    Args:
        parts: The store's pieces.
        contents: Prepares those that turn out small, and knows what is known.
        assembler: Reads chunks back.
    """

    def __init__(self, parts: Parts, contents: Contents, assembler: Assembler) -> None:
        self._parts = parts
        self._contents = contents
        self._assembler = assembler
        self._cutter = cutter_of(parts)
        self._journaled = journaled_bytes(parts)

    def prepare(self, file: Source, label: Label, strategy: CompressionStrategy | None) -> Content:
        """Read a file to its end and return what it holds as a content, ready to be committed.

        Raises:
            ConfigurationError: It is no file opened for reading in binary mode.
            CapacityError: No room.
        """
        check_source(file)
        source = _Source(file, self._journaled)
        if source.is_short:
            return self._contents.prepare(source.read(self._journaled), label, strategy)
        writer = ChunkWriter(self._parts, label)
        try:
            return self._chunked(source, writer, label)
        except BaseException:
            writer.abandon()
            raise

    def _chunked(self, source: _Source, writer: ChunkWriter, label: Label) -> Content:
        expected = source.expected
        before, behind = bytes_around(expected or 0)
        digest = hashlib.sha256(label.salt + before)
        source.hashes = digest.update
        pieces = self._cutter.cut_stream(source, expected)
        first = next(pieces)  # the file is not short
        writer.take(pieces)
        if source.taken != expected:
            before, behind = bytes_around(source.taken)
        writer.take_first(stretch(before + first.content[first.skip :]))
        writer.take([stretch(behind)] if behind else [])
        digest.update(behind)
        whole = digest.digest() if source.taken == expected else self._digest(writer, label)
        lease = self._contents.known(whole)
        if lease is not None:
            writer.abandon()
            return Content(whole, None, lease)
        return Content(whole, None, None, b"", None, writer.finish(whole))

    def _digest(self, writer: ChunkWriter, label: Label) -> bytes:
        """Return the digest of what was written, from the chunks."""
        manifest = Manifest(b"", writer.chunks())
        digest = hashlib.sha256(label.salt)
        for content in self._assembler.part(manifest, 0, manifest.size, 0):
            digest.update(content)
        return digest.digest()


class _Source:
    """A file with what was read of it to see whether it is short.

    Args:
        file: Opened for reading.
        short: Fewer bytes than these are.

    Attributes:
        expected: How many bytes it is going to give; None where nobody can tell before its end.
        taken: How many it has given to whoever cuts.
        is_short: Whether it goes through the journal like any other value.
        hashes: Takes every byte as it is given.
    """

    def __init__(self, file: Source, short: int) -> None:
        self._file = file
        self.expected = length_of(file)
        begun = b"".join(pieces_of(self._file, short))
        self.is_short = len(begun) < short
        if not self.is_short and self.expected is None:
            # What is read up to here tells whether chunks are long, so that a pipe is cut like the bytes it gives.
            begun = b"".join((begun, *pieces_of(self._file, max(0, HUGE_BYTES - short))))
            self.expected = len(begun) if len(begun) < max(short, HUGE_BYTES) else None
        self._begun = io.BytesIO(begun)
        self.taken = 0
        self.hashes = hashlib.sha256().update

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none only at the end."""
        piece = self._begun.read(size) or next(pieces_of(self._file, size), b"")
        self.taken += len(piece)
        self.hashes(piece)
        return piece
