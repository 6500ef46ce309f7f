"""Rows of manifests: which contents a large value's chunks are, as the catalog counts references.

Owns the table `manifests` and what stands in it: the value's bytes, those of all its chunks, and the chunks' numbers,
8 bytes each, in the order of the value and as often as they occur. A manifest's row lives as long as its blob's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import apsw

_SIZE_OF = "SELECT size FROM blobs WHERE id = ?"
ROWS_AT_ONCE = 64
_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1


class ManifestRows:
    """The manifests in one write transaction.

    Args:
        connection: The writer, inside the transaction.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def chunks(self, blob: int) -> list[int]:
        """Return the numbers of a manifest's chunks; none where the content is no manifest."""
        row = self._connection.execute("SELECT chunks FROM manifests WHERE blob = ?", (blob,)).fetchone()
        return numbers_in(row[0]) if row is not None else []

    def put(self, blob: int, size: int, chunks: list[int]) -> None:
        """Enter a manifest whose chunks the catalog lists.

        Raises:
            CorruptionError: It lacks one of them.
        """
        stored = 0
        sizes: dict[int, int] = {}
        for number in chunks:
            if number not in sizes:
                row: tuple[Any, ...] | None = self._connection.execute(_SIZE_OF, (number,)).fetchone()
                if row is None:
                    raise CorruptionError(f"the catalog lacks chunk {number % (1 << 64):016x} of a large value")
                sizes[number] = row[0]
            stored += sizes[number]
        content = np.array(chunks, "<i8").tobytes()
        self._connection.execute("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?)", (blob, size, stored, content))

    def remove(self, blob: int) -> None:
        """Forget a manifest."""
        self._connection.execute("DELETE FROM manifests WHERE blob = ?", (blob,))


def numbers_in(content: bytes) -> list[int]:
    """Return the numbers in a row's column `chunks`."""
    numbers: list[int] = np.frombuffer(content, "<i8").tolist()
    return numbers


def references(rows: Iterable[tuple[bytes]]) -> dict[int, int]:
    """Return how often each chunk is named by manifests whose columns `chunks` are given."""
    counted: dict[int, int] = {}
    for (content,) in rows:
        for number, times in zip(*np.unique(np.frombuffer(content, "<i8"), return_counts=True), strict=True):
            counted[int(number)] = counted.get(int(number), 0) + int(times)
    return counted


def all_rows(query: Callable[..., Any]) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield the rows (blob, size, stored, chunks) of all manifests, a few at a time."""
    first = _LEAST
    while True:
        sql = "SELECT blob, size, stored, chunks FROM manifests WHERE blob >= ? ORDER BY blob LIMIT ?"
        rows = list(query(sql, (first, ROWS_AT_ONCE)))
        yield from rows
        if len(rows) < ROWS_AT_ONCE or rows[-1][0] == _GREATEST:
            return
        first = rows[-1][0] + 1
