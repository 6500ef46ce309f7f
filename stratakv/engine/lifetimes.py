"""Lifetimes: which stores are open in this process, for the moments that a process does not choose: fork and exit."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Protocol


class Living(Protocol):
    """What is told of these moments."""

    def abandon(self) -> None:
        """This is a child after fork: let go of everything without touching the parent's files."""

    def leave_to_journal(self) -> None:
        """The interpreter ends: hand the journal to the medium, nothing more."""


_open: weakref.WeakSet[Living] = weakref.WeakSet()


def begin(store: Living) -> None:
    """A store was opened."""
    _open.add(store)


def end(store: Living) -> None:
    """A store was closed."""
    _open.discard(store)


def _after_fork_in_child() -> None:
    for store in list(_open):
        store.abandon()
    _open.clear()


def _at_exit() -> None:
    for store in list(_open):
        store.leave_to_journal()


os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
