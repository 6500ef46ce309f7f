"""Opening: from a configuration to the pieces of a store, and from a crash to a sound one.

Owns the order of recovery: lock the directory, open the catalog, replay the journal into the dirty table, cut a torn
tail, start a new segment. Nothing is moved or rewritten here, and what takes the longer the more keys there are is left
to the mover (`afterwards.py`), so the time does not grow with their number. It grows by microseconds with each warm
pack, whose row and file are looked for.

A directory holds `LOCK`, `catalog.db` (with `-wal` and `-shm` while open), `journal/`, `warm/`, `cold/`,
`bloom.filter`, `statistics.json` and `reserve`.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stratakv.backends.disk import DiskBackend
from stratakv.config import Namespaces, OptimizationConfig
from stratakv.engine.catalog import Catalog
from stratakv.engine.catalog_schema import FORMAT_VERSION
from stratakv.engine.codecs import codec_by_id
from stratakv.engine.compression import CompressionEngine
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.dirty import DirtyBlob, DirtyTable
from stratakv.engine.entries import NAMESPACE, Entry, parse_entries, parse_namespace
from stratakv.engine.first_opening import CATALOG_FILE, RESERVE_FILE, parts_in, take_back
from stratakv.engine.free_memory import FreeMemory
from stratakv.engine.hot import HotTable
from stratakv.engine.journal import Journal
from stratakv.engine.journal_format import JOURNAL_DIRECTORY, Location, segment_paths
from stratakv.engine.kept_indexes import KeptIndexes
from stratakv.engine.labels import Labels
from stratakv.engine.large.manifest import MANIFEST, read_manifest
from stratakv.engine.learning import empty_filter
from stratakv.engine.ownership import DirectoryLock
from stratakv.engine.parts import Parts
from stratakv.engine.placement import Placement
from stratakv.engine.records import IN_COLD, IN_WARM, decode_key
from stratakv.engine.replay import JournalReader, Replayed
from stratakv.engine.reserve import Reserve
from stratakv.engine.rotation.book import RotationBook
from stratakv.engine.serialization import Serializer
from stratakv.engine.shelf import Shelf
from stratakv.engine.telemetry import Counters
from stratakv.engine.tier_opening import claim_cold, open_tiers, refuse_other_place
from stratakv.engine.watch import Watch
from stratakv.errors import CapacityError, ConfigurationError, CorruptionError, StrataError
from stratakv.policies.admission import Accesses, Admission
from stratakv.policies.eviction import policy_by_name
from stratakv.types import StorageTier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stratakv.backends.base import Backend
    from stratakv.clock import Clock
    from stratakv.files import Files

log = logging.getLogger("stratakv")


def open_parts(
    config: OptimizationConfig,
    *,
    clock: Clock,
    backends: Mapping[StorageTier, Backend] | None,
    read_only: bool,
    files: Files,
    catalog_vfs: str | None,
) -> Parts:
    """Open or create the store of a configuration; errors as `OptimizationMiddleware`."""
    path, temporary = _directory(config)
    if read_only and not (path / CATALOG_FILE).exists():
        # Before the lock, which would make the directory.
        if temporary:
            shutil.rmtree(path)
        raise ConfigurationError(f"there is no store in {path} to be read: check the path")
    lock = DirectoryLock(path)
    lock.acquire(shared=read_only)
    before = parts_in(path)
    try:

        def assemble() -> Parts:
            return _assemble(
                config, path, temporary=temporary, lock=lock, clock=clock, backends=backends or {},
                read_only=read_only, files=files, catalog_vfs=catalog_vfs,
            )  # fmt: skip

        try:
            return assemble()
        except CapacityError:
            # What is stored must be readable, and deletable, on a full disk too.
            if not _reserve(config, path).give_back():
                raise
            return assemble()
    except BaseException as failure:
        if isinstance(failure, StrataError) and take_back(path, before, catalog_vfs):
            lock.withdraw()
        lock.release()
        if temporary:
            shutil.rmtree(path)
        raise


def _reserve(config: OptimizationConfig, path: Path) -> Reserve:
    return Reserve(path / RESERVE_FILE, config.storage.reserve_kb * 1024)


def _directory(config: OptimizationConfig) -> tuple[Path, bool]:
    if config.storage.path is not None:
        return Path(config.storage.path).expanduser().absolute(), False
    return Path(tempfile.mkdtemp(prefix="stratakv-")), True


def _assemble(
    config: OptimizationConfig,
    path: Path,
    *,
    temporary: bool,
    lock: DirectoryLock,
    clock: Clock,
    backends: Mapping[StorageTier, Backend],
    read_only: bool,
    files: Files,
    catalog_vfs: str | None,
) -> Parts:
    if not (path / CATALOG_FILE).exists() or not (path / CATALOG_FILE).stat().st_size:
        _refuse_lost_catalog(path)
    (path / JOURNAL_DIRECTORY).mkdir(mode=0o700, exist_ok=True)
    catalog = Catalog(path / CATALOG_FILE, vfs=catalog_vfs, keep_log=read_only)
    opened: list[Backend] = []
    try:
        store_id, epoch = _identity(catalog, clock, read_only=read_only)
        tiers = open_tiers(config, catalog, given=backends, clock=clock, files=files, read_only=read_only)
        opened = list(tiers.values())
        if read_only:
            refuse_other_place(catalog, tiers[IN_COLD])
        claim = None if read_only else claim_cold(config, catalog, tiers[IN_COLD], store_id, clock)
        if claim is not None and claim.held is not None:
            epoch = claim.held.epoch
        book = DictionaryBook(dictionary_bytes=config.compression.dictionary_kb * 1024)
        options = config.serialization
        trusted = not catalog.meta("distrusts_pickle", 0)
        serializer = Serializer(allow_pickle=options.allow_pickle, enums=options.enums, trust_pickle=trusted)
        compression = CompressionEngine(
            config, serializer=serializer, dictionaries=book, rotations=RotationBook(), clock=clock
        )
        _load_dictionaries(catalog, compression)
        known = [
            (number, name, salt or b"")
            for number, name, salt in catalog.rows("SELECT id, name, salt FROM namespaces ORDER BY id")
        ]
        labels = Labels(Namespaces(config.namespaces), known, _not_open_yet, lossy=config.compression.lossy)
        compression.encoder.strategy_of, compression.encoder.may_lose = labels.strategy, labels.may_lose
        capacity = config.effective_hot_capacity_bytes
        tiered = config.tiered_storage
        # What leaves RAM for being idle is half as well remembered when it has been away for as long again.
        fades_every = max(60.0, tiered.hot_to_warm_idle_hours * 3600)
        parts = Parts(
            config=config,
            path=path,
            temporary=temporary,
            read_only=read_only,
            store_id=store_id,
            epoch=epoch,
            clock=clock,
            files=files,
            lock=lock,
            catalog=catalog,
            journal=None,
            dirty=DirtyTable(),
            hot=HotTable(capacity, partial(policy_by_name, tiered.eviction_policy, objective=tiered.hit_objective)),
            placement=Placement(config, labels.name, remote=tiers[IN_COLD].remote),
            admission=Admission(
                Accesses(tiered.promote_to_warm_accesses, tiered.promote_to_hot_accesses),
                clock.monotonic(),
                fades_every,
                catalog.live_keys,
            ),
            watch=Watch(clock.monotonic),
            labels=labels,
            serializer=serializer,
            compression=compression,
            dictionaries=book,
            backends=tiers,
            shelf=Shelf(tiers, catalog.pack, compression, labels.salt, KeptIndexes(catalog).find),
            bloom=None,
            reserve=_reserve(config, path),
            counters=Counters(),
            free_memory=FreeMemory(clock.monotonic),
            claim=claim,
        )
        warm = tiers[IN_WARM]
        if StorageTier.WARM not in backends and isinstance(warm, DiskBackend):
            parts.unscrubbed = warm  # not one that was handed in: others may be putting into it
        _recover(parts)
    except BaseException:
        for backend in opened:
            backend.close()
        catalog.close()
        raise
    return parts


def _load_dictionaries(catalog: Catalog, compression: CompressionEngine) -> None:
    """Make dictionaries and rotations known. One that is damaged is left out: only what it encoded is damaged too."""
    for number in _dictionary_numbers(catalog):
        try:
            rows = catalog.rows("SELECT namespace, content FROM dictionaries WHERE id = ?", (number,))
            for namespace, content in rows:
                compression.know(number, namespace, content)
        except CorruptionError as failure:
            log.warning("dictionary %d cannot be used: %s", number, failure)


def _dictionary_numbers(catalog: Catalog) -> Iterable[int]:
    """Return the numbers to look for: those that are listed, or all there can be where the list itself is damaged."""
    try:
        return [number for (number,) in catalog.rows("SELECT id FROM dictionaries")]
    except CorruptionError:
        return range(1, int(catalog.meta("next_dictionary", 1)))


def _not_open_yet(_number: int, name: str, _salt: bytes) -> None:
    raise ConfigurationError(f"the store is read-only: namespace {name!r} cannot be introduced")


def _refuse_lost_catalog(path: Path) -> None:
    """Raise where a directory holds values but no catalog that knows them: an empty store it is not."""
    for left in (*segment_paths(path / JOURNAL_DIRECTORY), *(path / "warm").glob("*"), *(path / "cold").glob("*")):
        raise CorruptionError(
            f"{path} holds {left.relative_to(path)} but the catalog {CATALOG_FILE} is missing or empty: restore it "
            f"from a backup, or move the directory's contents away to start anew"
        )


def _identity(catalog: Catalog, clock: Clock, *, read_only: bool) -> tuple[bytes, int]:
    """Return the store's id and this opening's epoch."""
    store_id = catalog.meta("store_id")
    epoch = int(catalog.meta("epoch", 0))
    if read_only and store_id is not None:
        return store_id, epoch
    with catalog.write(int(clock.now())) as transaction:
        if store_id is None:
            _refuse_lost_catalog(catalog.path.parent)
            store_id = secrets.token_bytes(16)
            transaction.set_meta("store_id", store_id)
            transaction.set_meta("created", int(clock.now()))
            transaction.set_meta("format", FORMAT_VERSION)
        transaction.add_later_tables()
        epoch += 1
        transaction.set_meta("epoch", epoch)
    return store_id, epoch


def _recover(parts: Parts) -> None:
    """Replay the journal, then open it for writing."""
    directory = parts.path / JOURNAL_DIRECTORY
    after = int(parts.catalog.meta("last_sequence", 0))
    parts.pins.update((decode_key(key), pin) for key, pin in parts.catalog.pinned_keys())
    for (number,) in parts.catalog.rows("SELECT blob FROM damaged"):
        for blob in parts.catalog.blobs_by_number(number):
            parts.dirty.mark_damaged(blob.digest)
    reader = JournalReader(directory, after)
    for record in reader.records():
        _replay(parts, record)
    if parts.read_only:
        return
    parts.bloom = empty_filter(parts)
    keep = reader.lengths
    for path in segment_paths(directory):
        length = keep.get(int(path.stem))
        if length is None:
            parts.files.unlink(path)
        elif path.stat().st_size > length:
            _cut(parts.files, path, length)
    parts.files.sync_directory(directory)
    parts.journal = Journal(
        directory,
        durability=parts.config.storage.durability,
        next_sequence=reader.last_sequence + 1,
        older=keep,
        files=parts.files,
        make_room=parts.reserve.give_back,
    )
    parts.reserve.fill()


def _cut(files: Files, path: Path, length: int) -> None:
    descriptor = files.open_append(path)
    try:
        files.truncate(descriptor, length)
        files.sync(descriptor)
    finally:
        os.close(descriptor)


def _replay(parts: Parts, record: Replayed) -> None:
    if record.kind == NAMESPACE:
        parts.labels.replayed(*parse_namespace(record.body))
        return
    for entry in parse_entries(record.kind, record.body, record.sequence):
        blob = _replayed_blob(parts, record, entry)
        key = decode_key(entry.key)
        with parts.dirty.lock:
            chunks = _chunks(record, entry)
            parts.dirty.put(key, entry.record, blob, len(entry.key) + 64, parts.clock.monotonic(), chunks)
            if blob is not None and entry.record.digest is not None:
                parts.dirty.current.journal_bytes += blob.length
                # It was unknown when it was stored, perhaps because the catalog's copy was found damaged.
                parts.dirty.current.healing.add(entry.record.digest)
        if entry.record.pin:
            parts.pins[key] = entry.record.pin
        else:
            parts.pins.pop(key, None)


def _replayed_blob(parts: Parts, record: Replayed, entry: Entry) -> DirtyBlob | None:
    if entry.payload is None:
        return None
    start, length = entry.payload
    location = Location(record.segment, record.offset + start, length)
    if parts.read_only:
        parts.replayed_payloads[location] = record.body[start : start + length]
    return DirtyBlob(*location, entry.codec, entry.dictionary, entry.size, entry.home, entry.kind)


def _chunks(record: Replayed, entry: Entry) -> set[bytes]:
    """Return the chunks that a journaled manifest names."""
    if entry.payload is None or entry.kind != MANIFEST:
        return set()
    start, length = entry.payload
    manifest = codec_by_id(entry.codec).decode(record.body[start : start + length], entry.size)
    return {chunk.digest for chunk in read_manifest(manifest).chunks}
