"""Terms: what a store is asked for beside its value, checked before anything is done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.records import TIER_NUMBERS
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from stratakv.engine.labels import Label
    from stratakv.engine.parts import Parts
    from stratakv.types import StorageTier

LONGEST_TTL_SECONDS = 1e12
"""Thirty thousand years: what is asked beyond it is as good as for ever and would not fit its field."""


class Asked(NamedTuple):
    """What a store is asked for.

    Attributes:
        label: The key's namespace.
        tier: The number of the tier wanted.
        pin: Whether the key is to be pinned there.
        expires: Wall time in milliseconds at which the value is gone, 0 for never.
        written: Wall time in milliseconds.
        extra: As in `KeyRecord`.
    """

    label: Label
    tier: int
    pin: bool
    expires: int
    written: int
    extra: bytes | None


class Terms:
    """Checks the terms of one store's callers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def of(
        self, key: str, tier: StorageTier, ttl: float | None, namespace: str | None, extra: bytes | None, *, pin: bool
    ) -> Asked:
        """Return what is asked for with a key that is good.

        Raises:
            ConfigurationError: It cannot be had.
        """
        label = self._parts.labels.of(key, namespace)
        expires, written = self._times(label, ttl)
        number = TIER_NUMBERS.get(tier)
        if number is None:
            raise ConfigurationError(f"tier is a StorageTier (HOT, WARM or COLD), not {tier!r}")
        return Asked(label, number, pin, expires, written, extra)

    def _times(self, label: Label, ttl: float | None) -> tuple[int, int]:
        now = self._parts.wall_ms()
        seconds = label.ttl if ttl is None else ttl
        if seconds is None:
            return 0, now
        if type(seconds) not in (int, float) or not seconds > 0 or seconds == math.inf:
            raise ConfigurationError(f"ttl is a number of seconds above 0, or None for ever; not {seconds!r}")
        return now + max(1, int(min(seconds, LONGEST_TTL_SECONDS) * 1000)), now
