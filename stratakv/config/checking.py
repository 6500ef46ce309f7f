"""Checks values against their declaration: type, limits, choices, then contradictions between settings.

Owns the wording of what is wrong. Collects every problem instead of stopping at the first; changes nothing.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from stratakv.config.schema import Leaf, nearest, shape
from stratakv.config.sources import Problem
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.config.setting import Section

NAME_RULE = "letters, digits, '.', '_' and '-', 64 at most"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_LONGEST_SHOWN = 80


def section_problems(section: Section, prefix: str = "") -> list[Problem]:
    """Return every problem of a section and of the sections within.

    Args:
        section: What to check.
        prefix: Dotted name of the section with a dot at the end; empty for the whole configuration.
    """
    known = shape(type(section))
    problems = []
    for name, leaf in known.leaves.items():
        wrong = value_problem(leaf, getattr(section, name))
        if wrong is not None:
            problems.append(Problem(f"{prefix}{name}", f"key {prefix + name!r} {wrong}"))
    for name, nested in known.sections.items():
        problems += _member_problems(getattr(section, name), nested, f"{prefix}{name}")
    for name, nested in known.groups.items():
        problems += _group_problems(getattr(section, name), nested, f"{prefix}{name}")
    if not problems:
        problems = [
            Problem(f"{prefix}{name}", f"key {prefix + name!r} {wrong}") for name, wrong in section.contradictions()
        ]
    return problems


def _member_problems(member: object, kind: type[Section], key: str) -> list[Problem]:
    if not isinstance(member, kind):
        return [Problem(key, f"key {key!r} must be a {kind.__name__}, not {describe(member)}")]
    return section_problems(member, f"{key}.")


def _group_problems(group: object, kind: type[Section], key: str) -> list[Problem]:
    if not isinstance(group, dict):
        return [Problem(key, f"key {key!r} must be a mapping of names to {kind.__name__}, not {describe(group)}")]
    problems = []
    for name, member in group.items():
        if is_name(name):
            problems += _member_problems(member, kind, f"{key}.{name}")
        else:
            problems.append(Problem(key, f"key {key!r} holds the name {_shown(name)}; allowed: {NAME_RULE}"))
    return problems


def is_name(name: object) -> bool:
    """Tell whether a name of the user's choice (of a namespace) is fit for keys, labels and statistics."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def value_problem(leaf: Leaf, value: object) -> str | None:
    """Say what is wrong with a value ("must be ..., not ..."), or None where it is fine."""
    if value is None and leaf.optional:
        return None
    if leaf.many and isinstance(value, list):
        for position, item in enumerate(value):
            wrong = _item_problem(leaf, item)
            if wrong is not None:
                return f"{wrong} (item {position + 1} of the list)"
        return None
    if not leaf.single:
        return f"must be a list, not {describe(value)}"
    return _item_problem(leaf, value)


def _item_problem(leaf: Leaf, value: object) -> str | None:
    declared = leaf.setting
    wanted = allowed(leaf)
    if not _is_of(leaf.base, value):
        return f"must be {wanted}, not {describe(value)}{_number_advice(leaf, value)}"
    if declared.choices and value not in declared.choices:
        advice = None if declared.check is None else declared.check(value)
        if advice is not None:
            return f"must be {advice}"
        guess = nearest(value, map(str, declared.choices)) if isinstance(value, str) else None
        return f"must be {wanted}, not {describe(value)}" + (f"; did you mean {guess!r}?" if guess else "")
    if isinstance(value, (int, float)) and not (_is_finite(value) and declared.limits.allow(value)):
        return f"must be {wanted}, not {_shown(value)}"
    advice = None if declared.check is None else declared.check(value)
    if advice is None:
        return None
    # An address may hold a password, so it is not repeated.
    return f"must be {advice}" if leaf.name == "endpoint_url" else f"must be {advice}, not {describe(value)}"


def _is_of(base: type, value: object) -> bool:
    if base is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if base is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, base)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an int that no float can hold
        return False


def allowed(leaf: Leaf) -> str:
    """Say in words what one value of the setting may be."""
    if leaf.setting.choices:
        return "one of " + ", ".join(repr(choice) for choice in leaf.setting.choices)
    kind = _KINDS.get(leaf.base, "text or a class")
    bounds = leaf.setting.limits.describe()
    return f"{kind} {bounds}" if bounds else kind


def _number_advice(leaf: Leaf, value: object) -> str:
    """YAML 1.1 reads 1e3 as text; say how to write it."""
    if leaf.base not in {int, float} or not isinstance(value, str):
        return ""
    try:
        number = float(value)
    except ValueError:
        return ""
    if not math.isfinite(number) or abs(number) >= 1e15:
        return ""
    return f"; write {number:.0f} without quotes" if number.is_integer() else f"; write {number!r} without quotes"


def describe(value: object) -> str:
    """Name a value in a message: shortened, and with its type where that may surprise."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {_shown(value)}"
    if isinstance(value, (int, float)):
        return _shown(value)
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"a {type(value).__name__}"


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of more than 70 digits"
    text = repr(value[:_LONGEST_SHOWN]) if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN + 2 else text[:_LONGEST_SHOWN] + "..."


def raise_problems(problems: Iterable[Problem]) -> None:
    """Raise all problems as one error, one line each.

    Raises:
        ConfigurationError: There is a problem.
    """
    lines = [str(problem) for problem in problems]
    if lines:
        raise ConfigurationError("\n".join(lines))
