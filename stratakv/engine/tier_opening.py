"""Opening the tiers: from settings to the backends of warm and cold, and the claim on a cold tier that is remote.

Owns which backend a store's packs are kept by, remembered in the catalog, and what an unreachable cold tier means at
opening: a store that has used it before opens without it, since hot and warm go on.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from stratakv.backends.directory import DirectoryBackend
from stratakv.backends.s3 import S3Backend
from stratakv.backends.views import DirectoryView, DiskView
from stratakv.engine.breaker import CircuitBreaker
from stratakv.engine.claim import Claim, has_cold_packs, has_manifest
from stratakv.engine.guarded import GuardedBackend
from stratakv.engine.records import IN_COLD, IN_WARM
from stratakv.engine.rescue import open_warm
from stratakv.errors import ConfigurationError, TierUnavailableError
from stratakv.types import StorageTier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stratakv.backends.base import Backend
    from stratakv.clock import Clock
    from stratakv.config import OptimizationConfig
    from stratakv.engine.catalog import Catalog
    from stratakv.files import Files

log = logging.getLogger("stratakv")


def open_tiers(
    config: OptimizationConfig,
    catalog: Catalog,
    *,
    given: Mapping[StorageTier, Backend],
    clock: Clock,
    files: Files,
    read_only: bool,
) -> dict[int, Backend]:
    """Return the backend of each tier number; those `given` are used instead of those configured.

    Raises:
        ConfigurationError: Packs lie there that another backend keeps, or a setting cannot be used.
        TierUnavailableError: The cold tier cannot be reached, and this store has never used it.
    """
    tiered = config.tiered_storage
    for tier, wanted, name in (
        (IN_WARM, tiered.warm.backend, StorageTier.WARM),
        (IN_COLD, tiered.cold.backend, StorageTier.COLD),
    ):
        if name not in given:
            _keep_backend(catalog, tier, wanted, name, clock, read_only=read_only)
    warm = given.get(StorageTier.WARM) or _warm_backend(config, catalog, files, read_only=read_only)
    try:
        cold = given.get(StorageTier.COLD) or open_cold(config, catalog.path.parent, files, read_only=read_only)
    except BaseException:
        warm.close()
        raise
    rate = None if tiered.cold.upload_mb_per_second is None else tiered.cold.upload_mb_per_second * 1024 * 1024
    guarded = GuardedBackend(cold, CircuitBreaker(clock), clock, rate if cold.remote else None)
    return {IN_WARM: warm, IN_COLD: guarded}


def _warm_backend(config: OptimizationConfig, catalog: Catalog, files: Files, *, read_only: bool) -> Backend:
    directory = catalog.path.with_name("warm")
    if config.tiered_storage.warm.backend == "directory":
        return DirectoryView(directory) if read_only else DirectoryBackend(directory, files=files)
    if read_only:
        return DiskView(directory)
    return open_warm(directory, files, catalog.packs("tier = ?", (IN_WARM,)))


def _keep_backend(
    catalog: Catalog, tier: int, wanted: str, name: StorageTier, clock: Clock, *, read_only: bool
) -> None:
    """Remember by which backend a tier's packs are kept.

    Raises:
        ConfigurationError: There are some, kept by another one.
    """
    meta = f"{name.value}_backend"
    found = catalog.meta(meta)
    if found == wanted:
        return
    if found is not None and catalog.packs("tier = ?", (tier,)):
        how = (
            "run maintain(settle=True) with it first"
            if tier == IN_WARM
            else "bring everything to warm with it first: stratakv migrate --prefix '' --to warm"
        )
        raise ConfigurationError(
            f"the {name.value} tier of {catalog.path.parent} is kept by backend {found!r}, not {wanted!r}: set "
            f"tiered_storage.{name.value}.backend to {found!r}; to change it, {how}"
        )
    if not read_only:
        with catalog.write(int(clock.now())) as transaction:
            transaction.set_meta(meta, wanted)


def open_cold(config: OptimizationConfig, path: Path, files: Files, *, read_only: bool) -> Backend:
    """Return the configured cold tier of the store in `path`; read-only it is only looked at. Nothing is asked yet."""
    cold = config.tiered_storage.cold
    if cold.backend == "s3":
        return S3Backend.from_config(cold, read_only=read_only)
    directory = Path(cold.path).expanduser() if cold.path else path / "cold"
    if read_only:
        return DirectoryView(directory, remote=bool(cold.backups))
    return DirectoryBackend(directory, files=files, remote=bool(cold.backups))


def claim_cold(
    config: OptimizationConfig, catalog: Catalog, cold: Backend, store_id: bytes, clock: Clock
) -> Claim | None:
    """Claim a remote cold tier for this opening, and have changes noted for its backups; None where it is not remote.

    Raises:
        ConfigurationError: It belongs to another store, or the bucket or a permission is missing.
        StoreLockedError: Somebody else claimed it at the same moment.
        TierUnavailableError: It cannot be reached, and this store has never used it.
    """
    if not cold.remote:
        refuse_other_place(catalog, cold)
    _track_changes(catalog, cold, clock)
    if not cold.remote:
        return None
    claim = Claim(cold, catalog, store_id, config.storage.erase_within_days * 86_400)
    try:
        if isinstance(cold, GuardedBackend) and isinstance(cold.inner, S3Backend):
            cold.inner.check()
        claim.take(int(clock.now()), take_over=config.tiered_storage.cold.take_over)
    except TierUnavailableError as failure:
        if catalog.meta("claimed") != cold.place:
            raise TierUnavailableError(
                f"{failure}; without its cold tier a store opens only once it has used it: see to the tier first"
            ) from failure
        log.warning("the store is open without its cold tier, which is asked again later: %s", failure)
    return claim


def refuse_other_place(catalog: Catalog, cold: Backend) -> None:
    """Raise where the catalog's cold packs lie in a remote tier that this one is neither, nor a copy of.

    Raises:
        ConfigurationError: They do.
    """
    claimed = catalog.meta("claimed")
    if claimed is None or _is_same(claimed, cold.place) or not has_cold_packs(catalog):
        return
    if has_manifest(cold, catalog.meta("store_id")):
        return
    raise ConfigurationError(
        f"the cold packs of {catalog.path.parent} lie in {claimed}, not in {cold.place}: configure that cold tier "
        "(tiered_storage.cold), or one with a copy of all its objects"
    )


def _is_same(claimed: str, place: str) -> bool:
    return claimed == place or ("://" not in claimed + place and Path(claimed).resolve() == Path(place).resolve())


def _track_changes(catalog: Catalog, cold: Backend, clock: Clock) -> None:
    """Note changes from now on if the cold tier takes backups; a backup that missed some is begun anew."""
    wanted = cold.place if cold.remote else None
    catalog.notes_changes = wanted is not None
    if catalog.meta("tracked") == wanted:
        return
    empty = not catalog.rows("SELECT 1 FROM keys LIMIT 1") and not catalog.rows("SELECT 1 FROM blobs LIMIT 1")
    fresh = json.dumps({"chain": [], "base_bytes": 0, "changes_bytes": 0, "based": int(clock.now())})
    with catalog.write(int(clock.now())) as transaction:
        transaction.forget_changes()
        transaction.set_meta("tracked", wanted)
        transaction.set_meta("backup", fresh if empty and wanted is not None else None)
        transaction.set_meta("backup_progress", None)
        if wanted is not None:
            # An older backup there may name them: they stay until one that does not is durable.
            transaction.note_doomed(IN_COLD)
