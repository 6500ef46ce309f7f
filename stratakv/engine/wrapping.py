"""Wrapping: recognises an engine's protocol and speaks it.

Owns the translation between an engine's verbs and ours, one class a protocol. It holds no values, takes no locks and
maps no exceptions: an engine's own pass through unchanged.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import math
from abc import ABC, abstractmethod
from collections import UserDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import ormsgpack

from stratakv.errors import ConfigurationError, StrataError

MISSING: Any = type("Missing", (), {"__repr__": lambda _self: "<missing>"})()
"""Stands for no value where None is one."""


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
    """

    in_memory = False
    lists = False
    keeps_ttl = False
    verbs: frozenset[str] = frozenset()

    def __init__(self, engine: Any, /) -> None:
        self.raw = engine

    @abstractmethod
    def read(self, key: str) -> EngineValue:
        """Read a key."""

    @abstractmethod
    def write(self, key: str, value: object, ttl: float | None = None, extra: bytes | None = None) -> None:
        """Write a key."""

    @abstractmethod
    def delete(self, key: str) -> bool:
        """Delete a key; return whether it was there, as far as the engine says."""

    def time_left(self, key: str) -> float | None:
        """Return the seconds until a key expires where reading it does not tell; None for never, or where unknown."""
        return None

    def discard(self, key: str) -> None:
        """Make sure that it has no copy of a key."""
        self.delete(key)

    def contains(self, key: str) -> bool:
        """Tell whether the engine has a key."""
        return self.read(key).value is not MISSING

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
        """Translate the keywords of its storing verb."""
        if keywords:
            raise TypeError(f"{type(self.raw).__name__}: keyword {next(iter(keywords))!r} is not understood here")
        return StoreOptions(value, None, None)

    def reading(self, found: EngineValue, default: object, keywords: dict[str, Any], expires: float | None) -> object:
        """Return what its reading verb would, given what is held; `expires` is wall time in seconds."""
        if keywords:
            raise TypeError(f"{type(self.raw).__name__}: keyword {next(iter(keywords))!r} is not understood here")
        return default if found.value is MISSING else found.value


class VerbEngine(Engine):
    """store/retrieve/delete or get/set/delete."""

    _TTL_SECONDS = ("ttl", "expire", "ex", "timeout")

    def __init__(self, engine: Any, read: str, write: str, /) -> None:
        super().__init__(engine)
        self._read = getattr(engine, read)
        self._write = getattr(engine, write)
        self._delete = engine.delete
        self.verbs = frozenset({read, write, "delete"})
        self._takes_default = _takes_default(self._read)
        self._ttl_keyword = next((name for name in self._TTL_SECONDS if _takes(self._write, name)), None)
        self._takes_px = _takes(self._write, "px")  # Redis: milliseconds, while its `ex` refuses parts of a second
        self.keeps_ttl = self._ttl_keyword is not None or self._takes_px
        self._milliseconds_left = getattr(engine, "pttl", None)
        self.lists = callable(getattr(engine, "keys", None)) and not _takes(engine.keys, "pattern")

    def read(self, key: str) -> EngineValue:
        # A protocol whose reading verb knows no default says None for a miss: there None cannot be told from one.
        value = self._read(key, MISSING) if self._takes_default else self._read(key)
        return EngineValue(MISSING if value is None and not self._takes_default else value, None, None)

    def write(self, key: str, value: object, ttl: float | None = None, extra: bytes | None = None) -> None:
        if ttl is None:
            answer = self._write(key, value)
        elif self._takes_px:
            answer = self._write(key, value, px=max(1, math.ceil(ttl * 1000)))
        elif self._ttl_keyword is not None:
            answer = self._write(key, value, **{self._ttl_keyword: ttl})
        else:
            raise ConfigurationError(
                f"{type(self.raw).__name__} takes no time to live: store without ttl, or wrap an engine that does"
            )
        if answer is False:
            raise StrataError(f"{type(self.raw).__name__} did not store {key!r}: it answered False")

    def time_left(self, key: str) -> float | None:
        left = self._milliseconds_left(key) if callable(self._milliseconds_left) else -1
        return max(left, 1) / 1000 if type(left) is int and left >= 0 else None  # -1: for ever, -2: gone

    def delete(self, key: str) -> bool:
        done = self._delete(key)
        return True if done is None else bool(done)

    def discard(self, key: str) -> None:
        # Some engines say by KeyError that there was none: nothing to discard.
        with contextlib.suppress(KeyError):
            self._delete(key)

    def contains(self, key: str) -> bool:
        if hasattr(type(self.raw), "__contains__"):
            return key in self.raw
        try:
            return super().contains(key)
        except KeyError:  # its way to say that there is none
            return False

    def listed(self) -> Iterator[str]:
        if not self.lists:
            return super().listed()
        return (key for key in list(self.raw.keys()) if type(key) is str)

    def store_options(self, value: object, keywords: dict[str, Any]) -> StoreOptions:
        ttl = None
        for name in self._TTL_SECONDS:
            if name in keywords and _takes(self._write, name):
                ttl = keywords.pop(name)
        if "px" in keywords and self._takes_px:
            ttl = keywords.pop("px") / 1000
        super().store_options(value, keywords)
        return StoreOptions(value, ttl, None)


