"""The program that passes a large value through a store, and says how much RAM it took.

Run as `python -m tests.large.passing DIRECTORY MEGABYTES LIMIT`: LIMIT is the most MB of private memory that it
may have, 0 for none. Prints JSON: the peak of resident memory in MB, after imports and at the end.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
from typing import TYPE_CHECKING

from benchmarks.large.passage import peak_bytes
from stratakv import OptimizationMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 1 << 20


class Made:
    """A file of pseudo-random bytes that cannot be wound, and keeps their digest."""

    def __init__(self, size: int) -> None:
        self.digest = hashlib.sha256()
        self._pieces = self._make(size)
        self._rest = b""

    def _make(self, size: int) -> Iterator[bytes]:
        for number in range(0, size, PIECE):
            yield hashlib.shake_128(number.to_bytes(8, "big")).digest(min(PIECE, size - number))

    def read(self, size: int, /) -> bytes:
        self._rest = self._rest or next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        self.digest.update(piece)
        return piece


def peak_mb() -> float:
    return peak_bytes() / (1 << 20)


def main(directory: str, megabytes: str, limit: str) -> None:
    size = int(megabytes) << 20
    imported = peak_mb()
    if int(limit):
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit) << 20, int(limit) << 20))
    with OptimizationMiddleware(path=directory) as memory:
        source = Made(size)
        memory.store_stream("value", source)
        back = hashlib.sha256()
        with memory.open("value") as file:
            while piece := file.read(PIECE):
                back.update(piece)
        assert back.digest() == source.digest.digest()
        assert (
            memory.retrieve_range("value", size - 10, size + 10)
            == hashlib.shake_128((size - PIECE).to_bytes(8, "big")).digest(PIECE)[-10:]
        )
        memory.delete("value")
    sys.stdout.write(json.dumps({"imported": imported, "peak": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
