"""Large values for tests: documents in versions, and files that behave like pipes."""

from __future__ import annotations

import io
import random

WORDS = [
    "store",
    "chunk",
    "manifest",
    "value",
    "tier",
    "cold",
    "warm",
    "journal",
    "pack",
    "digest",
    "key",
    "lease",
    "row",
]


def text(seed: int, size: int) -> str:
    """Return `size` characters of made-up prose, the same for one seed."""
    chance = random.Random(seed)
    written: list[str] = []
    length = 0
    while length < size:
        word = f"{chance.choice(WORDS)}{chance.randrange(1000)}"
        written.append(word)
        length += len(word) + 1
    return " ".join(written)[:size]


def edited(document: str, seed: int, edits: int = 3) -> str:
    """Return the next version of a document: a few insertions, anywhere."""
    chance = random.Random(seed)
    for _ in range(edits):
        at = chance.randrange(len(document))
        document = document[:at] + f"<{text(chance.randrange(10**6), 40)}>" + document[at:]
    return document


class Pipe:
    """A file that gives odd pieces and cannot be wound."""

    def __init__(self, content: bytes, seed: int = 1) -> None:
        self._file = io.BytesIO(content)
        self._chance = random.Random(seed)

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(self._chance.randrange(1, min(size, 70_000) + 1) if size > 0 else size)


class Broken(Pipe):
    """A file that fails after so many bytes."""

    def __init__(self, content: bytes, after: int) -> None:
        super().__init__(content)
        self._left = after

    def read(self, size: int = -1, /) -> bytes:
        piece = super().read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise OSError("the cable was pulled")
        return piece


class Silent(Pipe):
    """A file in non-blocking mode: after some pieces it has nothing just now."""

    def read(self, size: int = -1, /) -> bytes:
        piece = super().read(size)
        return piece if self._file.tell() < 100_000 else None  # type: ignore[return-value]  # as such files do