class MappingEngine(Engine):
    """The mapping protocol."""

    lists = True

    def __init__(self, engine: Any, /) -> None:
        super().__init__(engine)
        self.in_memory = isinstance(engine, dict | UserDict)

    def read(self, key: str) -> EngineValue:
        # `in` first, so that a defaultdict's factory and a KeyError raised inside the engine are left alone.
        if key not in self.raw:
            return EngineValue(MISSING, None, None)
        return EngineValue(self.raw[key], None, None)

    def write(self, key: str, value: object, ttl: float | None = None, extra: bytes | None = None) -> None:
        if ttl is not None:
            raise ConfigurationError("a mapping has no time to live: store without ttl in write_through mode")
        self.raw[key] = value

    def delete(self, key: str) -> bool:
        if key not in self.raw:
            return False
        del self.raw[key]
        return True

    def contains(self, key: str) -> bool:
        return key in self.raw

    def listed(self) -> Iterator[str]:
        return (key for key in list(self.raw) if type(key) is str)

    def length(self) -> int:
        return len(self.raw)


class DiskcacheEngine(Engine):
    """`diskcache.Cache` and `FanoutCache`, with their keywords."""

    lists = True
    keeps_ttl = True
    verbs = frozenset({"get", "set", "delete", "add", "pop"})

    def read(self, key: str) -> EngineValue:
        value, expires, tag = self.raw.get(key, MISSING, expire_time=True, tag=True)
        if value is MISSING:
            return EngineValue(MISSING, None, None)
        ttl = None if expires is None else max(0.001, expires - self._now())
        return EngineValue(value, ttl, _pack_tag(tag))

    def _now(self) -> float:
        # diskcache itself counts in wall time, whatever clock the store was given.
        from stratakv.clock import SystemClock

        return SystemClock().now()

    def write(self, key: str, value: object, ttl: float | None = None, extra: bytes | None = None) -> None:
        if not self.raw.set(key, value, expire=ttl, tag=_unpack_tag(extra)):
            raise TimeoutError(f"diskcache did not store {key!r}")

    def delete(self, key: str) -> bool:
        return bool(self.raw.delete(key))

    def contains(self, key: str) -> bool:
        return key in self.raw

    def listed(self) -> Iterator[str]:
        return (key for key in list(self.raw) if type(key) is str)

    def length(self) -> int:
        return len(self.raw)

    def store_options(self, value: object, keywords: dict[str, Any]) -> StoreOptions:
        expire, tag = keywords.pop("expire", None), keywords.pop("tag", None)
        if keywords.pop("read", False):
            value = value.read()  # type: ignore[attr-defined]  # diskcache's contract: a file opened for reading
        keywords.pop("retry", None)  # how long to wait for its lock; there is none to wait for here
        super().store_options(value, keywords)
        return StoreOptions(value, expire, _pack_tag(tag))

    def reading(self, found: EngineValue, default: object, keywords: dict[str, Any], expires: float | None) -> object:
        value = default if found.value is MISSING else found.value
        if keywords.pop("read", False) and type(value) is bytes:
            value = io.BytesIO(value)
        keywords.pop("retry", None)
        with_expiry, with_tag = keywords.pop("expire_time", False), keywords.pop("tag", False)
        super().reading(found, default, keywords, expires)
        if not with_expiry and not with_tag:
            return value
        held = found.value is not MISSING
        parts = [value]
        if with_expiry:
            parts.append(expires if held else None)
        if with_tag:
            parts.append(_unpack_tag(found.extra) if held else None)
        return tuple(parts)


def recognise(engine: object) -> Engine:
    """Return the engine by its protocol.

    Raises:
        ConfigurationError: It follows none of the known ones.
    """
    kind = type(engine)
    if any(base.__module__.partition(".")[0] == "diskcache" for base in kind.__mro__) and hasattr(engine, "set"):
        return DiskcacheEngine(engine)
    for read, write in (("retrieve", "store"), ("get", "set")):
        if all(callable(getattr(engine, name, None)) for name in (read, write, "delete")):
            return VerbEngine(engine, read, write)
    verbs = ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__")
    # A list has all of these, but its keys are places.
    mapped = not isinstance(engine, Sequence) and all(hasattr(kind, name) for name in verbs)
    if isinstance(engine, Mapping) or mapped:
        if not hasattr(kind, "__setitem__"):
            raise ConfigurationError(f"{kind.__name__} is a read-only mapping: wrap one that can be written")
        return MappingEngine(engine)
    raise ConfigurationError(
        f"{kind.__name__} cannot be wrapped: it has neither store/retrieve/delete nor get/set/delete nor the mapping "
        f"protocol"
    )


def _takes(function: Any, name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters


def _takes_default(function: Any) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 1 and positional[1].name == "default"


def _pack_tag(tag: object) -> bytes | None:
    return None if tag is None else ormsgpack.packb({"tag": tag})


def _unpack_tag(extra: bytes | None) -> Any:
    return None if extra is None else ormsgpack.unpackb(extra).get("tag")
