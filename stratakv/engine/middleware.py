"""`OptimizationMiddleware`: the face. A mapping, a store with tiers, and a wrapper around an engine, all in one object.

Owns the public verbs and what they accept; does nothing itself. Behind it a `Mode` decides where calls go.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from stratakv.config import OptimizationConfig, load_config
from stratakv.engine.compression import available
from stratakv.engine.dedup import DeduplicationEngine
from stratakv.engine.face import check_keys, items_of
from stratakv.engine.large_face import LargeFace
from stratakv.engine.mapping_face import MappingFace
from stratakv.engine.modes.choice import choose_mode
from stratakv.engine.modes.passthrough import PassThrough
from stratakv.engine.modes.write_through import WriteThrough
from stratakv.engine.snapshot import read_snapshot
from stratakv.engine.statistics_off import statistics_off
from stratakv.engine.terms import DEFAULTS, PutOptions, check_ttl
from stratakv.engine.tiers import TieredStorageManager
from stratakv.engine.wrapping import DiskcacheEngine, recognise
from stratakv.errors import ConfigurationError, StoreLockedError
from stratakv.types import CompressionStrategy, StorageTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from stratakv.backends.base import Backend
    from stratakv.clock import Clock
    from stratakv.engine.compression import CompressionEngine
    from stratakv.engine.modes.base import Mode


D = TypeVar("D")


class OptimizationMiddleware(LargeFace, MappingFace):
    """Wraps an engine, or stands alone; keeps each value once, compressed, in the cheapest tier that is fast enough.

    Args:
        wrapped_engine: Anything with store/retrieve/delete, get/set/delete or the mapping protocol; None: alone.
        config: Settings; copied.
        config_path: A YAML file with settings, instead of `config`; the environment applies on top of it.
        path: Directory of the store; overrides `storage.path`. With an engine it needs a configuration beside it.
        backends: Backends for WARM and COLD instead of the configured ones.
        clock: Time; with a manual clock there are no threads and background work runs in `maintain()`.
        read_only: Open for reading. Beside a live owner only `get_statistics()` works, from its last snapshot.

    Raises:
        ConfigurationError: A setting, path or engine cannot be used; nothing was changed.
        StoreLockedError: Another process owns the directory.
        CorruptionError: The journal or the catalog is damaged.
        TierUnavailableError: The cold tier cannot be reached, and this store has never used it.
    """

    def __init__(
        self,
        wrapped_engine: object | None = None,
        config: OptimizationConfig | None = None,
        config_path: str | Path | None = None,
        *,
        path: str | Path | None = None,
        backends: Mapping[StorageTier, Backend] | None = None,
        clock: Clock | None = None,
        read_only: bool = False,
    ) -> None:
        self._mode: Mode | None = None
        self._snapshot: dict[str, Any] | None = None
        self._compression: CompressionEngine | None = None
        self._tiers: TieredStorageManager | None = None
        self._dedup: DeduplicationEngine | None = None
        self.config, configured = _configuration(config, config_path, path)
        self._engine = None if wrapped_engine is None else recognise(wrapped_engine)
        enabled = self.config.is_enabled(wrapped_engine is not None, configured)
        if path is not None and not enabled and self.config.enabled is None:
            raise ConfigurationError(
                f"path {str(path)!r} would not be used: a wrapped engine without a configuration is left as it is; "
                f"give config=OptimizationConfig(enabled=True) too, or no path"
            )
        try:
            self._mode = choose_mode(
                self._engine,
                self.config,
                enabled=enabled,
                clock=clock,
                backends=backends,
                read_only=read_only,
            )
        except StoreLockedError:
            if not read_only or self.config.storage.path is None:
                raise
            self._snapshot = read_snapshot(Path(self.config.storage.path))
            return
        self._get = self._mode.quickest_get()
        store = self._mode.store
        if store is not None:
            copies = isinstance(self._mode, WriteThrough)
            self._compression = store.parts.compression
            self._tiers = TieredStorageManager(store=store, copies=copies)
            self._dedup = DeduplicationEngine(store=store, copies=copies)

    # -- the fixed verbs -------------------------------------------------------------------------------------

    def store(
        self,
        key: str,
        data: object,
        tier: StorageTier = StorageTier.HOT,
        *,
        pin: bool = False,
        ttl: float | None = None,
        namespace: str | None = None,
        strategy: CompressionStrategy | None = None,
    ) -> bool:
        """Store a value; True once it is acknowledged at the configured durability.

        Args:
            key: A str of 1 to 1024 bytes.
            data: Any accepted value; later changes to it do not change what is stored.
            tier: Where it is wanted; WARM and COLD are reached in the background.
            pin: Keep it in that tier until it is unpinned or deleted.
            ttl: Seconds until it is gone, counted from now; None for ever (or the namespace's).
            namespace: Policy label; None to let the configured patterns decide.
            strategy: Codec for this value, instead of the configured one. One that loses precision (QUANTIZE_INT8,
                QUANTIZE_INT4, BINARIZE, ROTATED, GRAPH_PRUNE) is a permission to do so within its bound; past it
                the value is kept exactly.

        Raises:
            SerializationError: The value is of a type that is not accepted.
            CapacityError: No room; nothing was stored.
            ConfigurationError: A bad key or argument.
        """
        if strategy is not None:
            available(strategy)
        options = DEFAULTS
        if not (tier is StorageTier.HOT and ttl is None and namespace is None and strategy is None and not pin):
            options = PutOptions(tier, pin, ttl, namespace, None, strategy)
        self._working().put(key, data, options)
        return True

    def retrieve(self, key: str, default: Any = None) -> Any:
        """Return the value, or `default` on a miss.

        Raises:
            CorruptionError: Its bytes are damaged; it is never returned wrong.
            TierUnavailableError: It lies in a tier that cannot be reached; try again later.
        """
        if self._mode is None:
            self._working()
        return self._get(key, default)

    def delete(self, key: str, **keywords: Any) -> bool:
        """Delete a key; return whether there was one."""
        if keywords and not (isinstance(self._engine, DiskcacheEngine) and set(keywords) == {"retry"}):
            raise TypeError(f"delete() takes no keyword {next(iter(keywords))!r}")
        return self._working().delete(key)

    def add(
        self,
        key: str,
        value: object,
        ttl: float | None = None,
        *,
        namespace: str | None = None,
        **keywords: Any,
    ) -> bool:
        """Store a value if the key has none; return whether it was stored."""
        options = self._options(value, ttl, namespace, keywords)
        if options is None:
            return not self._working().contains(key)
        value, settings = options
        return self._working().add(key, value, settings)

    def replace(
        self,
        key: str,
        value: object,
        expected: object,
        *,
        ttl: float | None = None,
        namespace: str | None = None,
    ) -> bool:
        """Store a value if the present one equals `expected`, type and all; return whether it was stored."""
        check_ttl(ttl)
        return self._working().replace(key, value, expected, PutOptions(ttl=ttl, namespace=namespace))

    def store_many(
        self,
        items: Mapping[str, object] | Iterable[tuple[str, object]],
        *,
        ttl: float | None = None,
        namespace: str | None = None,
    ) -> bool:
        """Store many values. In the store they become visible and durable together or not at all."""
        self._working().put_many(items_of(items), PutOptions(ttl=ttl, namespace=namespace))
        return True

    def retrieve_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of those keys that have one."""
        check_keys("retrieve_many", keys)
        return self._working().get_many(keys)

    def delete_many(self, keys: Iterable[str]) -> int:
        """Delete many keys; return how many there were."""
        check_keys("delete_many", keys)
        return self._working().delete_many(keys)

    def flush(self) -> None:
        """Return when every acknowledged write survives power loss."""
        store = self._working().store
        if store is not None:
            store.flush()

    def maintain(self, settle: bool = False) -> None:
        """Run background work that is due; with `settle` idle and grace times count as elapsed."""
        store = self._working().store
        if store is not None:
            store.maintain(settle=settle)

    def get_statistics(self) -> dict[str, Any]:
        """Return the statistics by section; names and definitions are in `docs/design.md`."""
        if self._snapshot is not None:
            return self._snapshot
        mode = self._working()
        if mode.store is not None:
            mode.store.check_open()
        sections = statistics_off(self.config) if mode.store is None else mode.store.statistics.all()
        return {**sections, "wrap": mode.statistics()}

    def release(self) -> int:
        """Write everything back into the wrapped engine and pass calls straight to it from now on; return how many.

        Raises:
            StrataError: The engine did not take a value back; nothing is lost, the message names the directory.
        """
        mode = self._working()
        if self._engine is None:
            raise ConfigurationError("there is no wrapped engine to release into")
        returned = mode.release()
        mode.close()
        self._use(PassThrough(self._engine))
        return returned

    def _use(self, mode: Mode) -> None:
        self._mode = mode
        self._get = mode.get

    def shutdown(self) -> None:
        """Persist what is dirty and close. Without `storage.path`, values absorbed from an engine are given back first.

        Idempotent. Later calls raise `ClosedError`.
        """
        mode, self._mode = self._mode, None
        self._snapshot = None
        if mode is not None:
            mode.close()

    # -- doors and engine ------------------------------------------------------------------------------------

    @property
    def engine(self) -> Any:
        """The wrapped engine itself; None when standing alone."""
        return None if self._engine is None else self._engine.raw

    @property
    def compression_engine(self) -> CompressionEngine:
        """The compression engine; holds no keys."""
        if self._compression is None:
            raise ConfigurationError("optimisation is off: set enabled: true to use the compression engine")
        return self._compression

    @property
    def tiered_storage(self) -> TieredStorageManager:
        """The same store, by tiers."""
        return self._door(self._tiers)

    @property
    def dedup_engine(self) -> DeduplicationEngine:
        """The same store, by contents."""
        return self._door(self._dedup)

    def _door(self, door: D | None) -> D:
        self._working()
        if door is None:
            raise ConfigurationError("optimisation is off: set enabled: true to use the store")
        return door

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        state = "closed" if self._mode is None else type(self._mode).__name__
        return f"<{type(self).__name__} {state} {self.config.storage.path or 'temporary'}>"

    def __enter__(self) -> Self:
        if self._snapshot is None:
            self._working()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()


def _configuration(
    config: OptimizationConfig | None, config_path: str | Path | None, path: str | Path | None
) -> tuple[OptimizationConfig, bool]:
    """Return (the settings, ours to keep; whether somebody configured anything)."""
    if config is not None and config_path is not None:
        raise ConfigurationError("give config or config_path, not both")
    if config is not None:
        if not isinstance(config, OptimizationConfig):
            raise ConfigurationError(f"config is an OptimizationConfig, not {type(config).__name__}")
        chosen, configured = config.copy(), True
    else:
        loaded = load_config(config_path)
        chosen, configured = loaded.config, loaded.given
    if path is not None:
        if not isinstance(path, str | os.PathLike):
            raise ConfigurationError(f"path is a str or an os.PathLike, not {type(path).__name__}: {path!r}")
        chosen.storage.path = os.fspath(path)
    chosen.validate()
    return chosen, configured
