"""Terms: what a store is asked for beside its value, checked before anything is done."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.records import IN_HOT, TIER_NUMBERS
from stratakv.errors import ConfigurationError
from stratakv.types import CompressionStrategy, StorageTier

if TYPE_CHECKING:
    from stratakv.engine.labels import Label
    from stratakv.engine.parts import Parts

LONGEST_TTL_SECONDS = 1e12
"""Thirty thousand years: what is asked beyond it is as good as for ever and would not fit its field."""


class PutOptions(NamedTuple):
    """Arguments of a store beside key and value; see `OptimizationMiddleware.store`."""

    tier: StorageTier = StorageTier.HOT
    pin: bool = False
    ttl: float | None = None
    namespace: str | None = None
    extra: bytes | None = None
    strategy: CompressionStrategy | None = None


DEFAULTS = PutOptions()
"""What most stores ask for; as it is one object, they are known by it."""


class Asked(NamedTuple):
    """What a store is asked for, checked.

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
        self._label_of = parts.labels.of
        self._now = parts.clock.now

    def of(self, key: str, options: PutOptions) -> Asked:
        """Return what is asked for with a key that is good.

        Raises:
            ConfigurationError: It cannot be had.
        """
        tier, pin, ttl, namespace, extra, _ = options
        label = self._label_of(key, namespace)
        written = int(self._now() * 1000)
        if options is DEFAULTS and label.ttl is None:
            return Asked(label, IN_HOT, False, 0, written, None)
        expires = _expiry(label.ttl if ttl is None else ttl, written)
        number = TIER_NUMBERS.get(tier)
        if number is None:
            raise ConfigurationError(f"tier is a StorageTier (HOT, WARM or COLD), not {tier!r}")
        return Asked(label, number, pin, expires, written, extra)


def check_ttl(seconds: float | None) -> None:
    """Check a time to live that goes elsewhere than to a store of ours.

    Raises:
        ConfigurationError: As the store would.
    """
    _expiry(seconds, 0)


def _expiry(seconds: float | None, now: int) -> int:
    if seconds is None:
        return 0
    if type(seconds) not in (int, float) or not seconds > 0 or seconds == math.inf:
        raise ConfigurationError(f"ttl is a number of seconds above 0, or None for ever; not {seconds!r}")
    return now + max(1, int(min(seconds, LONGEST_TTL_SECONDS) * 1000))
