"""Leftovers: copies that the engine still has of keys that the store has taken over.

Owns which keys those are and when their copies go: many together, after one sync of the journal, so that no copy goes
before its value is durable here. Meanwhile the store's word on the key hides the copy. One that is not known here any
more, because of a crash or since the engine refuses, takes room and no more: it goes when its key is deleted, expires
or is given back.

Invariant: no copy is discarded after its key was forgotten here, when the engine may have a new value of its own. The
engine is called on callers' threads only: it need not bear a second one.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from stratakv.engine.telemetry import ENGINE_WRITES
from stratakv.engine.worker import no_pause
from stratakv.errors import StrataError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.store import Store
    from stratakv.engine.wrapping import Engine

log = logging.getLogger("stratakv")

KEPT_BATCHES = 4
"""Of an engine that refuses, so many batches are tried again; what came before is left to it."""


class Leftovers:
    """Those of one engine.

    Args:
        store: What has taken over.
        engine: What has the copies.
    """

    def __init__(self, store: Store, engine: Engine) -> None:
        self._store = store
        self._engine = engine
        self._count = store.parts.counters.add
        self._monotonic = store.parts.clock.monotonic
        self._longest = store.parts.config.storage.sync_interval_ms / 1000
        self._at_once = engine.discards_at_once
        self._due = self._at_once
        self._since = 0.0
        self._keys: dict[str, None] = {}
        self._discarding = threading.Lock()
        self._ended = False
        if store.mover is not None:
            store.mover.regularly.append(self._step)

    def note(self, key: str) -> None:
        """The store has just taken a key over, and shows it. Its lock is held."""
        if self._engine.in_memory:  # gone with the process, as a lost tail of the journal is
            self._engine.discard(key)
            self._count(ENGINE_WRITES, 1)
            return
        now = self._monotonic()
        if not self._keys:
            self._since = now
        self._keys[key] = None
        if len(self._keys) >= self._due or now - self._since >= self._longest:
            self.discard_or_keep()

    def forget(self, key: str) -> None:
        """The engine has no copy any more; when this returns none of a later value is discarded either."""
        if key in self._keys:
            with self._discarding:
                self._keys.pop(key, None)

    def discard_or_keep(self) -> None:
        """Discard all copies; those that the engine refuses to let go wait for the next time.

        Raises:
            StrataError: The journal cannot be synced.
        """
        try:
            self._discard(end=False)
            self._due = self._at_once
        except StrataError:
            raise
        except Exception as failure:  # noqa: BLE001 -- the engine's own; the caller asked for something else
            log.warning(
                "the engine still has copies of %d values that were taken over (%s: %s): they stay hidden",
                len(self._keys), type(failure).__name__, failure,
            )  # fmt: skip
            for key in list(self._keys)[: -KEPT_BATCHES * self._at_once]:
                self.forget(key)
            self._due = len(self._keys) + self._at_once
            self._since = self._monotonic()

    def end(self) -> None:
        """Discard all copies; from now on the engine has everything, and nothing is discarded until `resume`.

        Raises:
            Exception: The engine's own; there is no end then.
        """
        self._discard(end=True)

    def resume(self) -> None:
        """Undo `end`: some values may stay here after all."""
        if self._ended:
            # What was noted beside the end may have been given back since: it is the engine's.
            self._keys.clear()
            self._ended = False

    def _discard(self, *, end: bool) -> None:
        self._store.check_open()
        with self._discarding:
            if self._ended:
                return
            keys = list(self._keys)
            if keys:
                self._store.flush()
                self._engine.discard_many(keys)
                self._count(ENGINE_WRITES, len(keys))
                for key in keys:
                    del self._keys[key]
            self._ended = end

    def _step(self, pause: Callable[[], None]) -> None:
        if pause is no_pause:  # `maintain`, on its caller's thread
            self.discard_or_keep()
