"""Reads settings given as text: environment variables and `KEY=VALUE` arguments.

Owns the names of environment variables and how text becomes a value. Text that does not parse stays text, so
that the ordinary check says what the setting must be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stratakv.config.schema import Leaf, Shape, shape, unknown_key
from stratakv.config.sources import Assignment, Problem, Source
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stratakv.config.setting import Section

PREFIX = "STRATAKV__"
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_NONE = frozenset({"", "none", "null", "~"})


def locate(section: type[Section], parts: Sequence[str], joint: str) -> tuple[tuple[str, ...], Shape | Leaf]:
    """Find what a dotted key names.

    Args:
        section: The outermost section class.
        parts: The key, split.
        joint: What the parts were split at; a group's member may hold it in its name.

    Returns:
        The path, and the leaf it ends at, or the shape of the section it ends at.

    Raises:
        ConfigurationError: There is no such key.
    """
    key = ".".join(parts)
    path: list[str] = []
    here = shape(section)
    remaining = list(parts)
    while remaining:
        part = remaining.pop(0)
        path.append(part)
        if part in here.leaves and not remaining:
            return tuple(path), here.leaves[part]
        if part in here.sections:
            here = shape(here.sections[part])
        elif part in here.groups:
            here = shape(here.groups[part])
            if len(remaining) < 2:
                raise ConfigurationError(f"key {key!r} is no setting; a full key is '{part}.NAME.SETTING'")
            path.append(joint.join(remaining[:-1]))
            remaining = remaining[-1:]
        elif part in here.leaves:
            raise ConfigurationError(f"key {key!r} is unknown; {'.'.join(path)!r} is a setting, not a section")
        else:
            raise ConfigurationError(unknown_key(key, part, here.names))
    return tuple(path), here


def read_environment(
    environ: Mapping[str, str], section: type[Section], members: Mapping[str, Iterable[str]]
) -> tuple[list[Assignment], list[Problem]]:
    """Read every variable whose name begins with `STRATAKV__`.

    `STRATAKV__TIERED_STORAGE__HOT_CAPACITY_MB=64` sets `tiered_storage.hot_capacity_mb`.

    Args:
        environ: The environment.
        section: The outermost section class.
        members: Known names of each group (namespaces), matched regardless of case and punctuation; a name
            that is not known makes a new member, in lower case.
    """
    assignments, problems = [], []
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        source = Source("environment", variable)
        parts = variable[len(PREFIX) :].lower().split("__")
        try:
            path, found = locate(section, parts, "__")
            if not isinstance(found, Leaf):
                raise ConfigurationError(_names_section(path, found))
        except ConfigurationError as error:
            problems.append(Problem(".".join(parts), str(error), source))
            continue
        if path[0] in members:
            alike = {_folded(name): name for name in members[path[0]]}
            path = (path[0], alike.get(_folded(path[1]), path[1]), *path[2:])
        assignments.append(Assignment(path, parse(found, environ[variable]), source))
    return assignments, problems


def read_arguments(arguments: Iterable[str], section: type[Section]) -> dict[str, object]:
    """Turn `KEY=VALUE` arguments into overrides for `load_config`.

    Raises:
        ConfigurationError: An argument has no `=`, or its key does not exist.
    """
    overrides: dict[str, object] = {}
    for argument in arguments:
        key, sign, text = argument.partition("=")
        if not sign:
            raise ConfigurationError(f"{argument!r} is not KEY=VALUE, such as tiered_storage.hot_capacity_mb=64")
        path, found = locate(section, key.strip().split("."), ".")
        if not isinstance(found, Leaf):
            raise ConfigurationError(_names_section(path, found))
        overrides[".".join(path)] = parse(found, text)
    return overrides


def parse(leaf: Leaf, text: str) -> object:
    """Turn text into a value of the setting's kind; other text stays as it is, to be refused by the check.

    Empty text means none where a setting may be none, as do `none` and `null` where text is not expected.
    Lists are separated by commas.
    """
    bare = text.strip()
    if leaf.many and ("," in bare or not leaf.single):
        return [item.strip() for item in bare.split(",") if item.strip()]
    if leaf.optional and bare.lower() in (_NONE if leaf.base is not str else {""}):
        return None
    if leaf.base is bool:
        return True if bare.lower() in _TRUE else False if bare.lower() in _FALSE else text
    if leaf.base in {int, float}:
        return _number(bare, text)
    return text


def _number(bare: str, text: str) -> object:
    for kind in (int, float):
        try:
            return kind(bare)
        except ValueError:
            continue
    return text


def _names_section(path: tuple[str, ...], found: Shape) -> str:
    return f"key {'.'.join(path)!r} is a section; name one of its settings: {', '.join(found.names)}"


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower())
