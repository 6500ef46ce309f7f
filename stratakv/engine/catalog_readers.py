"""Readers: the catalog's pool of reading connections, and which commit each of them sees.

Owns these connections. A reader keeps its read transaction from one query to the next as long as nothing is written: to
begin and end one takes as long as the look-up of a key itself. Invariants: a query that begins after `let_go` has
returned sees what was committed before it; no reader at rest holds on to an older commit, so the write-ahead log can be
folded and begun anew as if every query had a transaction of its own.
"""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from stratakv.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import apsw


class Reader:
    """A connection and the one cursor for queries of which all rows are taken at once.

    Attributes:
        connection: The connection, taken by one user at a time.
        execute: Runs a query by its cursor.
        moment: Which `let_go` came last before its transaction began; None where it has none.
    """

    __slots__ = ("connection", "execute", "moment")

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.execute = connection.cursor().execute
        self.moment: int | None = None

    def begin(self, moment: int) -> None:
        """Begin a transaction; what it sees is settled by its first query."""
        self.connection.execute("BEGIN")
        self.moment = moment

    def end(self) -> None:
        """End the transaction, where one is open."""
        self.moment = None
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")


class Readers:
    """A pool of readers for any number of threads.

    Args:
        connect: Opens a connection.

    Attributes:
        count: How many connections were opened.
    """

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self.count = 0
        self._connect = connect
        self._idle: deque[Reader] = deque()
        self._moment = 0
        self._keeps = True
        self._closed = False

    def take(self) -> Reader:
        """Take a reader out of the pool; `put_back` is due for it.

        Raises:
            ClosedError: The catalog is closed.
        """
        try:
            reader = self._idle.pop()
        except IndexError:
            if self._closed:
                raise ClosedError("the store is closed") from None
            reader = Reader(self._connect())
            self.count += 1
        moment = self._moment
        if reader.moment != moment:
            reader.end()
            if self._keeps:
                reader.begin(moment)
        return reader

    def put_back(self, reader: Reader) -> None:
        """Put a reader back whose query has ended."""
        self._idle.append(reader)
        # Asked only now: whoever lets go meanwhile does not find a reader that is at work.
        if self._closed:
            self.close()
        elif reader.moment is not None and reader.moment != self._moment:
            self._end_idle()

    def discard(self, reader: Reader) -> None:
        """Close a reader whose query failed in its midst: what was begun would outlive the end of its transaction."""
        self.count -= 1
        reader.connection.close(True)

    def let_go(self) -> None:
        """Have no reader at rest hold on to what it sees, and the next query of each see the latest commit.

        One caller at a time.
        """
        self._moment += 1
        self._end_idle()

    @contextlib.contextmanager
    def holding_nothing(self) -> Iterator[None]:
        """While this lasts no reader keeps a transaction beyond its query."""
        self._keeps = False
        self.let_go()
        try:
            yield
        finally:
            self._keeps = True

    def _end_idle(self) -> None:
        for reader in self.each_idle():
            if reader.moment != self._moment:
                reader.end()

    def each_idle(self) -> Iterator[Reader]:
        """Yield the readers at rest, one out of the pool at a time: who finds the pool empty opens another one."""
        for _ in range(len(self._idle)):
            try:
                reader = self._idle.popleft()
            except IndexError:
                return
            try:
                yield reader
            finally:
                self.put_back(reader)

    def all_idle(self) -> list[apsw.Connection]:
        """Return the connections at rest."""
        return [reader.connection for reader in self._idle]

    def close(self) -> None:
        """Close the connections at rest; those at work close when they are put back."""
        self._closed = True
        while True:
            try:
                self._idle.pop().connection.close()
            except IndexError:
                return
