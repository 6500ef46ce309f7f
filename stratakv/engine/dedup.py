"""`DeduplicationEngine`: the door for callers who think in contents.

A thin face over the one store. The content hash is the SHA-256 of the value's plaintext, in hexadecimal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from stratakv.engine.tiers import check_is_record, own_store
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

    from stratakv.clock import Clock
    from stratakv.config import OptimizationConfig
    from stratakv.engine.store import Store


class DeduplicationEngine:
    """Stores contents once.

    Args:
        config: Settings of a store of its own; not together with `store`.
        path: Its directory; None for a temporary one.
        clock: Its time.
        store: The store to be a door to.
        copies: The store holds copies of what a wrapped engine holds; this door then only reads.
    """

    def __init__(
        self,
        config: OptimizationConfig | None = None,
        *,
        path: str | None = None,
        clock: Clock | None = None,
        store: Store | None = None,
        copies: bool = False,
    ) -> None:
        if store is not None and (config is not None or path is not None or clock is not None):
            raise ConfigurationError("a door to an open store takes no config, path or clock: they are the store's")
        self._copies = copies
        self._owns = store is None
        self._store = own_store(config, path, clock) if store is None else store

    def write(self, key: str, data: object) -> tuple[str, bool]:
        """Store a value; return (content hash, whether the content was held already)."""
        check_is_record(copies=self._copies)
        written = self._store.put(key, data)
        assert written is not None  # only a condition makes it None
        return written.digest.hex(), written.is_duplicate

    def read(self, key: str) -> object:
        """Return the value, or None on a miss."""
        return self._store.retrieve(key)

    def get_statistics(self) -> dict[str, Any]:
        """Return the section `deduplication` of the store's statistics."""
        self._store.check_open()
        return self._store.statistics.deduplication()

    def shutdown(self) -> None:
        """Close the store if it is this door's own."""
        if self._owns:
            self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
