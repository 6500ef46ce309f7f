"""Sources: files that are read to become values, and what they must not do."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE_BYTES = 1 << 20


class Source(Protocol):
    """A file opened for reading in binary mode."""

    def read(self, size: int, /) -> bytes: ...


def check_source(file: object) -> None:
    """Raise `ConfigurationError` for what cannot be read."""
    if not callable(getattr(file, "read", None)):
        raise ConfigurationError(f"a stream is a file opened with 'rb', not {type(file).__name__}")


def pieces_of(file: Source, size: int) -> Iterator[bytes]:
    """Yield what a file gives, until it is `size` bytes or its end: pipes give less than they are asked for.

    Raises:
        ConfigurationError: It gives something else than bytes, or says that there is nothing just now.
    """
    while size > 0:
        piece = file.read(size)
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise ConfigurationError(
                f"the file gave {type(piece).__name__}, not bytes: open it with 'rb', in blocking mode"
            )
        if not piece:
            return
        size -= len(piece)
        yield bytes(piece)


def read_all(file: Source) -> bytes:
    """Return what a file holds from where it stands to its end; errors as `check_source` and `pieces_of`."""
    check_source(file)
    pieces: list[bytes] = []
    while more := list(pieces_of(file, PIECE_BYTES)):
        pieces += more
    return b"".join(pieces)


def length_of(file: Source) -> int | None:
    """Return the bytes from where a file stands to its end; None where it cannot be wound, or tells what cannot be."""
    try:
        if not file.seekable():  # type: ignore[attr-defined]  # files have it, other readers may not
            return None
        here = file.tell()  # type: ignore[attr-defined]
        end = file.seek(0, io.SEEK_END)  # type: ignore[attr-defined]
        file.seek(here)  # type: ignore[attr-defined]
        length = int(end) - int(here)
    except (AttributeError, OSError, TypeError, ValueError):
        return None
    return length if 0 <= length < 1 << 63 else None
