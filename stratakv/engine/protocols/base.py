"""`Engine`: what the modes ask of a wrapped engine, whatever its protocol.

Holds no values, takes no locks and maps no exceptions: an engine's own pass through unchanged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MISSING: Any = type("Missing", (), {"__repr__": lambda _self: "<missing>"})()
"""Stands for no value where None is one."""

MANY = 1024
"""So many copies may wait where an engine discards them with one request or transaction."""


class EngineValue(NamedTuple):
    """What an engine holds of a key.

    Attributes:
        value: The value, MISSING for none.
        ttl: Seconds until it expires, None for never.
        extra: What its verbs carry beside the value, packed; opaque to the store.
    """

    value: object
    ttl: float | None
    extra: bytes | None


class StoreOptions(NamedTuple):
    """What an engine's keywords of a store mean to us.

    Attributes:
        value: The value to store.
        ttl: Seconds, None for ever; 0 or less means that it is gone at once.
        extra: To be kept beside the value.
    """

    value: object
    ttl: float | None
    extra: bytes | None


class Engine(ABC):
    """A wrapped engine by its protocol.

    Args:
        engine: The raw object.

    Attributes:
        raw: The raw object.
        in_memory: Its values are gone with the process, so absorbing them without a directory loses nothing.
        lists: It can list its keys.
        keeps_ttl: Its values can have a time to live.
        verbs: Names of its verbs that are ours while it is wrapped.
        ttl_keywords: Keywords of its storing verb that say how long a value lives.
        third: The one of them that its storing verb takes in third place, if it does.
        discards_at_once: So many copies may wait until they are discarded together.
    """

    in_memory = False
    lists = False
    keeps_ttl = False
    verbs: frozenset[str] = frozenset()
    ttl_keywords: tuple[str, ...] = ()
    third: str | None = None
    discards_at_once = 32  # one after the other, so that nobody waits long for all

    def __init__(self, engine: Any, /) -> None:
        self.raw = engine

    @abstractmethod
    def read(self, key: str) -> EngineValue:
        """Read a key."""

    def value(self, key: str) -> object:
        """Return a key's value alone, MISSING for none."""
        return self.read(key).value

    @abstractmethod
    def write(self, key: str, value: object, ttl: float | None = None, extra: bytes | None = None) -> None:
        """Write a key."""

    @abstractmethod
    def delete(self, key: str) -> bool:
        """Delete a key; return whether it was there, as far as the engine says."""

    def time_left(self, key: str) -> float | None:  # noqa: ARG002 - the interface's
        """Return the seconds until a key expires where reading it does not tell; None for never, or where unknown."""
        return None

    def discard(self, key: str) -> None:
        """Make sure that it has no copy of a key; none is not an error."""
        self.delete(key)

    def discard_many(self, keys: Collection[str]) -> None:
        """Make sure that it has no copy of any of these keys."""
        for key in keys:
            self.discard(key)

    def contains(self, key: str) -> bool:
        """Tell whether the engine has a key."""
        return self.value(key) is not MISSING

    def listed(self) -> Iterator[str]:
        """Yield its keys; only the str ones are ours.

        Raises:
            TypeError: It cannot list them.
        """
        raise TypeError(f"{type(self.raw).__name__} cannot list its keys: use memory.store/retrieve/delete only")

    def length(self) -> int:
        """Count its keys."""
        return sum(1 for _ in self.listed())

    def store_options(self, value: object, keywords: dict[str, Any]) -> StoreOptions:
        """Translate the keywords of its storing verb.

        Raises:
            ConfigurationError: A time to live that the engine itself would refuse.
            TypeError: A keyword that is not known here.
        """
        if keywords:
            raise TypeError(f"{type(self.raw).__name__}: keyword {next(iter(keywords))!r} is not understood here")
        return StoreOptions(value, None, None)

    def reading(
        self,
        found: EngineValue,
        default: object,
        keywords: dict[str, Any],
        expires: float | None,  # noqa: ARG002 - the interface's
    ) -> object:
        """Return what its reading verb would, given what is held; `expires` is wall time in seconds."""
        if keywords:
            raise TypeError(f"{type(self.raw).__name__}: keyword {next(iter(keywords))!r} is not understood here")
        return default if found.value is MISSING else found.value
