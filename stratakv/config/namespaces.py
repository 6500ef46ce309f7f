"""`Namespaces`: which policy label a key carries, and the label's rules.

Decides by one compiled regular expression for all patterns, because it is asked on every store. Pure and
immutable after construction, so it is safe under threads.
"""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

from stratakv.config.policy_sections import NamespaceConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_GLOB = re.compile(r"[*?\[]")


class Namespaces:
    """Namespaces in their order; the first one with a matching pattern takes a key.

    Patterns are globs over the whole key, case-sensitive: `*` any text, `?` one character, `[ab]` a or b.

    Args:
        rules: Name -> rule, valid (see `OptimizationConfig.validate`). They are not copied.

    Attributes:
        match: `match(key) -> name or None`, a plain function: one regex match, or a constant.
    """

    __slots__ = ("_default", "_rules", "match")

    match: Callable[[str], str | None]

    def __init__(self, rules: Mapping[str, NamespaceConfig]) -> None:
        self._rules = dict(rules)
        self._default = NamespaceConfig()
        self.match = _matcher(self._rules)

    def rule(self, name: str | None) -> NamespaceConfig:
        """Return the rules of a namespace; the defaults for None or a name not configured (any more)."""
        return self._default if name is None else self._rules.get(name, self._default)

    def __contains__(self, name: object) -> bool:
        return name in self._rules

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)


def _no_namespace(_key: str) -> None:
    return None


def _matcher(rules: Mapping[str, NamespaceConfig]) -> Callable[[str], str | None]:
    names: list[str] = [""]  # groups of a regular expression count from 1
    alternatives = []
    for name, rule in rules.items():
        for pattern in [rule.match] if isinstance(rule.match, str) else rule.match:
            names.append(name)
            alternatives.append(f"({_translate(pattern)})")
    if not alternatives:
        return _no_namespace
    find = re.compile("|".join(alternatives)).match
    by_group = tuple(names)

    def match(key: str) -> str | None:
        found = find(key)
        return None if found is None else by_group[found.lastindex or 0]

    return match


def _translate(pattern: str) -> str:
    """Turn a glob into a regular expression without groups of its own."""
    literal = pattern[:-1]
    if pattern.endswith("*") and not _GLOB.search(literal):
        return re.escape(literal)  # "session:*" needs no scan of the rest of the key
    return fnmatch.translate(pattern)
