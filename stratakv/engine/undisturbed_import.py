"""Imports of large libraries that no interrupt can break off.

A signal's handler raises in the main thread, between any two steps of it. A library whose import is broken off may
stay half loaded for as long as the process lives; so the main thread has another one import it, and waits.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def imported(name: str) -> ModuleType | None:
    """Return a library; None where it is not installed."""
    if name not in sys.modules and threading.current_thread() is threading.main_thread():
        # Once it is there, or where it failed, the import below is brief.
        helper = threading.Thread(target=_try, args=(name,), name="stratakv-import", daemon=True)
        with contextlib.suppress(RuntimeError):  # at the interpreter's own end there are no more threads
            helper.start()
            helper.join()
    return _try(name)


def _try(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None
