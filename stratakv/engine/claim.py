"""The claim: the right to write to a remote tier, taken at opening and checked before anything is deleted.

Two machines may hold the same store, a restored copy beside the old one, and no lock reaches both. So each opening
writes a manifest with the next epoch, conditionally; who finds a higher one than its own has lost the tier and writes
no more. Reads go on, packs do not change, for as long as the new owner keeps them: `erase_within` at the least.

Where the server's conditional write is not atomic, two that open at the very same moment may both believe they won
until their next check; the claim reads back what it wrote, which leaves a window of one request.
"""

from __future__ import annotations

import logging
import secrets
from shlex import quote
from typing import TYPE_CHECKING

from stratakv.backends.base import ObjectNotFoundError
from stratakv.engine.atomicity import is_create_atomic
from stratakv.engine.backup_format import PREFIX as PARTS
from stratakv.engine.backup_format import epoch_and_number
from stratakv.engine.manifest import PREFIX, Manifest, epoch_of_manifest, epoch_of_pack, manifest_name
from stratakv.engine.records import IN_COLD
from stratakv.errors import ConfigurationError, CorruptionError, StoreLockedError, TierUnavailableError

if TYPE_CHECKING:
    from stratakv.backends.base import Backend
    from stratakv.engine.catalog import Catalog

log = logging.getLogger("stratakv")

OWN_CLAIMS = 16
"""So many of its latest claims a directory remembers, with those whose answer was lost."""

KEPT = 2
"""Manifests of the past that stay, for people."""


