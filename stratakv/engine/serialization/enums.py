"""Enum members, by an allow-list of classes that are already imported.

Owns the list and the members' bodies. Never imports a module: bytes must not be able to start code.
Invariant: a member is read back only as a member of the very class that the list names.
"""

from __future__ import annotations

import re
import sys
from enum import Enum, Flag
from typing import TYPE_CHECKING

from ormsgpack import packb, unpackb

from stratakv.engine.serialization.numbers import read_int, write_int
from stratakv.engine.serialization.refusal import RefusedError
from stratakv.errors import ConfigurationError, CorruptionError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NAME = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")


class EnumList:
    """The Enum classes that may be stored and read.

    Args:
        entries: Classes, or names such as "package.module:Color"; a name is looked up when it is first
            needed.

    Raises:
        ConfigurationError: An entry is neither, or two different classes have the same name.
    """

    def __init__(self, entries: Iterable[str | type[Enum]] = ()) -> None:
        self._classes: dict[str, type[Enum] | None] = {}
        self._names: dict[type, str] = {}
        for entry in [entries] if isinstance(entries, str) else entries:
            self._add(entry)

    def _add(self, entry: object) -> None:
        if isinstance(entry, str):
            if not _NAME.fullmatch(entry):
                raise ConfigurationError(f'serialization.enums: {entry!r} should read like "package.module:Color"')
            self._classes.setdefault(entry, None)
        elif isinstance(entry, type) and issubclass(entry, Enum):
            name = qualified(entry)
            if self._classes.get(name) not in {None, entry}:
                raise ConfigurationError(f"serialization.enums: two different classes are called {name}")
            self._classes[name] = entry
            self._names[entry] = name
        else:
            raise ConfigurationError(f"serialization.enums: {entry!r} is neither an Enum class nor a name of one")

    def write(self, member: Enum) -> bytes:
        """Return the body of a member.

        Raises:
            RefusedError: Its class is not on the list.
        """
        kind = type(member)
        name = self._names.get(kind)
        if name is None:
            name = qualified(kind)
            if name not in self._classes:
                raise RefusedError(f'Enum classes must be listed; add "{name}" to serialization.enums')
            try:
                found = self._find(name)
            except SerializationError as error:
                raise RefusedError(str(error)) from error
            if found is not kind:
                raise RefusedError(f"serialization.enums has another class called {name}; give the class itself")
            self._names[kind] = name
        return packb([name, write_int(member._value_) if isinstance(member, Flag) else member._name_])

    def read(self, body: bytes) -> Enum:
        """Return the member of `write`.

        Raises:
            SerializationError: The class is not on the list, not imported, or lacks the member.
        """
        name, which = unpackb(body)
        if type(name) is not str or type(which) not in {str, bytes}:
            raise CorruptionError("enum member is not a class name and a member")
        kind = self._find(name)
        try:
            return kind(read_int(which)) if isinstance(which, bytes) else kind[which]
        except (KeyError, ValueError) as error:
            raise SerializationError(f"enum class {name} has no member {which!r}: has the class changed?") from error

    def _find(self, name: str) -> type[Enum]:
        if name not in self._classes:
            raise SerializationError(f'the value holds a member of {name}; add "{name}" to serialization.enums')
        known = self._classes[name]
        if known is not None:
            return known
        module, _, path = name.partition(":")
        found: object = sys.modules.get(module)
        if found is None:
            raise SerializationError(f"the value holds a member of {name}; import {module} before reading it")
        for part in path.split("."):
            found = getattr(found, part, None)
        if not isinstance(found, type) or not issubclass(found, Enum):
            raise SerializationError(f"serialization.enums: {name} is not an Enum class")
        self._classes[name] = found
        return found


def qualified(kind: type) -> str:
    """Return a class's name as the list spells it."""
    return f"{kind.__module__}:{kind.__qualname__}"
