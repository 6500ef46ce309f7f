"""Owns what `--capacity` means: objects, bytes, or a share of what a trace has in all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from stratakv.policies.simulation.trace import Trace

LARGEST = 1 << 50

_UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(%|B|KB|MB|GB|TB)?", re.ASCII | re.IGNORECASE)
_EXAMPLES = "say a number (1000), a share (10%), or with --bytes a size (64MB), several with commas"


@dataclass(frozen=True)
class Capacity:
    """One capacity as it was asked for.

    Attributes:
        text: What the user wrote.
        amount: Objects or bytes; for a share, its hundredths.
        is_share: Whether it depends on the trace.
    """

    text: str
    amount: Fraction
    is_share: bool

    def of(self, trace: Trace, *, by_bytes: bool) -> int:
        """Return the capacity for one trace, in objects or bytes; of a share the whole ones.

        Raises:
            ConfigurationError: The share is less than one, or the trace has no sizes.
        """
        if not self.is_share:
            return int(self.amount)
        whole = trace.object_bytes if by_bytes else trace.objects
        capacity = int(whole * self.amount / 100)
        if not capacity:
            unit = "bytes" if by_bytes else "objects"
            raise ConfigurationError(f"{self.text} of the {whole:,} {unit} of trace {trace.name} is less than one")
        return capacity


def parse_capacities(text: str, *, by_bytes: bool) -> list[Capacity]:
    """Read a list with commas; what is there twice counts once.

    Raises:
        ConfigurationError: An item is no capacity, is zero or too large, or a size stands where objects are counted.
    """
    return list(dict.fromkeys(_capacity(item.strip(), by_bytes=by_bytes) for item in text.split(",")))


def _capacity(text: str, *, by_bytes: bool) -> Capacity:
    form = _FORM.fullmatch(text)
    if form is None:
        raise ConfigurationError(f"{text!r} is no capacity: {_EXAMPLES}")
    amount, unit = Fraction(form[1]), (form[2] or "").upper()
    if unit == "%":
        if not 0 < amount <= 100:
            raise ConfigurationError(f"{text!r} is no share: it must be more than 0% and at most 100%")
        return Capacity(text, amount, is_share=True)
    if unit and not by_bytes:
        raise ConfigurationError(f"{text!r} is a number of bytes: add --bytes, or say how many objects fit")
    if not unit and amount.denominator != 1:
        raise ConfigurationError(f"{text!r} is no capacity: {_EXAMPLES}")
    amount *= _UNITS.get(unit, 1)
    if not 1 <= amount <= LARGEST:
        raise ConfigurationError(f"{text!r} is no capacity: it must be at least 1 and at most {LARGEST}")
    return Capacity(text, amount, is_share=False)
