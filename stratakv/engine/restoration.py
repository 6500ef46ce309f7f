"""Restoration: a new store's catalog, made from what a remote cold tier holds.

Owns the order: find a backup that is whole, apply its parts, drop what cold does not have and report it, recompute
every sum, and only then give the catalog its name. What is dropped is reported by key, never in silence. Nothing in
the cold tier changes; the next opening of the store claims it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stratakv.backends.base import ObjectNotFoundError
from stratakv.backends.names import is_name
from stratakv.engine.backup_format import PREFIX, epoch_and_number, read_head, read_rows
from stratakv.engine.catalog import Catalog
from stratakv.engine.catalog_loading import CatalogLoading
from stratakv.engine.claim import has_manifest
from stratakv.engine.dictionary_form import from_stored
from stratakv.engine.first_opening import CATALOG_FILE
from stratakv.engine.ownership import LOCK_FILE, DirectoryLock
from stratakv.engine.records import decode_key
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from stratakv.backends.base import Backend

UNFINISHED = "restoring.db"


@dataclass(slots=True)
class Restored:
    """What a restoration brought back, and what not.

    Attributes:
        store_id: The store's, 32 hexadecimal digits.
        saved: Wall time in seconds as of which the backup is; None after a scan.
        keys: Keys that have their value.
        contents: Contents that they name.
        packs: Packs in the cold tier that hold them.
        missing: Keys that the backup knows and whose value was not in the cold tier.
        damaged: What could not be read, a sentence each.
        unknown: What cannot be known, a sentence each.
    """

    store_id: str = ""
    saved: int | None = None
    keys: int = 0
    contents: int = 0
    packs: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def restore(
    cold: Backend,
    path: Path,
    *,
    now: int,
    trust_pickle: bool,
    show: Callable[[str, int, int], None],
    store_id: str = "",
) -> Restored:
    """Build the store of a cold tier's newest whole backup in a new directory.

    Args:
        cold: The cold tier.
        path: The directory; missing or empty.
        now: Wall time in seconds.
        trust_pickle: Whether pickled values may be read from it later, if the configuration allows pickle.
        show: Called with (step, done, total).
        store_id: What the id of the store begins with, in hexadecimal; empty for the store that owned the tier last.

    Raises:
        ConfigurationError: The directory is not empty, or the tier has no backup of such a store.
        CorruptionError: No backup in it is whole.
        StoreLockedError: Somebody has the directory open.
        TierUnavailableError: The tier cannot be reached.
    """
    result = Restored()
    with new_store(path) as catalog_path:
        chain = _newest_whole(cold, result, store_id)
        catalog = Catalog(catalog_path)
        try:
            loading = CatalogLoading(catalog, now)
            for number, (name, content) in enumerate(chain):
                show("catalog", number, len(chain))
                loading.begin_part()
                for table, rows in read_rows(content, name):
                    loading.apply(table, rows)
                loading.commit()
            _load_dictionaries(cold, loading, result)
            _drop_lost_packs(cold, loading, result, show)
            result.missing = [decode_key(key) for key in loading.drop_lost_keys()]
            head = read_head(chain[-1][1], chain[-1][0])
            claimed = cold.place if has_manifest(cold, head.store_id) else None
            loading.finish(head.store_id, head.epoch, trust_pickle=trust_pickle, claimed=claimed)
            result.store_id = head.store_id.hex()
            result.saved = loading.saved
            result.keys, result.contents, result.packs = loading.counts()
        finally:
            catalog.close()
    result.unknown += _of_others(cold, result.store_id)
    return result


def _of_others(cold: Backend, store_id: str) -> list[str]:
    """Say which other stores have left packs in the tier."""
    others = sorted({info.name.split("/")[1] for info in cold.list("packs/")} - {store_id[:16]})
    return [f"the tier also holds packs of store {other}: --store-id {other} restores that one" for other in others]


@contextmanager
def new_store(path: Path) -> Iterator[Path]:
    """Hand out where to make the catalog; it becomes the store's at the end, and nothing is left after a failure.

    The directory is held meanwhile, so that nobody opens it half made. One that holds only a `LOCK`, such as an opening
    leaves that was killed at once, is empty.
    """
    _refuse_used(path)  # before its lock is made
    lock = DirectoryLock(path)
    lock.acquire()
    try:
        _refuse_used(path)
        try:
            yield path / UNFINISHED
            (path / "journal").mkdir(mode=0o700)
            (path / UNFINISHED).replace(path / CATALOG_FILE)
            for directory in (path, path.parent):
                descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except BaseException:
            for left in _contents(path):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            raise
    except BaseException:
        lock.withdraw()
        raise
    lock.release()


def _refuse_used(path: Path) -> None:
    try:
        used = path.exists() and (not path.is_dir() or bool(_contents(path)))
    except OSError as failure:
        raise ConfigurationError(f"{path} cannot be made a directory: {failure.strerror}") from failure
    if used:
        raise ConfigurationError(f"{path} is not an empty directory: name a new one to restore into")


def _contents(path: Path) -> list[Path]:
    return [left for left in path.iterdir() if left.name != LOCK_FILE]


def _newest_whole(cold: Backend, result: Restored, store_id: str) -> list[tuple[str, bytes]]:
    """Return the parts of a store's newest backup that can be read, in the order in which they are applied."""
    found = [(place, info.name) for info in cold.list(PREFIX) if (place := epoch_and_number(info.name)) is not None]
    if not found:
        packs = any(True for _ in cold.list("packs/"))
        advice = "it holds packs: `stratakv restore --scan` recovers what they tell" if packs else "check the place"
        raise ConfigurationError(f"{cold.place} has no backup of a catalog: {advice}")
    for _, name in sorted(found, reverse=True):
        try:
            content = _part(cold, name)
            head = read_head(content, name)
            if not head.complete or not head.store_id.hex().startswith(store_id):
                continue
            before = [row[0] for table, rows in read_rows(content, name) if table == "chain" for row in rows]
            chain = [(earlier, _part(cold, earlier, head.store_id)) for earlier in before]
            for earlier, part in chain:
                for _ in read_rows(part, earlier):
                    pass  # a part that cannot be read is noticed while there is still an older backup to turn to
            return [*chain, (name, content)]
        except CorruptionError as failure:
            result.damaged.append(f"backup {name} is passed over: {failure}")
    if store_id and not result.damaged:
        raise ConfigurationError(f"{cold.place} has no backup of a store whose id begins with {store_id}")
    raise CorruptionError(
        f"no backup in {cold.place} is whole: {'; '.join(result.damaged) or 'a first one was never completed'}; "
        "`stratakv restore --scan` recovers what the packs themselves tell"
    )


