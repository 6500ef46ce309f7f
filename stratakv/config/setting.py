"""One setting: its default, meaning and allowed values, together in the dataclass field that declares it.

Owns the declaration (`setting`) and the `Section` base that every part of the configuration derives from.
Documentation, `stratakv config show` and validation all read the same metadata, so they cannot disagree.
Never reads a file or the environment.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

METADATA_KEY = "stratakv"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a number; None is no bound.

    Attributes:
        low: Least value allowed.
        high: Greatest value allowed.
        above: The value must be greater than this.
        below: The value must be less than this.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def allow(self, number: float) -> bool:
        """Tell whether `number` lies within the bounds. NaN never does."""
        return (
            not math.isnan(number)
            and (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def describe(self) -> str:
        """Say the bounds in words, empty where there are none."""
        if self.low is not None and self.high is not None:
            return f"from {_digits(self.low)} to {_digits(self.high)}"
        bounds = {"of at least": self.low, "above": self.above, "of at most": self.high, "below": self.below}
        return " and ".join(f"{word} {_digits(bound)}" for word, bound in bounds.items() if bound is not None)


def _digits(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


NO_LIMITS = Limits()
POSITIVE = Limits(above=0)
NOT_NEGATIVE = Limits(low=0)
FRACTION = Limits(low=0, high=1)
PERCENT = Limits(low=0, high=100)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a setting beyond its type.

    Attributes:
        meaning: One sentence for documentation and `config show`.
        limits: Bounds, where it is a number.
        choices: The allowed values, where they are few; empty otherwise.
        check: Looks at one value of the right type (of a list: each item) and says what it must be instead;
            None when it is fine. Where there are choices, it may say more of one that is not among them.
        from_level: True where None means "as the optimisation level says".
    """

    meaning: str
    limits: Limits = NO_LIMITS
    choices: tuple[str | int, ...] = ()
    check: Callable[[Any], str | None] | None = None
    from_level: bool = False


def declared(
    meaning: str,
    *,
    limits: Limits = NO_LIMITS,
    choices: tuple[str | int, ...] = (),
    check: Callable[[Any], str | None] | None = None,
    from_level: bool = False,
) -> dict[str, Setting]:
    """Return the field metadata that declares a setting; see `Setting` for the arguments."""
    return {METADATA_KEY: Setting(meaning, limits, choices, check, from_level)}


def setting(
    default: object,
    meaning: str,
    *,
    limits: Limits = NO_LIMITS,
    choices: tuple[str | int, ...] = (),
    check: Callable[[Any], str | None] | None = None,
    from_level: bool = False,
) -> Any:
    """Declare a setting with an immutable default as a dataclass field; see `Setting` for the arguments."""
    metadata = declared(meaning, limits=limits, choices=choices, check=check, from_level=from_level)
    return dataclasses.field(default=default, metadata=metadata)


class Section:
    """Base of the sections: mutable dataclasses with slots, checked by `validate`, never on assignment."""

    __slots__ = ()

    def __new__(cls, *_values: object, **settings: object) -> Self:
        """Refuse a keyword that is no setting; the rest is for `__init__`.

        Raises:
            ConfigurationError: Names the nearest setting.
        """
        # Here and not in `__init__`, whose signature stays exact for type checkers.
        from stratakv.config.schema import refuse_unknown

        refuse_unknown(cls, settings)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        """Turn plain mappings given for nested sections into those sections."""
        from stratakv.config.schema import adopt_sections

        adopt_sections(self)

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Yield (key within this section, what is wrong) for settings that do not go together.

        Called only when every single value is valid.
        """
        return iter(())

    def validate(self) -> None:
        """Check every value and their combination.

        Raises:
            ConfigurationError: One line for each problem: the key, its value and what is allowed.
        """
        from stratakv.config.checking import raise_problems, section_problems

        raise_problems(section_problems(self))

    @classmethod
    def from_mapping(cls, values: Mapping[str, object], name: str = "") -> Self:
        """Build the section from plain values; keys left out keep their defaults.

        Values are checked by `validate`.

        Args:
            values: Setting name -> value; nested mappings for nested sections.
            name: Dotted name of the section, for messages.

        Raises:
            ConfigurationError: A key is not a setting of this section.
        """
        from stratakv.config.schema import build_section

        return build_section(cls, values, name)
