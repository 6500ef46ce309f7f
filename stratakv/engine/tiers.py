"""`TieredStorageManager`: the door for callers who think in tiers.

A thin face over the one store: what is written here is read through every other door. Alone it opens its own store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from stratakv.config import OptimizationConfig
from stratakv.engine.store import Store
from stratakv.engine.terms import PutOptions
from stratakv.errors import ConfigurationError
from stratakv.types import StorageTier

if TYPE_CHECKING:
    from types import TracebackType

    from stratakv.clock import Clock


def own_store(config: OptimizationConfig | None, path: str | None, clock: Clock | None) -> Store:
    """Open a store for a door that stands alone."""
    config = OptimizationConfig() if config is None else config.copy()
    if path is not None:
        config.storage.path = path
    config.validate()
    return Store(config, clock=clock)


def check_is_record(*, copies: bool) -> None:
    """Raise `ConfigurationError` where a write to the store alone would pass the wrapped engine by."""
    if copies:
        raise ConfigurationError(
            "in write_through mode the wrapped engine is the record and gets every write: use memory.store()"
        )


class TieredStorageManager:
    """Reads and writes with a tier.

    Args:
        config: Settings of a store of its own; not together with `store`.
        path: Its directory; None for a temporary one.
        clock: Its time.
        store: The store to be a door to.
        copies: The store holds copies of what a wrapped engine holds; this door then only reads and moves.
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

    def write(self, key: str, data: object, tier: StorageTier = StorageTier.HOT, pin_tier: bool = False) -> bool:
        """Store a value for a tier; WARM and COLD are acknowledged by the journal and reached in the background.

        Raises:
            CapacityError: `pin_tier` with HOT where all pins together exceed the hot capacity.
            SerializationError, ConfigurationError: The value or key is not accepted.
        """
        check_is_record(copies=self._copies)
        self._store.put(key, data, PutOptions(tier, pin_tier))
        return True

    def read(self, key: str) -> tuple[object, StorageTier] | tuple[None, None]:
        """Return (value, the tier it was found in), or (None, None) on a miss."""
        found = self._store.read(key)
        return (None, None) if found is None else (found.value, found.tier)

    def migrate_tier(self, key: str, target_tier: StorageTier) -> bool:
        """Ask for a key in a tier; False where there is no such key. HOT is normal placement."""
        return self._store.move(key, target_tier)

    def unpin(self, key: str) -> bool:
        """Leave a key's tier to the policies again; False where there is no such key."""
        return self._store.move(key, StorageTier.HOT, pin=False)

    def get_statistics(self) -> dict[str, Any]:
        """Return the section `tiered_storage` of the store's statistics."""
        self._store.check_open()
        return self._store.statistics.tiered_storage()

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
