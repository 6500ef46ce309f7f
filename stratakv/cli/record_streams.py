"""Owns opening a user's file as a stream of bytes, whichever compression its name tells.

It never looks at what the bytes mean, and it never returns a shortened stream in silence: a compressed file
that ends early or is damaged raises `RecordFileError`. One read allocates a bounded amount, whatever the file
claims.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

import zstandard

from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

COMPRESSIONS = (".gz", ".xz", ".zst")
# A zstd block of 4 bytes may stand for 128 KiB, so 2 KiB of input can grow to 64 MiB at the most.
_ZSTD_CHUNK = 2048
# zipfile tells of an encrypted member or an unknown method by RuntimeError.
_DAMAGE = (
    EOFError,
    OSError,
    RuntimeError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    zlib.error,
    zstandard.ZstdError,
)


class RecordFileError(StrataError):
    """A file of records cannot be read as its name says: the message names file, line and what to mend."""


class _ZstdFrames(io.RawIOBase):
    """Reads zstd frames one after the other; unlike the library's own reader it notices a missing end."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._decoder = zstandard.ZstdDecompressor()
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._input = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._ready:
            if not self._input:
                self._input = self._source.read(_ZSTD_CHUNK)
            if not self._input:
                if self._frame is not None:
                    raise EOFError("the compressed stream ends early")
                return 0
            if self._frame is None:
                self._frame = self._decoder.decompressobj()
            self._ready = memoryview(self._frame.decompress(self._input))
            self._input = b""
            if self._frame.eof:
                self._input = self._frame.unused_data
                self._frame = None
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def split_suffixes(path: Path) -> tuple[str, str, str]:
    """Return the file's stem as it is, then in lower case its kind (".jsonl") and compression (or "")."""
    name = path.name
    compression = path.suffix.lower()
    if compression in COMPRESSIONS:
        name = name[: -len(compression)]
    else:
        compression = ""
    kind = Path(name).suffix.lower()
    return name[: len(name) - len(kind)], kind, compression


def open_raw(path: Path) -> BinaryIO:
    """Open the file itself, unchanged.

    Raises:
        ConfigurationError: It is missing, a directory, or may not be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error


def open_stream(raw: BinaryIO, compression: str) -> IO[bytes]:
    """Return the decompressed stream over an open file; `compression` is one of `COMPRESSIONS` or ""."""
    if compression == ".gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb"))
    if compression == ".xz":
        return cast("IO[bytes]", lzma.LZMAFile(raw, mode="rb"))
    if compression == ".zst":
        return io.BufferedReader(_ZstdFrames(raw), buffer_size=1 << 17)
    return raw


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn a decoder's own exceptions into `RecordFileError` naming the file.

    Raises:
        RecordFileError: The compressed stream is damaged or ends early.
    """
    try:
        yield
    except _DAMAGE as error:
        raise RecordFileError(f"{path}: damaged or incomplete: {error}") from error
