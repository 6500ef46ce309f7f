"""The outlook on one key: what a prospect is, and the questions that all rules ask.

Changes nothing. Whoever says a rule of a key (`journeys.py`, `prospects.py`) inherits from `Outlook`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratakv.engine.moments import moment, span
from stratakv.engine.placement import SETTINGS
from stratakv.engine.records import ANYWHERE

if TYPE_CHECKING:
    from stratakv.engine.parts import Parts
    from stratakv.engine.standing import Standing


@dataclass(frozen=True, slots=True)
class Prospect:
    """One thing that will happen, or that keeps from happening.

    Attributes:
        what: `checkpoint`, `move`, `enter_ram`, `leave_ram`, `promote`, `demote`, `expire`, `prune` or `forget`.
        at: The earliest moment, in wall seconds; None where no moment can be named, or it will not happen.
        because: Why, as a sentence.
    """

    what: str
    at: float | None
    because: str


class Outlook:
    """What the rules ask about one key; those who say them of it inherit from this.

    Args:
        parts: The store's pieces.
        standing: What is known of the key.
        paused: Why removal by time is suspended, or None.
    """

    def __init__(self, parts: Parts, standing: Standing, paused: str | None) -> None:
        self._parts = parts
        self._standing = standing
        self._paused = f"; removal by time is paused: {paused}" if paused else ""
        tiered = parts.config.tiered_storage
        self._tiered = tiered
        self._off = ""
        if not parts.config.enable_tiered_storage:
            self._off = "tiered storage is off (enable_tiered_storage: false)"
        elif not tiered.enabled:
            self._off = "tiered storage is off (tiered_storage.enabled: false)"
        every = span(parts.config.effective_migration_interval)
        self._round = "in the next maintain()" if parts.clock.manual else f"in the next round (every {every})"
        self._tier = standing.blob.tier if standing.blob is not None else ANYWHERE
        self._lying = standing.journaled is None and standing.blob is not None
        """Whether the content has its place, which the next checkpoint leaves as it is."""
        self._stuck = self._why_stuck()

    def _why_stuck(self) -> str:
        pack = self._standing.pack
        if self._standing.damaged:
            return "it is damaged and stays where it is until it is stored again"
        if pack is not None and pack.id in self._parts.sick_packs:
            return f"background work met trouble in pack {pack.name} and leaves it alone until the store is opened anew"
        return ""

    def _idle(self, tier: int, namespace: int, size: int, uses: int) -> tuple[float, str]:
        """Return how long a content may lie idle in a tier, and the words for it that say where this comes from."""
        placement = self._parts.placement
        seconds = placement.seconds(tier, namespace, size, uses)
        source = SETTINGS[tier]
        if placement.is_tuned(tier, namespace):
            source = f"tuned for its namespace, size and uses; {source} is where it began"
        return seconds, f"{span(seconds)} ({source})"

    def _wall(self, monotonic: float) -> float:
        return monotonic + self._parts.clock.now() - self._parts.clock.monotonic()

    def _ago(self, at: float) -> str:
        return f"{moment(at)}, {span(max(0.0, self._standing.now - at))} ago"


def second_after(at: float) -> float:
    """Return the first whole second after a moment."""
    # Rounded, because wall time in seconds leaves a float less than a microsecond, and sums of it stray.
    return float(math.floor(round(at, 6)) + 1)
