"""Labels: namespaces as numbers, with the rules that the write path asks for on every store.

Owns which number a namespace has. A number is introduced by a journal record before the first entry that uses it, and
entered into the catalog by the next checkpoint. A change of `dedup_scope` gives a namespace a new number, so that what
was digested before stays verifiable.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from stratakv.errors import ConfigurationError
from stratakv.types import CompressionStrategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.config import NamespaceConfig, Namespaces

DEFAULT = 0
DEFAULT_NAME = "default"
MAX_NAME_BYTES = 255


class Label(NamedTuple):
    """What the write path needs to know of a namespace.

    Attributes:
        number: Its number.
        name: Its name.
        salt: Put before plaintexts when digested; empty where contents are shared with the whole store.
        ttl: Seconds a value lives after its store unless the call says otherwise, None for ever.
        prunable: Whether age alone may remove its values.
        lossy: Whether its values may lose precision.
        rule: All its rules.
    """

    number: int
    name: str
    salt: bytes
    ttl: float | None
    prunable: bool
    lossy: bool
    rule: NamespaceConfig


class Labels:
    """All namespaces of a store.

    Args:
        namespaces: The configured rules.
        known: (number, name, salt) from the catalog and the journal.
        introduce: Journals a new (number, name, salt).
        lossy: Whether values may lose precision where their namespace says nothing.
    """

    def __init__(
        self,
        namespaces: Namespaces,
        known: list[tuple[int, str, bytes]],
        introduce: Callable[[int, str, bytes], None],
        *,
        lossy: bool = False,
    ) -> None:
        self._namespaces = namespaces
        self.introduce = introduce
        self._lock = threading.Lock()
        self._by_name: dict[str, Label] = {}
        self._salts: dict[int, bytes] = {DEFAULT: b""}
        self._names: dict[int, str] = {DEFAULT: DEFAULT_NAME}
        self.unrecorded: list[tuple[int, str, bytes]] = []
        self._lossy = lossy
        self._default = self._label(DEFAULT, DEFAULT_NAME, b"")
        for number, name, salt in known:
            self._enter(number, name, salt)

    def _enter(self, number: int, name: str, salt: bytes) -> None:
        self._salts[number] = salt
        self._names[number] = name
        if salt == self._wanted_salt(name):
            self._by_name[name] = self._label(number, name, salt)

    def _label(self, number: int, name: str, salt: bytes) -> Label:
        rule = self._namespaces.rule(name)
        return Label(
            number, name, salt, rule.ttl, rule.prunable, self._lossy if rule.lossy is None else rule.lossy, rule
        )

    def strategy(self, number: int) -> CompressionStrategy | None:
        """Return the strategy configured for a namespace; None for the default."""
        named = self._namespaces.rule(self._names[number]).strategy
        return None if named is None else CompressionStrategy(named)

    def may_lose(self, number: int) -> bool:
        """Tell whether a namespace's values may lose precision."""
        lossy = self._namespaces.rule(self._names[number]).lossy
        return self._lossy if lossy is None else lossy

    def _wanted_salt(self, name: str) -> bytes:
        if self._namespaces.rule(name).dedup_scope == "namespace":
            return b"namespace\0" + name.encode() + b"\0"
        return b""

    def of(self, key: str, name: str | None) -> Label:
        """Return the label of a key, from the call's namespace or from the configured patterns."""
        if name is None:
            name = self._namespaces.match(key)
            if name is None:
                return self._default
        label = self._by_name.get(name) if type(name) is str else None
        return label if label is not None else self._new(name)

    def _new(self, name: str) -> Label:
        if (
            type(name) is not str
            or not 0 < len(name.encode(errors="replace")) <= MAX_NAME_BYTES
            or _has_surrogate(name)
        ):
            raise ConfigurationError(f"a namespace is a str of 1 to {MAX_NAME_BYTES} bytes of UTF-8, not {name!r:.60}")
        if name == DEFAULT_NAME and name not in self._namespaces:
            return self._default
        with self._lock:
            label = self._by_name.get(name)
            if label is None:
                number = max(self._salts) + 1
                salt = self._wanted_salt(name)
                self.introduce(number, name, salt)
                self._enter(number, name, salt)
                self.unrecorded.append((number, name, salt))
                label = self._by_name[name]
            return label

    def replayed(self, number: int, name: str, salt: bytes) -> None:
        """Take in an introduction found in the journal."""
        self._enter(number, name, salt)
        self.unrecorded.append((number, name, salt))

    def salt(self, number: int) -> bytes:
        """Return the salt of a number."""
        return self._salts[number]

    def name(self, number: int) -> str:
        """Return the name of a number."""
        return self._names[number]

    def numbers(self, name: str) -> list[int]:
        """Return all numbers that a name has had."""
        return [number for number, known in self._names.copy().items() if known == name]

    def all_numbers(self) -> list[int]:
        """Return every number in use."""
        return list(self._names)

    def is_prunable(self, number: int) -> bool:
        """Tell whether age may remove the namespace's values."""
        return self._namespaces.rule(self._names[number]).prunable

    @property
    def prunable_names(self) -> list[str]:
        """Names of the namespaces whose values age may remove."""
        return [name for name in self._namespaces if self._namespaces.rule(name).prunable]


def _has_surrogate(name: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in name)
