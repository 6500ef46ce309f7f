"""Scanning: a new store's catalog, made from the packs of a cold tier alone, where even the backups are gone.

Every pack is read once. A key comes back with the value of its highest version among the packs; what packs do not tell
is said. Nothing in the cold tier changes.
"""

from __future__ import annotations

import re
import struct
from array import array
from typing import TYPE_CHECKING

from stratakv.backends.base import ObjectNotFoundError
from stratakv.engine.backup_format import DICTIONARY_PREFIX
from stratakv.engine.catalog import Catalog
from stratakv.engine.catalog_loading import CatalogLoading
from stratakv.engine.compression import CompressionEngine
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.large.manifest import is_manifest, read_manifest
from stratakv.engine.manifest import epoch_of_pack
from stratakv.engine.pack_scan import PackScan
from stratakv.engine.packs import find_index, index_digest, pack_prefix
from stratakv.engine.records import decode_key
from stratakv.engine.restoration import Restored, new_store, read_dictionary
from stratakv.engine.shelf import digest_of
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stratakv.backends.base import Backend
    from stratakv.engine.pack_names import Name

_PACK_NAME = re.compile(r"packs/[0-9a-f]{16}/[0-9a-f]{8}-[0-9a-f]{16}\.pack")

UNKNOWN = (
    "a key that was deleted after its value was packed is back",
    "a key whose newest value had not reached the cold tier has an older one, or is not there at all",
    "a key that came to share a value after that was packed is not there",
    "pins, tags of wrapped engines and the age of prunable values are not in packs: nothing is pinned or pruned",
)

LACKING = (
    "{} keys have large values that cannot be put together: chunks of them are in no pack that can be read, or their "
    "namespace has a dedup scope of its own, whose digests a scan cannot tell"
)


def scan(
    cold: Backend,
    path: Path,
    *,
    now: int,
    trust_pickle: bool,
    show: Callable[[str, int, int], None],
    store_id: str = "",
) -> Restored:
    """Build a store in a new directory from what its packs tell.

    Args:
        cold: The cold tier.
        path: The directory; missing or empty.
        now: Wall time in seconds.
        trust_pickle: Whether pickled values may be read from it later, if the configuration allows pickle.
        show: Called with (step, done, total).
        store_id: What the id of the store begins with, in hexadecimal; needed where packs of several lie in the tier.

    Raises:
        ConfigurationError: The directory is not empty, or the tier holds no packs, or those of several stores.
        TierUnavailableError: The tier cannot be reached.
    """
    result = Restored()
    names = sorted(info.name for info in cold.list("packs/") if _PACK_NAME.fullmatch(info.name))
    names = [name for name in names if name.split("/")[1].startswith(store_id[:16])]
    stores = {name.split("/")[1] for name in names}
    if not stores:
        raise ConfigurationError(
            f"{cold.place} holds no packs{' of such a store' if store_id else ''}: check the place"
        )
    if len(stores) > 1:
        listed = ", ".join(sorted(stores))
        raise ConfigurationError(f"{cold.place} holds packs of {len(stores)} stores: choose with --store-id: {listed}")
    with new_store(path) as catalog_path:
        catalog = Catalog(catalog_path)
        try:
            scanning = _Scan(cold, CatalogLoading(catalog, now), result)
            scanning.load_dictionaries()
            for done, name in enumerate(names):
                show("packs", done, len(names))
                scanning.take(done + 1, name)
            scanning.finish(trust_pickle=trust_pickle)
        finally:
            catalog.close()
    result.unknown += UNKNOWN
    return result


