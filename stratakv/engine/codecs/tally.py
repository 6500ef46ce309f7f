"""`Tally`: counts of what was encoded, cheap enough to take on every store.

Invariant: each thread writes only its own row, so no count is lost without a lock. Rows of threads that have
ended are added up when another thread begins, so that a server with a thread a request does not collect them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Encoded

_Row = dict[str, int]
# Beside the names of strategies a row counts plaintext and payload bytes; no strategy is called so.
_PLAIN = " plain"
_CODED = " coded"


class _Mine(threading.local):
    row: _Row | None = None


class Tally:
    """Counts encodings by strategy, and their bytes."""

    def __init__(self) -> None:
        self._mine = _Mine()
        self._lock = threading.Lock()
        self._ended: _Row = {_PLAIN: 0, _CODED: 0}
        self._rows: list[tuple[threading.Thread, _Row]] = []

    def count(self, encoded: Encoded, strategy: str) -> None:
        """Count one encoding by the name of its strategy."""
        row = self._mine.row
        if row is None:
            row = self._begin()
        # The key is there after the first time, so the dict does not change its shape under a reader.
        if strategy in row:
            row[strategy] += 1
        else:
            row[strategy] = 1
        row[_PLAIN] += encoded.size
        row[_CODED] += len(encoded.payload)

    def totals(self) -> tuple[dict[str, int], int, int]:
        """Return the times each strategy was used, the plaintext bytes and the payload bytes."""
        with self._lock:
            rows = [self._ended, *(row for _, row in self._rows)]
            total: _Row = {}
            for row in rows:
                _add(total, row)
        plain, coded = total.pop(_PLAIN), total.pop(_CODED)
        return total, plain, coded

    def _begin(self) -> _Row:
        row: _Row = {_PLAIN: 0, _CODED: 0}
        with self._lock:
            running = []
            for thread, known in self._rows:
                if thread.is_alive():
                    running.append((thread, known))
                else:
                    _add(self._ended, known)
            self._rows = [*running, (threading.current_thread(), row)]
        self._mine.row = row
        return row


def _add(total: _Row, row: _Row) -> None:
    for name, number in row.copy().items():
        total[name] = total.get(name, 0) + number
