"""The shape of the configuration, read off the section classes: which keys exist and of which kind they are.

Owns the walk over dataclass fields and the search for the nearest name. Pure; derived once per class.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from stratakv.config.setting import METADATA_KEY, Section, Setting
from stratakv.errors import ConfigurationError

S = TypeVar("S", bound=Section)
_SECRET_WORDS = ("secret", "password", "access_key", "token", "credential")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting that holds a value.

    Attributes:
        name: Its name within the section.
        base: `bool`, `int`, `float` or `str` of one value; `object` where strings and classes may stand.
        optional: Whether None is allowed.
        single: Whether one plain value is allowed.
        many: Whether a list of values is allowed.
        setting: Meaning, limits and choices.
    """

    name: str
    base: type
    optional: bool
    single: bool
    many: bool
    setting: Setting


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand in a section, by name, in order of declaration.

    Attributes:
        leaves: Settings that hold a value.
        sections: Nested sections.
        groups: Mappings from names of the user's choice to sections: `namespaces`.
    """

    leaves: dict[str, Leaf]
    sections: dict[str, type[Section]]
    groups: dict[str, type[Section]]

    @property
    def names(self) -> list[str]:
        """Every name that may stand in the section."""
        return [*self.leaves, *self.sections, *self.groups]


_SHAPES: dict[type, Shape] = {}


def shape(section: type[Section]) -> Shape:
    """Return the shape of a section class."""
    known = _SHAPES.get(section)
    if known is None:
        known = _SHAPES[section] = _derive(section)
    return known


def _derive(section: type[Section]) -> Shape:
    hints = typing.get_type_hints(section)
    derived = Shape({}, {}, {})
    for field in dataclasses.fields(typing.cast("Any", section)):
        hint = hints[field.name]
        nested = _section_of(hint)
        if nested is not None:
            derived.sections[field.name] = nested
        elif typing.get_origin(hint) is dict:
            derived.groups[field.name] = typing.get_args(hint)[1]
        else:
            derived.leaves[field.name] = _leaf(field.name, hint, field.metadata[METADATA_KEY])
    return derived


def _section_of(hint: object) -> type[Section] | None:
    return hint if isinstance(hint, type) and issubclass(hint, Section) else None


def _leaf(name: str, hint: object, declared: Setting) -> Leaf:
    unions = {typing.Union, types.UnionType}
    options = set(typing.get_args(hint)) if typing.get_origin(hint) in unions else {hint}
    optional = types.NoneType in options
    options.discard(types.NoneType)
    lists = {option for option in options if typing.get_origin(option) is list}
    singles = options - lists
    base = next(iter(singles)) if singles else typing.get_args(next(iter(lists)))[0]
    if typing.get_origin(base) is Literal:
        declared = dataclasses.replace(declared, choices=typing.get_args(base))
        base = str
    return Leaf(name, base if isinstance(base, type) else object, optional, bool(singles), bool(lists), declared)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like `word`, or None where none is alike."""
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word[:100].casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def unknown_key(key: str, last: str, known: Iterable[str]) -> str:
    """Say that `key` does not exist, and which name was probably meant.

    Args:
        key: The whole dotted key.
        last: Its part that is not known.
        known: The names that would be.
    """
    known = list(known)
    if any(word in last.casefold() for word in _SECRET_WORDS):
        return f"key {key!r} is unknown; credentials are not configured here, boto3 finds them in its own places"
    guess = nearest(last, known)
    advice = f"did you mean {guess!r}?" if guess else f"known here: {', '.join(known)}"
    return f"key {key!r} is unknown; {advice}"


def refuse_unknown(section: type[Section], given: Iterable[str], prefix: str = "") -> None:
    """Raise `ConfigurationError` for the first name that is no setting of the section."""
    known = shape(section).names
    for name in given:
        if name not in known:
            raise ConfigurationError(unknown_key(f"{prefix}{name}", str(name), known))


def build_section(section: type[S], values: Mapping[str, object], name: str) -> S:
    """Build a section from plain values; see `Section.from_mapping`."""
    prefix = f"{name}." if name else ""
    refuse_unknown(section, values, prefix)
    nested = shape(section).sections
    arguments: dict[str, object] = {}
    for key, value in values.items():
        if key in nested and isinstance(value, Mapping):
            arguments[key] = build_section(nested[key], value, f"{prefix}{key}")
        else:
            arguments[key] = value
    return section(**arguments)


def adopt_sections(section: Section) -> None:
    """Replace plain mappings in the place of nested sections and groups by those sections."""
    for name, nested in shape(type(section)).sections.items():
        value = getattr(section, name)
        if isinstance(value, Mapping):
            setattr(section, name, build_section(nested, value, name))
    for name, nested in shape(type(section)).groups.items():
        members = getattr(section, name)
        if isinstance(members, Mapping):
            adopted = {
                label: build_section(nested, value, f"{name}.{label}") if isinstance(value, Mapping) else value
                for label, value in members.items()
            }
            setattr(section, name, adopted)
