"""The border: turns what a local medium raises into the error tree. Never decides whether to try again.

Invariant: whatever is no lack of room and no damage is `TierUnavailableError`, which may be retried.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

from stratakv.errors import CapacityError, CorruptionError, StrataError, TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_NEARLY_FULL_BYTES = 64 * 1024


def translate(error: BaseException, doing: str, path: str | os.PathLike[str]) -> StrataError:
    """Return the error to raise instead of `error`.

    Args:
        error: An `OSError`, `sqlite3.Error` or time-out; those it arose from are looked at, too: a failed
            roll-back hides the cause.
        doing: What was attempted, as in "cannot <doing>".
        path: The place.
    """
    place = os.fspath(path)
    reason = str(error) or type(error).__name__
    chain = list(_causes(error))
    if is_no_room(error) or (_is_io_error(chain) and _is_nearly_full(place)):
        return CapacityError(f"cannot {doing}: no room at {place}; free space or raise the quota ({reason})")
    if any(_sqlite_code(link) in _DAMAGED for link in chain):
        return CorruptionError(f"cannot {doing}: the database at {place} is damaged ({reason})")
    return TierUnavailableError(f"cannot {doing}: {place} does not answer as it should ({reason})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _sqlite_code(error: BaseException) -> int:
    """Return the primary SQLite result code, 0 where there is none."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else 0


def is_no_room(error: BaseException) -> bool:
    """Return whether an error, or one that it arose from, says that there is no room."""
    return any(
        link.errno in _NO_ROOM if isinstance(link, OSError) else _sqlite_code(link) == sqlite3.SQLITE_FULL
        for link in _causes(error)
    )


def _is_io_error(chain: list[BaseException]) -> bool:
    return any(_sqlite_code(link) == sqlite3.SQLITE_IOERR for link in chain)


def _is_nearly_full(place: str) -> bool:
    """SQLite reports a full disk as a plain I/O error where it grows its shared-memory file."""
    try:
        space = os.statvfs(place)
    except OSError:
        # The place does not even answer this question, so "no room" would be a guess.
        return False
    return space.f_bavail * space.f_frsize < _NEARLY_FULL_BYTES
