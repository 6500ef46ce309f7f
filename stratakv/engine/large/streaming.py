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
from stratakv.engine.large.cutting import stretch
from stratakv.engine.large.manifest import Manifest
from stratakv.engine.large.packing import cutter_of, journaled_bytes
from stratakv.engine.serialization.extents import bytes_around
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.engine.labels import Label
    from stratakv.engine.large.assembling import Assembler
    from stratakv.engine.large.cutting import Source
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
        if not callable(getattr(file, "read", None)):
            raise ConfigurationError(f"a stream is a file opened with 'rb', not {type(file).__name__}")
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
        expected: How many bytes it is going to give; None where it cannot tell.
        taken: How many it has given to whoever cuts.
        is_short: Whether it goes through the journal like any other value.
        hashes: Takes every byte as it is given.
    """

    def __init__(self, file: Source, short: int) -> None:
        self._file = file
        self.expected = _length_of(file)
        self._begun = b"".join(self._pieces(short))
        self.is_short = len(self._begun) < short
        self.taken = 0
        self.hashes = hashlib.sha256().update

    def _pieces(self, size: int) -> Iterator[bytes]:
        """Yield what the file gives, until it is `size` bytes or its end: pipes give less than they are asked for."""
        while size:
            piece = self._file.read(size)
            if not isinstance(piece, bytes | bytearray | memoryview):
                raise ConfigurationError(
                    f"the file gave {type(piece).__name__}, not bytes: open it with 'rb', in blocking mode"
                )
            if not piece:
                return
            size -= len(piece)
            yield bytes(piece)

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none only at the end."""
        piece = self._begun[:size]
        self._begun = self._begun[size:]
        if not piece:
            piece = next(self._pieces(size), b"")
        self.taken += len(piece)
        self.hashes(piece)
        return piece


def _length_of(file: Source) -> int | None:
    """Return the bytes from where a file stands to its end; None where it cannot be wound."""
    try:
        if not file.seekable():  # type: ignore[attr-defined]  # files have it, other readers may not
            return None
        here = file.tell()  # type: ignore[attr-defined]
        end = file.seek(0, io.SEEK_END)  # type: ignore[attr-defined]
        file.seek(here)  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):
        return None
    return int(end) - int(here)
