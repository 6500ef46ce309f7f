"""Which mode a configuration asks for, and the opening of its store.

Refuses what would lose data before anything is opened: absorbing a durable engine into a temporary directory, or using
a directory of one kind as another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.modes.absorb import Absorb
from stratakv.engine.modes.alone import Alone
from stratakv.engine.modes.passthrough import PassThrough
from stratakv.engine.modes.write_through import WriteThrough
from stratakv.engine.store import Store
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratakv.backends.base import Backend
    from stratakv.clock import Clock
    from stratakv.config import OptimizationConfig
    from stratakv.engine.modes.base import Mode
    from stratakv.engine.wrapping import Engine
    from stratakv.types import StorageTier

BATCH = 5000
RECORD, CACHE = "record", "cache"
"""What a directory holds: the only copy of its values, or copies of an engine's."""


def choose_mode(
    engine: Engine | None,
    config: OptimizationConfig,
    *,
    enabled: bool,
    clock: Clock | None,
    backends: Mapping[StorageTier, Backend] | None,
    read_only: bool,
) -> Mode:
    """Open what the configuration asks for.

    Raises:
        ConfigurationError: Something does not fit together; the message says what to change.
    """
    if not enabled:
        if engine is None:
            raise ConfigurationError(
                "enabled is false and there is no engine to pass calls to: wrap one, or set enabled: true"
            )
        return PassThrough(engine)
    through = config.wrap.mode == "write_through"
    if engine is not None and not through and config.storage.path is None and not engine.in_memory:
        raise ConfigurationError(
            f"absorbing {type(engine.raw).__name__} needs storage.path, where its values will live; or set "
            f"wrap.mode: write_through to leave them where they are"
        )
    if engine is not None and through:
        config.storage.durability = "none"  # a cache starts empty at each opening: nothing in it has to last
    store = Store(config, clock=clock, backends=backends, read_only=read_only)
    try:
        if engine is None or not through:
            _claim(store, RECORD)
            return Alone(store) if engine is None or read_only else Absorb(store, engine)
        _claim(store, CACHE)
        _empty(store)
        return WriteThrough(store, engine, config.wrap.max_staleness_seconds)
    except BaseException:
        store.close()
        raise


def _empty(store: Store) -> None:
    """Forget what an earlier opening cached: the engine may have changed since."""
    while keys := [key for key, _ in zip(store.keys(), range(BATCH), strict=False)]:
        store.delete_many(keys)


def _claim(store: Store, kind: str) -> None:
    """Make sure that a directory stays what it is."""
    parts = store.parts
    found = parts.catalog.meta("holds")
    if found is None and not parts.read_only:
        with parts.catalog.write(parts.wall()) as transaction:
            transaction.set_meta("holds", kind)
    elif found not in (None, kind):
        problem = (
            "is the read cache of a write_through engine, and may be emptied at any opening"
            if found == CACHE
            else "holds the only copy of its values, and a read cache would empty it"
        )
        raise ConfigurationError(f"{parts.path} {problem}: give another storage.path")