class _Scan:
    """One pass over the packs of one store."""

    def __init__(self, cold: Backend, loading: CatalogLoading, result: Restored) -> None:
        self._cold = cold
        self._loading = loading
        self._result = result
        self._book = DictionaryBook(dictionary_bytes=0)
        self._compression = CompressionEngine(dictionaries=self._book)
        self._versions: dict[bytes, int] = {}
        self._labels: dict[int, str] = {}
        self._store_id = b""
        self._epoch = 1
        self._unnamed = array("q")

    def load_dictionaries(self) -> None:
        """Take every dictionary that the tier has: some pack may need it."""
        found: dict[int, tuple[str, bytes]] = {}
        twice: set[int] = set()
        for info in list(self._cold.list(DICTIONARY_PREFIX)):
            try:
                number = int(info.name.removeprefix(DICTIONARY_PREFIX).partition("-")[0])
                if number in found:
                    twice.add(number)
                found[number] = (info.name, read_dictionary(self._cold, info.name))
            except (CorruptionError, ValueError, ObjectNotFoundError) as failure:
                self._result.damaged.append(f"{info.name} could not be read: {failure}")
        for number, (name, content) in found.items():
            try:
                if number in twice:
                    # The wrong one would decode to wrong bytes, and a scan has no digest to compare them with.
                    raise CorruptionError("another machine has one of that number, so that neither can be used")
                self._compression.know(number, 0, content)
            except (CorruptionError, ValueError) as failure:
                self._result.damaged.append(f"{name} could not be read: {failure}")
            else:
                self._loading.add_dictionary(number, 0, 0, content)

    def take(self, number: int, name: str) -> None:
        """Take in what a pack tells."""

        def on_damage(failure: CorruptionError, _block: int | None) -> None:
            self._result.damaged.append(str(failure))

        try:
            content = self._cold.get(name)
            found = PackScan(content, name, self._compression.decode, on_damage)
            if pack_prefix(found.store_id) != name.rpartition("/")[0] + "/":
                raise CorruptionError(f"pack {name} says that it belongs to another store")
        except (CorruptionError, ObjectNotFoundError) as failure:
            self._result.damaged.append(str(failure))
            return
        place = find_index(content)
        if place is None:
            raise AssertionError("a pack that was scanned has an index")
        self._store_id = found.store_id
        self._epoch = max(self._epoch, epoch_of_pack(name) or 1)
        self._labels.update(found.labels)
        blobs, manifests, keys, plaintext = [], [], [], 0
        for blob in found.blobs():
            plaintext += len(blob.plaintext)
            try:
                digest = digest_of(blob.plaintext, b"")
                if is_manifest(blob.plaintext):
                    manifests.append(_manifest_row(blob.plaintext))
            except CorruptionError as damage:
                self._result.damaged.append(f"pack {name}: {damage}")
                continue
            identity = _identity(digest)
            # A content without a key may be a chunk of a large value in another pack.
            blobs.append((identity, digest[8:], blob.namespace, number, blob.block, blob.offset, len(blob.plaintext)))
            if not blob.names:
                self._unnamed.append(identity)
            keys += [
                (told.key, identity, told.version, told.namespace, 0, told.expires or None, None, None)
                for told in blob.names
                if self._is_newer(told)
            ]
        offset = place[0]
        pack = (number, name, len(content), offset, index_digest(content), plaintext, self._loading.now)
        self._loading.apply("packs", [pack])
        self._loading.apply("blobs", blobs)
        self._loading.apply("manifests", manifests)
        self._loading.apply("keys", keys)
        self._loading.apply("needs", [(number, dictionary) for dictionary in sorted(found.dictionaries)])
        self._loading.commit()

    def _is_newer(self, told: Name) -> bool:
        if told.version <= self._versions.get(told.key, -1):
            return False
        self._versions[told.key] = told.version
        return True

    def finish(self, *, trust_pickle: bool) -> None:
        """Make a catalog of what was taken in."""
        if not self._store_id:
            raise CorruptionError(f"no pack in {self._cold.place} can be read: {'; '.join(self._result.damaged)}")
        loading, result = self._loading, self._result
        loading.apply("namespaces", [(number, label, None) for number, label in self._labels.items() if number])
        loading.commit()
        result.missing = [decode_key(key) for key in loading.drop_lost_keys()]
        if result.missing:
            result.damaged.append(LACKING.format(len(result.missing)))
        loading.drop_unnamed()
        loading.finish(self._store_id, self._epoch, trust_pickle=trust_pickle)
        result.store_id = self._store_id.hex()
        result.keys, result.contents, result.packs = loading.counts()
        left_out = loading.count_gone(set(self._unnamed))
        if left_out:
            result.unknown.append(f"{left_out} contents in packs have no key that is known, and are left out")


def _manifest_row(plaintext: bytes) -> tuple[int, int, int, bytes]:
    """Return what a backup would have of a manifest."""
    manifest = read_manifest(plaintext)
    chunks = b"".join(struct.pack("<q", _identity(chunk.digest)) for chunk in manifest.chunks)
    return _identity(manifest.digest), manifest.size, 0, chunks


def _identity(digest: bytes) -> int:
    """Return the number of a content that the scan gives it."""
    return int.from_bytes(digest[:8], "big", signed=True)
