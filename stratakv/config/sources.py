"""Where a value came from, and a value on its way into the configuration. Plain records, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SourceKind = Literal["default", "preset", "given", "file", "environment", "override"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value came from.

    Attributes:
        kind: Which layer.
        detail: The level of a preset, `FILE:LINE`, or the environment variable's name; empty otherwise.
    """

    kind: SourceKind
    detail: str = ""

    def __str__(self) -> str:
        if self.kind == "file":
            return self.detail
        if self.kind == "given":
            return "configuration object"
        return f"{self.kind} {self.detail}".rstrip()


DEFAULT = Source("default")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value for one setting, on its way into the configuration.

    Attributes:
        path: Names from the outermost section to the setting, or to a group's member.
        value: What to assign.
        source: Where it stands.
    """

    path: tuple[str, ...]
    value: object
    source: Source

    @property
    def key(self) -> str:
        """The dotted key."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with one key.

    Attributes:
        key: The dotted key; empty where the problem is the whole file.
        message: What is wrong, key included, without its place.
        source: Where the value stands, as far as it is known.
    """

    key: str
    message: str
    source: Source = DEFAULT

    def __str__(self) -> str:
        if self.source.kind in {"file", "environment", "override"}:
            return f"{self.source}: {self.message}"
        return self.message
