"""Verification: reads all that a store's directory holds and names what is damaged.

Owns the order of the checks and what counts as damage; rows are checked by `reference_verification`, packs by
`pack_verification`. It opens the pieces itself, one by one, so that damage in one of them does not hide damage in the
others. It never changes a value, a row or a pack, makes no directory, and needs the directory to itself. What a crash
leaves behind and the next opening clears away (orphan packs, a torn last record, a stale filter) is told apart as
leftovers: nothing that was acknowledged is in it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stratakv.backends.memory import MemoryBackend
from stratakv.backends.s3 import S3Backend
from stratakv.backends.views import DirectoryView, DiskView
from stratakv.engine.backup_verification import check_backup
from stratakv.engine.bloom import BloomFilter
from stratakv.engine.catalog import Catalog
from stratakv.engine.codecs.base import Encoded
from stratakv.engine.compression import CompressionEngine
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.entries import NAMESPACE, parse_entries, parse_namespace
from stratakv.engine.first_opening import CATALOG_FILE
from stratakv.engine.journal_format import JOURNAL_DIRECTORY
from stratakv.engine.labels import DEFAULT
from stratakv.engine.large.manifest import MANIFEST, is_manifest, read_manifest
from stratakv.engine.large_verification import values_of_chunks
from stratakv.engine.learning import FILTER_FILE
from stratakv.engine.ownership import DirectoryLock
from stratakv.engine.pack_verification import UNREADABLE, Finding, PackVerifier
from stratakv.engine.packs import pack_prefix
from stratakv.engine.records import IN_COLD, IN_WARM, TIERS, decode_key
from stratakv.engine.reference_verification import check_references
from stratakv.engine.replay import JournalReader
from stratakv.engine.shelf import digest_of
from stratakv.engine.tier_opening import open_cold, refuse_other_place
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.files import Files

if TYPE_CHECKING:
    from stratakv.backends.base import Backend
    from stratakv.config import OptimizationConfig
    from stratakv.engine.entries import Entry

log = logging.getLogger("stratakv")

KEYS_AT_ONCE = 20_000

Show = Callable[[str, int, int], None]
"""Called with (step, done, total) while the checks run."""


@dataclass(slots=True)
class Verification:
    """What was found.

    Attributes:
        checked: How much was read, by kind.
        damage: What is wrong. Empty for a sound store.
        leftovers: What a crash left behind, harmless, a sentence each.
    """

    checked: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("keys", "blobs", "packs", "dictionaries", "journal_records"), 0)
    )
    damage: list[Finding] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage


def verify_directory(config: OptimizationConfig, show: Show = lambda _step, _done, _total: None) -> Verification:
    """Check the store in `config.storage.path`.

    Raises:
        ConfigurationError: There is no store, or its cold packs lie in another cold tier than the configured one.
        StoreLockedError: Somebody has it open.
        TierUnavailableError: Its cold tier cannot be reached.
    """
    path = Path(config.storage.path or "").expanduser().absolute()
    catalog_file = path / CATALOG_FILE
    there = catalog_file.is_file() and catalog_file.stat().st_size > 0
    if config.storage.path is None or not (there or _has_content(path)):
        raise ConfigurationError(f"there is no store in {config.storage.path}: check the path")
    result = Verification()
    if not there:
        result.damage.append(
            Finding("catalog", f"{CATALOG_FILE} is missing or empty, though there are packs or a journal")
        )
        return result
    lock = DirectoryLock(path)
    lock.acquire()
    try:
        catalog = Catalog(catalog_file)
        try:
            _Run(config, path, catalog, result, show).all()
        finally:
            catalog.close()
    except CorruptionError as damage:
        result.damage.append(Finding("catalog", str(damage)))
    finally:
        lock.release()
    return result


def _has_content(path: Path) -> bool:
    return any(path.glob("journal/*.log")) or any(path.glob("warm/*")) or any(path.glob("cold/packs/*"))


class _Run:
    """One pass over a store."""

    def __init__(
        self, config: OptimizationConfig, path: Path, catalog: Catalog, result: Verification, show: Show
    ) -> None:
        self._config = config
        self._path = path
        self._catalog = catalog
        self._result = result
        self._show = show
        self._book = DictionaryBook()
        self._compression = CompressionEngine(config, dictionaries=self._book)
        self._salts: dict[int, bytes] = {DEFAULT: b""}

    def all(self) -> None:
        """Run every check; damage that stops one of them is its finding. A cold tier that is away stops all."""
        self._cold = self._open_cold()
        for what, check in (
            ("catalog", self._check_catalog),
            ("dictionary", self._check_dictionaries),
            ("references", self._check_references),
            ("pack", self._check_packs),
            ("journal", self._check_journal),
            ("catalog", self._name_keys),
        ):
            try:
                check()
            except UNREADABLE as damage:
                self._tell(Finding(what, str(damage)))
        self._check_filter()

    def _tell(self, finding: Finding) -> None:
        self._result.damage.append(finding)

    # -- the catalog -----------------------------------------------------------------------------------------

    def _check_catalog(self) -> None:
        self._show("catalog", 0, 1)
        for error in self._catalog.integrity_errors():
            self._tell(Finding("catalog", error))
        rows = self._catalog.rows("SELECT id, salt FROM namespaces")
        self._salts.update((number, salt or b"") for number, salt in rows)
        self._show("catalog", 1, 1)

    def _check_dictionaries(self) -> None:
        for number, namespace in self._catalog.rows("SELECT id, namespace FROM dictionaries"):
            self._result.checked["dictionaries"] += 1
            try:
                ((content,),) = self._catalog.rows("SELECT content FROM dictionaries WHERE id = ?", (number,))
                self._compression.know(number, namespace, content)
                if number in self._book:
                    # zstd looks into a dictionary only when it is first used.
                    self._book.encode(number, b"dictionary", 1)
            except CorruptionError as damage:
                self._tell(Finding("dictionary", f"dictionary {number}: {damage}"))

    def _check_references(self) -> None:
        self._result.checked["keys"] = check_references(self._catalog, self._tell, self._show)

    # -- packs -----------------------------------------------------------------------------------------------

    def _check_packs(self) -> None:
        backends = {IN_WARM: self._open(IN_WARM), IN_COLD: self._open(IN_COLD)}
        try:
            packs = self._catalog.packs()
            verifier = PackVerifier(
                self._catalog, backends, self._compression, self._salts, self._catalog.meta("store_id"), self._tell
            )
            total, done = sum(pack.length for pack in packs), 0
            for pack in packs:
                self._show("packs", done, total)
                self._result.checked["blobs"] += verifier.verify(pack)
                self._result.checked["packs"] += 1
                done += pack.length
            for finding in check_backup(self._catalog, backends[IN_COLD]) if backends[IN_COLD].remote else ():
                self._tell(finding)
            self._find_orphans(backends)
        finally:
            for backend in backends.values():
                backend.close()

    def _open(self, tier: int) -> Backend:
        """Return a view of a tier; an empty one where its database cannot be read."""
        tiered = self._config.tiered_storage
        if tier == IN_COLD:
            return self._cold
        if tiered.warm.backend == "directory":
            return DirectoryView(self._path / "warm")
        try:
            return DiskView(self._path / "warm")
        except UNREADABLE as damage:
            advice = "opening the store finds its packs again"
            self._tell(Finding("pack", f"{damage}; {advice}", TIERS[tier].value))
            return MemoryBackend()

    def _open_cold(self) -> Backend:
        cold = open_cold(self._config, self._path, Files(), read_only=True)
        try:
            if isinstance(cold, S3Backend):
                cold.check()
            refuse_other_place(self._catalog, cold)
        except CorruptionError as damage:
            log.info("the catalog's own check tells more: %s", damage)
        except BaseException:
            cold.close()
            raise
        return cold

    def _find_orphans(self, backends: dict[int, Backend]) -> None:
        for tier, backend in backends.items():
            far = backend.remote
            known = {row[0] for row in self._catalog.rows("SELECT name FROM packs WHERE tier = ?", (tier,))}
            known |= {row[0] for row in self._catalog.rows("SELECT name FROM doomed WHERE tier = ?", (tier,))}
            for found in list(backend.list(pack_prefix(self._catalog.meta("store_id")))):
                if found.name not in known:
                    self._result.leftovers.append(
                        f"{found.name} in the {TIERS[tier].value} tier ({found.size} bytes) belongs to nothing: "
                        f"maintain() removes it{', if this store wrote it' if far else ''}"
                    )

    # -- the journal -----------------------------------------------------------------------------------------

    def _check_journal(self) -> None:
        directory = self._path / JOURNAL_DIRECTORY
        reader = JournalReader(directory, int(self._catalog.meta("last_sequence", 0)))
        carried: dict[bytes, set[bytes]] = {}
        final: dict[bytes, Entry] = {}
        self._show("journal", 0, 1)
        for record in reader.records():
            self._result.checked["journal_records"] += 1
            if record.kind == NAMESPACE:
                number, _, salt = parse_namespace(record.body)
                self._salts[number] = salt
                continue
            for entry in parse_entries(record.kind, record.body, record.sequence):
                final[entry.key] = entry
                chunks = self._check_payload(record.sequence, record.body, entry)
                if chunks is not None:
                    carried[entry.record.digest or b""] = chunks
        named = {entry.record.digest: key for key, entry in final.items() if entry.record.digest is not None}
        below = self._catalog.find_blobs(digest for digest in named if digest not in carried)
        for digest, key in named.items():
            if digest not in carried and digest not in below:
                message = "the journal names a content that nothing holds"
                self._tell(Finding("journal", message, keys=[decode_key(key)]))
            chunks = carried.get(digest, set())
            lacking = len(chunks) - len(self._catalog.find_blobs(chunks))
            if lacking:
                message = f"the journal names a large value of which {lacking} chunks are gone"
                self._tell(Finding("journal", message, keys=[decode_key(key)]))
        for first, length in reader.lengths.items():
            torn = (directory / f"{first:016d}.log").stat().st_size - length
            if torn:
                message = f"the journal ends in {torn} bytes that were never acknowledged; the next opening cuts them"
                self._result.leftovers.append(message)
        self._show("journal", 1, 1)

    def _check_payload(self, sequence: int, body: bytes, entry: Entry) -> set[bytes] | None:
        """Return the chunks that an entry's payload names, none for a value's; None where it has no good payload."""
        if entry.payload is None:
            return None
        start, length = entry.payload
        payload = body[start : start + length]
        try:
            plaintext = self._compression.decode(Encoded(entry.codec, entry.dictionary, entry.size, payload))
            if digest_of(plaintext, self._salts.get(entry.home, b"")) != entry.record.digest:
                raise CorruptionError("it holds other bytes than its digest says")
            if is_manifest(plaintext) != (entry.kind == MANIFEST):
                raise CorruptionError(f"it holds something else than its kind, {entry.kind}, says")
            return {chunk.digest for chunk in read_manifest(plaintext).chunks} if entry.kind else set()
        except CorruptionError as damage:
            keys = [decode_key(entry.key)]
            self._tell(Finding("journal", f"record {sequence} cannot be read: {damage}", keys=keys))
            return None

    # -- what is left ----------------------------------------------------------------------------------------

    def _name_keys(self) -> None:
        """Name the keys of damaged contents: one scan, and only where there is damage."""
        of_blob: dict[int, dict[int, Finding]] = {}
        for number, finding in enumerate(self._result.damage):
            for blob in finding.blobs:
                of_blob.setdefault(blob, {})[number] = finding
        for value, chunks in values_of_chunks(self._catalog, of_blob).items() if of_blob else ():
            for chunk in chunks:
                of_blob.setdefault(value, {}).update(of_blob[chunk])
        after = b""
        while of_blob:
            rows = self._catalog.rows(
                "SELECT key, blob FROM keys WHERE key > ? ORDER BY key LIMIT ?", (after, KEYS_AT_ONCE)
            )
            for key, blob in rows:
                for finding in of_blob.get(blob, {}).values():
                    finding.keys.append(decode_key(key))
            if len(rows) < KEYS_AT_ONCE:
                return
            after = rows[-1][0]

    def _check_filter(self) -> None:
        file = self._path / FILTER_FILE
        if not file.exists():
            return
        try:
            BloomFilter.from_bytes(file.read_bytes())
        except CorruptionError as damage:
            self._result.leftovers.append(f"{FILTER_FILE}: {damage}; the next opening does so by itself")
