"""Closing: letting go of the pieces of a store, in its own process and in a child's."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.parts import Parts


def close_pieces(parts: Parts) -> list[BaseException]:
    """Close everything that is open, each whatever becomes of the others; return what went wrong."""
    problems: list[BaseException] = []
    for close in [
        *([parts.journal.close] if parts.journal is not None else []),
        parts.catalog.close,
        *(backend.close for backend in parts.backends.values()),
        parts.lock.release,
    ]:
        problems += tried(close)
    parts.hot.clear()
    return problems


def tried(action: Callable[[], object]) -> list[BaseException]:
    """Run one step of closing; the others must run whatever it raises."""
    try:
        action()
    except (Exception, CorruptionError) as problem:  # noqa: BLE001 -- raised by close() when all is closed
        return [problem]
    return []


def abandon_pieces(parts: Parts) -> None:
    """In a child after fork: let go of everything without touching the parent's files."""
    if parts.journal is not None:
        parts.journal.abandon()
    # Finalising a connection could fold the parent's write-ahead log: keep them alive for good.
    for kept in [*parts.catalog.connections(), *parts.backends.values()]:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
