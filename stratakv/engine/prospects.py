"""Prospects: what will become of a key, when at the earliest, and why.

Pure: takes what `standing.py` gathered and changes nothing. Says the rules of `checkpoint.py` and `collection.py`, and
gathers those of `journeys.py`. `tests/engine/test_prospects.py` holds all of them to what the background does: at the
moment named here a round moves the key, one second before it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.engine.journeys import Journeys
from stratakv.engine.moments import moment, span
from stratakv.engine.outlook import Outlook, Prospect, second_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.engine.parts import Parts
    from stratakv.engine.standing import Standing


def prospects_of(parts: Parts, standing: Standing, paused: str | None) -> list[Prospect]:
    """Return what lies ahead of a key, as far as the rules decide it.

    Args:
        parts: The store's pieces.
        standing: What is known of the key.
        paused: Why removal by time is suspended, or None.
    """
    lifetime = _Lifetime(parts, standing, paused)
    if not standing.exists:
        return list(lifetime.forgotten())
    journeys = Journeys(parts, standing, paused)
    return [*lifetime.checkpoint(), *journeys.all(), *lifetime.expire(), *lifetime.prune()]


class _Lifetime(Outlook):
    """Into the catalog, and out of the store."""

    def checkpoint(self) -> Iterator[Prospect]:
        """Yield when what stands only in the journal goes into packs and catalog."""
        if self._standing.record is None:
            return
        at = None
        if self._parts.read_only:
            when = "soon after somebody opens the store for writing"
        elif self._parts.clock.manual:
            when = self._round
        else:
            since = self._parts.dirty.current.since
            age = self._parts.config.storage.checkpoint_interval_seconds
            at = None if since is None else self._wall(since + age)
            when = f"{span(age)} after the oldest such write at the latest (storage.checkpoint_interval_seconds)"
        yield Prospect("checkpoint", at, f"its last write is in the journal; a checkpoint takes it into packs {when}")

    def expire(self) -> Iterator[Prospect]:
        """Yield when a ttl ends."""
        expires = self._standing.state.expires
        if not expires:
            return
        grace = span(self._parts.config.storage.grace_seconds)
        others = self._standing.references - 1
        content = "its content stays, other keys name it" if others > 0 else f"its content goes {grace} later"
        because = f"its ttl ends: a miss from then on; the key is removed {self._round}, {content}{self._paused}"
        yield Prospect("expire", expires / 1000, because)

    def prune(self) -> Iterator[Prospect]:
        """Yield when age removes a key of a prunable namespace."""
        parts, standing = self._parts, self._standing
        if not parts.labels.is_prunable(standing.state.namespace):
            return
        name = parts.labels.name(standing.state.namespace)
        if standing.written is None:
            because = f"namespace {name!r} was not prunable when it was stored: age removes it only once stored again"
            yield Prospect("prune", None, because)
            return
        days = parts.config.effective_prune_days(name)
        at = second_after((standing.written + int(days * 86_400_000)) / 1000)
        because = (
            f"namespace {name!r} is prunable: it is removed {days:g} days after its last write "
            f"({moment(standing.written / 1000)}), that is at {moment(at)} at the earliest, {self._round}{self._paused}"
        )
        yield Prospect("prune", at, because)

    def forgotten(self) -> Iterator[Prospect]:
        """Yield when what is left of a key without a value goes."""
        state = self._standing.state
        if state.tombstone:
            because = "it was deleted; the tombstone goes when the wrapped engine has confirmed its own deletion"
            yield Prospect("forget", None, because)
        elif state.digest is None:
            yield Prospect("forget", None, f"it was deleted; the next checkpoint removes the key, {self._round}")
        else:
            because = f"its ttl ended: a miss everywhere; the key is removed {self._round}{self._paused}"
            yield Prospect("forget", self._standing.now, because)