def _part(cold: Backend, name: str, store_id: bytes | None = None) -> bytes:
    if epoch_and_number(name) is None:
        raise CorruptionError(f"{name!r:.80} is named as a part of a backup, and is none")
    try:
        content = cold.get(name)
    except ObjectNotFoundError:
        raise CorruptionError(f"{name} is missing") from None
    if read_head(content, name).store_id != (store_id or read_head(content, name).store_id):
        raise CorruptionError(f"{name} belongs to another store")
    return content


def read_dictionary(cold: Backend, name: str) -> bytes:
    """Return a dictionary in its stored form.

    Raises:
        CorruptionError: It has other bytes than its name says.
        ObjectNotFoundError: There is none.
    """
    content = cold.get(name) if is_name(name) else b""
    if hashlib.sha256(content).hexdigest()[:16] not in name:
        raise CorruptionError("its bytes do not give its digest")
    return content


def _load_dictionaries(cold: Backend, loading: CatalogLoading, result: Restored) -> None:
    for number, namespace, created, name in loading.dictionaries.values():
        try:
            content = read_dictionary(cold, name)
            from_stored(content)
        except (ObjectNotFoundError, CorruptionError) as failure:
            result.damaged.append(f"dictionary {number} could not be read: {failure}")
        else:
            loading.add_dictionary(number, namespace, created, content)


def _drop_lost_packs(
    cold: Backend, loading: CatalogLoading, result: Restored, show: Callable[[str, int, int], None]
) -> None:
    """Drop packs that the tier does not have: what lies in them is missing."""
    listed = {info.name: info.size for info in cold.list("packs/")}
    packs = loading.packs()
    for done, (number, name, size) in enumerate(packs):
        show("packs", done, len(packs))
        held = listed.get(name)
        if held is None:
            try:
                held = cold.size(name) if is_name(name) else None  # a listing may lag
            except ObjectNotFoundError:
                held = None
        if held != size:
            what = "is missing" if held is None else f"has {held} bytes, not {size}"
            result.damaged.append(f"pack {name} {what}")
            if held is None:
                loading.drop_pack(number)
    loading.doom_packs([name for name in loading.doomed if name in listed])