class Claim:
    """One opening's claim on a remote tier.

    Args:
        backend: The tier.
        catalog: Remembers what was granted.
        store_id: 16 bytes that name the store.
        erase_within: Seconds after which packs of another directory that are dead here may be deleted.

    Attributes:
        held: The manifest that this opening wrote; None until the tier could be reached.
        lost: Why the claim is lost for good, or None.
        atomic: Whether the server's conditional write lets one of many win; None while unknown.
    """

    def __init__(self, backend: Backend, catalog: Catalog, store_id: bytes, erase_within: float) -> None:
        self._backend = backend
        self._erase_within = erase_within
        self._catalog = catalog
        self._store_id = store_id.hex()
        self.held: Manifest | None = None
        self.lost: str | None = None
        self.atomic: bool | None = None

    # -- taking it -------------------------------------------------------------------------------------------

    def take(self, now: int, *, take_over: bool = False) -> int:
        """Become the owner; return the epoch.

        Args:
            now: Wall time in seconds.
            take_over: Also where another store owns the tier.

        Raises:
            ConfigurationError: Another store owns it.
            StoreLockedError: Somebody else became the owner at the same moment.
            TierUnavailableError: It cannot be reached.
        """
        newest, top = self._newest()
        damaged = top > (newest.epoch if newest is not None else 0)
        if damaged and not take_over:
            self._refuse_unreadable(top)
        if newest is not None and newest.store_id != self._store_id and not take_over:
            self._refuse_anothers(newest)
        if not take_over and not damaged:
            self._refuse_foreign_place()
        self.atomic = self._is_atomic(now)
        local = int(self._catalog.meta("epoch", 1))
        epoch = max(local, top + 1)
        wrote_from, since = int(self._catalog.meta("wrote_from", 1)), int(self._catalog.meta("wrote_since", 0))
        if self._others_wrote(newest) or (take_over and damaged):
            wrote_from, since = epoch, now
            self._warn_of_missing_packs()
        # What others wrote they may still name: for as long as anything deleted may stay it is left alone.
        granted_from = wrote_from if now - since < self._erase_within else 1
        mine = Manifest(self._store_id, epoch, granted_from, wrote_from, secrets.token_hex(8), now)
        content = mine.to_bytes()
        with self._catalog.write(now) as transaction:  # before it lands, since its answer may be lost
            transaction.set_meta("claims", " ".join([*self._own_claims(), mine.nonce][-OWN_CLAIMS:]))
        if not self._backend.create(mine.name, content) or self._backend.get(mine.name) != content:
            raise StoreLockedError(
                f"somebody else became the owner of {self._backend.place} at this moment (epoch {epoch}): make sure "
                "that only one process uses it, and open the store again"
            )
        with self._catalog.write(now) as transaction:
            transaction.set_meta("epoch", epoch)
            transaction.set_meta("claimed", self._backend.place)
            transaction.set_meta("wrote_from", wrote_from)
            transaction.set_meta("wrote_since", since)
            transaction.set_meta("home", self._home())
        self.held = mine
        self._forget_past(epoch)
        return epoch

    def _others_wrote(self, newest: Manifest | None) -> bool:
        """Tell whether packs of the past may be another directory's: this one was restored, copied, or not the last."""
        if self._catalog.meta("wrote_from") == 0:
            return True
        if newest is not None and newest.nonce not in self._own_claims():
            return True
        # A copy of a directory that is open elsewhere knows the claim that the original still works under.
        return bool(self._catalog.meta("home", self._home()) != self._home()) or self._was_put_back()

    def _was_put_back(self) -> bool:
        """Tell whether the directory is an older state of itself: the tier has parts that its catalog never began."""
        own, last = int(self._catalog.meta("wrote_from", 1)), int(self._catalog.meta("backup_number", 0))
        places = (epoch_and_number(info.name) for info in self._backend.list(PARTS))
        return any(place is not None and place[0] >= own and place[1] > last for place in places)

    def _warn_of_missing_packs(self) -> None:
        named = {row[0] for row in self._catalog.rows("SELECT name FROM packs WHERE tier = ?", (IN_COLD,))}
        missing = named - {info.name for info in self._backend.list("packs/")} if named else set()
        if missing:
            log.error(
                "%s lacks %d of the %d packs that this directory knows: another owner has removed them; what lies in "
                "them cannot be read, and `stratakv restore` builds a directory that knows the present ones",
                self._backend.place, len(missing), len(named),
            )  # fmt: skip

    def _refuse_anothers(self, newest: Manifest) -> None:
        """Raise, with what is to be done: a new directory is most often a lost machine's successor."""
        place, directory, other = self._backend.place, self._catalog.path.parent, newest.store_id[:16]
        owned = f"{place} belongs to another store ({other}, opened as epoch {newest.epoch})"
        if not self._is_new():
            raise ConfigurationError(
                f"{owned}: give this store a bucket or prefix of its own; `stratakv restore` brings the other one back "
                "in a new directory; if it is gone for good, open this store once with --take-over "
                "(tiered_storage.cold.take_over: true), and it owns the tier"
            )
        source = quote(place.partition(" at ")[0] if "://" in place else place)
        raise ConfigurationError(
            f"{owned}, and {directory} is new: to have that store here, run `stratakv restore --from {source} --dir "
            f"{quote(str(directory))}` (with the same --config) before it is opened; for a store of its own name "
            "another bucket or prefix. To open with --take-over (tiered_storage.cold.take_over: true) would begin "
            "an empty store that owns the tier: what the other one left stays, but only `stratakv restore --store-id "
            f"{other}` into another directory brings it back"
        )

    def _is_new(self) -> bool:
        """Tell whether the directory's store was made by this very opening, so that nothing is in it."""
        return int(self._catalog.meta("epoch", 1)) == 1

    def _refuse_unreadable(self, top: int) -> None:
        """Raise where the newest manifest is damaged and need not have been this store's own."""
        if top < int(self._catalog.meta("epoch", 1)) and self._catalog.meta("claimed") == self._backend.place:
            log.error("%s in %s is damaged; this store wrote it and goes on", manifest_name(top), self._backend.place)
            return
        raise CorruptionError(
            f"{manifest_name(top)} in {self._backend.place} is damaged, so nobody knows who owns the tier: if no other "
            "machine uses it, open the store once with tiered_storage.cold.take_over: true (--take-over)"
            + ("; to have a lost machine's store here, run `stratakv restore` first" if self._is_new() else "")
        )

    def _own_claims(self) -> list[str]:
        return str(self._catalog.meta("claims", "")).split()

    def _home(self) -> str:
        """Return what tells the directory from its copies."""
        found = self._catalog.path.parent.stat()
        return f"{found.st_dev}:{found.st_ino}"

    def _refuse_foreign_place(self) -> None:
        """Raise where the catalog has packs in a tier that was claimed, and this one was never this store's."""
        if has_cold_packs(self._catalog) and self._catalog.meta("claimed") is not None:
            if has_manifest(self._backend, bytes.fromhex(self._store_id)):
                return
            raise ConfigurationError(
                f"{self._backend.place} has no manifest of this store, whose cold packs lie in "
                f"{self._catalog.meta('claimed')}: a wrong bucket or prefix, or a directory that is not mounted? If "
                "the packs are lost for good, open it once with tiered_storage.cold.take_over: true"
            )

    def _newest(self) -> tuple[Manifest | None, int]:
        """Return the manifest of the highest epoch that can be read, and the highest epoch.

        Looks beyond the listing, which may lag.
        """
        listed = sorted(
            epoch for info in self._backend.list(PREFIX) if (epoch := epoch_of_manifest(info.name)) is not None
        )
        newest, top = None, 0
        for epoch in listed[-KEPT - 1 :] or [1]:
            newest, top = self._read(epoch, newest, top)
        while top:
            newest, beyond = self._read(top + 1, newest, top)
            if beyond == top:
                break
            top = beyond
        if listed and not top:
            raise TierUnavailableError(f"{self._backend.place} lists manifests, but lacks them: try again")
        return newest, top

    def _read(self, epoch: int, newest: Manifest | None, top: int) -> tuple[Manifest | None, int]:
        """Return the manifest and the epoch, or what was known before where there is none or it is damaged."""
        name = manifest_name(epoch)
        try:
            return Manifest.from_bytes(self._backend.get(name), name), epoch
        except ObjectNotFoundError:
            return newest, top
        except CorruptionError as damage:
            log.warning("%s", damage)
            return newest, epoch

    def _forget_past(self, epoch: int) -> None:
        past = sorted(info.name for info in self._backend.list(PREFIX) if info.name < manifest_name(epoch))
        self._backend.delete_many(past[:-KEPT])

    # -- holding it ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Return if this opening is still the owner.

        Raises:
            StoreLockedError: Another opening has taken the tier; nothing more may be written or deleted there.
            TierUnavailableError: It cannot be asked, or was not reached yet.
        """
        if self.lost is not None:
            raise StoreLockedError(self.lost)
        if self.held is None:
            raise TierUnavailableError(f"{self._backend.place} was not reached yet")
        epochs = [epoch_of_manifest(info.name) for info in self._backend.list(PREFIX)]
        newest = max((number for number in epochs if number is not None), default=0)
        if newest <= self.held.epoch and self._is_there(self.held.epoch + 1):
            newest = self.held.epoch + 1  # the listing lags
        try:
            present = Manifest.from_bytes(self._backend.get(self.held.name), self.held.name)
        except ObjectNotFoundError:
            raise TierUnavailableError(f"{self._backend.place} lacks manifest {self.held.name}: try again") from None
        except CorruptionError as damage:
            log.warning("the manifest is written anew: %s", damage)
            self._backend.put(self.held.name, self.held.to_bytes())
            present = self.held
        if newest > self.held.epoch or present != self.held:
            self.lost = (
                f"{self._backend.place} was taken by another owner (epoch {newest}, this one has {self.held.epoch}): "
                "this store only reads from now on, since what it writes would reach neither the tier nor a backup; "
                "close it; whichever directory is opened next owns the tier"
            )
            log.error(self.lost)
            raise StoreLockedError(self.lost)

    def _is_there(self, epoch: int) -> bool:
        try:
            self._backend.size(manifest_name(epoch))
        except ObjectNotFoundError:
            return False
        return True

    def grants(self, pack: str) -> bool:
        """Tell whether a dead pack is this owner's to delete."""
        epoch = epoch_of_pack(pack)
        return self.held is not None and epoch is not None and self.held.granted_from <= epoch <= self.held.epoch

    def wrote(self, pack: str) -> bool:
        """Tell whether a pack that the catalog does not know was written from this owner's directory."""
        epoch = epoch_of_pack(pack)
        return epoch is not None and self.wrote_epoch(epoch)

    def wrote_epoch(self, epoch: int) -> bool:
        """Tell whether an epoch is one of the openings of this owner's directory."""
        return self.held is not None and self.held.wrote_from <= epoch <= self.held.epoch

    # -- what the server is worth ----------------------------------------------------------------------------

    def _is_atomic(self, now: int) -> bool:
        """Find out whether of many that create an object at the same moment one wins; asked once of each place."""
        known = self._catalog.meta("atomic_create")
        place = self._backend.place
        if isinstance(known, str) and known[1:] == place:
            atomic = known[0] == "1"
        else:
            atomic = is_create_atomic(self._backend)
            with self._catalog.write(now) as transaction:
                transaction.set_meta("atomic_create", f"{int(atomic)}{place}")
        if not atomic:
            log.warning(
                "%s lets several writers create the same object: two that open this store at the same moment may both "
                "believe to own it until their next check; open it from one place only",
                place,
            )
        return atomic


def has_cold_packs(catalog: Catalog) -> bool:
    """Tell whether the catalog names packs in the cold tier."""
    return bool(catalog.rows("SELECT 1 FROM packs WHERE tier = ? LIMIT 1", (IN_COLD,)))


def has_manifest(backend: Backend, store_id: bytes) -> bool:
    """Tell whether a store was ever the owner of a tier, or of what the tier is a copy of."""
    for info in list(backend.list(PREFIX)):
        try:
            if Manifest.from_bytes(backend.get(info.name), info.name).store_id == store_id.hex():
                return True
        except (ObjectNotFoundError, CorruptionError) as failure:
            log.info("%s tells nobody's ownership: %s", info.name, failure)
    return False


def present_owner(backend: Backend) -> Manifest | None:
    """Return the manifest of a tier's present owner; None where there is none that can be read."""
    names = [info.name for info in backend.list(PREFIX) if epoch_of_manifest(info.name) is not None]
    try:
        return Manifest.from_bytes(backend.get(max(names)), max(names)) if names else None
    except (ObjectNotFoundError, CorruptionError) as failure:
        log.info("%s tells no owner: %s", max(names), failure)
        return None
