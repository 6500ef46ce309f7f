"""Journeys: where a content will be carried next, when at the earliest, and what keeps it where it is.

Says the rules of `movement.py`, `reading.py` and `hot.py` of one key, and changes nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from stratakv.engine.moments import moment
from stratakv.engine.movement import Movement
from stratakv.engine.outlook import Outlook, Prospect, second_after
from stratakv.engine.records import ANYWHERE, IN_COLD, IN_HOT, IN_WARM, TIERS
from stratakv.engine.usage import Usage
from stratakv.engine.watch import content_hash
from stratakv.engine.worker import no_pause

if TYPE_CHECKING:
    from collections.abc import Iterator


class Journeys(Outlook):
    """Between RAM, warm and cold."""

    def all(self) -> Iterator[Prospect]:
        """Yield every journey that lies ahead or is kept from happening."""
        for step in (self.move, self.enter_ram, self.leave_ram, self.promote, self.demote):
            yield from step()

    # -- where somebody asked --------------------------------------------------------------------------------

    def _cold_bar(self) -> str:
        """Say which pin keeps the content out of cold; empty where none does."""
        pins = self._standing.pins
        hottest = min(pins.values(), default=IN_COLD)
        if hottest == IN_COLD:
            return ""
        key = next(key for key, pin in pins.items() if pin == hottest)
        own = pins.get(self._standing.key) == hottest
        whose = "the key" if own else f"{key!r}, which shares the content,"
        return f"{whose} is pinned to {TIERS[hottest].value}"

    def _asked(self) -> int:
        """Return the tier that the content will be carried to, whatever its idle time; ANYWHERE for none."""
        standing = self._standing
        asked = standing.asked
        if asked == ANYWHERE and self._lying and self._tier == IN_COLD and IN_WARM in standing.pins.values():
            # The hottest pin counts: one to hot is served from RAM, and cold is as good below it.
            return IN_WARM if min(standing.pins.values()) == IN_WARM else ANYWHERE
        return asked

    def move(self) -> Iterator[Prospect]:
        """Yield what becomes of a tier that was asked for."""
        asked = self._asked()
        if asked == ANYWHERE:
            return
        name = TIERS[asked].value
        said = f"{name} was asked for" if self._standing.asked else "its content is pinned to warm and lies in cold"
        if not self._lying:
            if asked == IN_COLD and not self._standing.asked_elsewhere:
                way = "the checkpoint puts it there at once"
                if self._parts.backends[IN_COLD].remote:
                    way = f"the checkpoint puts it into warm, and it moves there {self._round}"
                yield Prospect("move", None, f"{said}: {way}")
            elif asked == IN_COLD:
                yield Prospect("move", None, f"{said}, but another new key that shares the content did not: warm it is")
        elif self._off:
            yield Prospect("move", None, f"{said}, but nothing moves: {self._off}")
        elif self._stuck:
            yield Prospect("move", None, f"{said}, but {self._stuck}")
        elif asked == IN_COLD and self._cold_bar():
            yield Prospect("move", None, f"{said}, but {self._cold_bar()}: the wish is dropped {self._round}")
        else:
            at = None if self._standing.record is not None else self._standing.now
            yield Prospect("move", at, f"{said}: it moves there {self._round}, however recently it was used")

    # -- RAM -------------------------------------------------------------------------------------------------

    def enter_ram(self) -> Iterator[Prospect]:
        """Yield what takes a value into RAM."""
        standing = self._standing
        if standing.entry is not None:
            return
        pin, needed = standing.state.pin, self._parts.admission.accesses.to_hot
        uses = self._uses()
        more = max(1, needed - uses)
        if pin in (IN_WARM, IN_COLD):
            because = f"no read takes it into RAM: the key is pinned to {TIERS[pin].value}"
        elif pin == IN_HOT:
            because = "the next read takes it into RAM, where it is pinned"
        elif standing.record is not None:
            because = "the next read takes it into RAM, as long as its last write is in the journal"
        else:
            because = (
                f"{_reads(more, 'takes', 'take')} it into RAM: it was used {_times(uses)} lately, {needed} are wanted "
                "(tiered_storage.promote_to_hot_accesses, as tuned)"
            )
        yield Prospect("enter_ram", None, because)

    def leave_ram(self) -> Iterator[Prospect]:
        """Yield when a value leaves RAM."""
        entry = self._standing.entry
        if entry is None:
            return
        policy = self._tiered.eviction_policy
        if entry.pinned:
            yield Prospect("leave_ram", None, "it stays in RAM while the store is open: the key is pinned to hot")
        elif self._off:
            because = f"no idle time takes it out of RAM: {self._off}; where RAM is full, {policy} may"
            yield Prospect("leave_ram", None, because)
        else:
            idle, told = self._idle(IN_HOT, entry.namespace, entry.bytes_as(self._standing.key), entry.uses)
            # The first whole second at which it has been idle for longer than it may.
            at = second_after(self._wall(entry.used) + idle)
            because = (
                f"in RAM, last used {self._ago(self._wall(entry.used))}; it leaves when idle for more than "
                f"{told}, that is at {moment(at)} at the "
                f"earliest, {self._round}; sooner where RAM is full and {policy} chooses it"
            )
            yield Prospect("leave_ram", at, because)

    def _uses(self) -> int:
        """Return how often the content was used lately, as far as that brings it up."""
        standing = self._standing
        known = 0 if standing.state.digest is None else self._parts.admission.uses(content_hash(standing.state.digest))
        return max(standing.accesses, known)

    # -- up and down -----------------------------------------------------------------------------------------

    def promote(self) -> Iterator[Prospect]:
        """Yield what brings a content from cold to warm."""
        standing = self._standing
        if not self._lying or self._tier != IN_COLD or self._asked() == IN_WARM:
            return
        needed = self._parts.admission.accesses.to_warm
        uses = self._uses()
        more = max(1, needed - uses)
        if self._off or self._stuck:
            yield Prospect("promote", None, f"it stays in cold: {self._off or self._stuck}")
        elif standing.state.digest in self._parts.wanted_warm:
            yield Prospect("promote", standing.now, f"in cold and used {_times(uses)} lately: warm {self._round}")
        elif standing.state.pin != ANYWHERE:
            pinned = TIERS[standing.state.pin].value
            yield Prospect("promote", None, f"reads leave it in cold: the key is pinned to {pinned}")
        else:
            because = (
                f"in cold; {_reads(more, 'brings', 'bring')} it to warm {self._round}: it was used {_times(uses)} "
                f"lately, {needed} are wanted (tiered_storage.promote_to_warm_accesses, as tuned)"
            )
            yield Prospect("promote", None, because)

    def demote(self) -> Iterator[Prospect]:
        """Yield when a content moves from warm to cold."""
        standing = self._standing
        pack = standing.pack
        waits = standing.asked == IN_COLD and not (self._cold_bar() or self._off or self._stuck)
        if (self._lying and (pack is None or pack.tier != IN_WARM)) or waits:
            return
        bar = self._off or self._cold_bar() or (self._stuck if self._lying else "")
        if bar:
            yield Prospect("demote", None, f"it does not move to cold: {bar}")
            return
        blob = standing.blob
        size = blob.place.size * pack.length // max(1, pack.plaintext) if blob is not None and pack is not None else 0
        namespace = blob.namespace if blob is not None else standing.state.namespace
        seconds, told = self._idle(IN_WARM, namespace, size, standing.accesses)
        idle = f"idle for {told}"
        if pack is None or blob is None or not self._lying:
            yield Prospect("demote", None, f"it moves to cold when {idle}, counted from its checkpoint")
            return
        last = pack.created if standing.last_access is None else standing.last_access
        at: float = math.ceil(max(pack.due, pack.created + seconds, last + seconds))
        # A use in RAM keeps the content warm; leaving RAM for being idle does not undo it.
        held = max((float(math.ceil(int(self._wall(use.used)) + seconds)) for use in standing.uses), default=0.0)
        squeezed = self._squeezed()
        if not squeezed and at <= standing.now and self._parts.admission.is_used(content_hash(blob.digest), seconds):
            because = (
                f"it stays in warm though it has been {idle}: it was used {_times(self._uses())} lately, so its next "
                "read would bring it back at once; that count fades with time"
            )
            yield Prospect("demote", None, because)
            return
        if squeezed:
            yield Prospect("demote", min(at, standing.now), squeezed)
            return
        used = f", last read there {self._ago(last)}" if standing.last_access is not None else ""
        because = f"in warm since {self._ago(pack.created)}{used}; it moves to cold when {idle}"
        if held > at:
            at = held
            because += ", and what is in use in RAM stays"
        elif at == pack.due:
            because += ", and its pack is not looked at before"
        because += f", that is at {moment(at)} at the earliest, {self._round}"
        if self._tiered.warm_capacity_mb is not None:
            because += "; sooner where warm grows beyond tiered_storage.warm_capacity_mb"
        yield Prospect("demote", at, because)

    def _squeezed(self) -> str:
        """Say so where warm is over its capacity and this pack is among those that give way, idle or not."""
        pack = self._standing.pack
        if pack is None:
            return ""
        packs = [
            row for row in self._parts.catalog.packs("tier = ?", (IN_WARM,)) if row.id not in self._parts.sick_packs
        ]
        excess = Movement(self._parts).excess()
        last = max([pack.created, self._standing.last_access or 0, *(self._wall(e.used) for e in self._standing.uses)])
        if excess <= 0 or last > Usage(self._parts).coldest(packs, excess, no_pause):
            return ""
        return (
            f"warm is {excess:,} bytes over its capacity (tiered_storage.warm_capacity_mb): its coldest contents move "
            f"to cold {self._round}, idle or not, and this one is among them"
        )


def _reads(count: int, one: str, many: str) -> str:
    return f"the next read {one}" if count == 1 else f"{count} more reads {many}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
