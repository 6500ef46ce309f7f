"""`FreeMemory`: gives memory that is free back to the system.

The C library keeps buffers of up to 32 MB that were freed, for later ones (mallopt(3): M_MMAP_THRESHOLD is raised that
far). After a checkpoint that is a fourth of a store's RAM, though its budget holds. glibc gives it back when asked
(malloc_trim(3)); with other C libraries nothing is done here.

Invariant: asking takes a third of a percent of the time at the most, whatever the program around the store holds.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REST = 300
"""So many times what one request took passes before the next: others that ask for memory meanwhile wait for it."""


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    trim.argtypes, trim.restype = (ctypes.c_size_t,), ctypes.c_int
    return trim


class FreeMemory:
    """What this process has allocated and freed.

    Args:
        monotonic: Tells how long requests take.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._next = monotonic()

    def give_back(self) -> None:
        """Give it back, unless that was done just now."""
        trim, began = _trim(), self._monotonic()
        if trim is None or began < self._next:
            return
        trim(0)
        ended = self._monotonic()
        self._next = ended + REST * (ended - began)
