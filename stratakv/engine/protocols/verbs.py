"""The protocols of verbs: store/retrieve/delete and get/set/delete, with the keywords that clients of caches know."""

from __future__ import annotations

import contextlib
import inspect
import math
from datetime import timedelta
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from stratakv.engine.protocols.base import MANY, MISSING, Engine, EngineValue, StoreOptions
from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


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
        takes = [name for name in (*self._TTL_SECONDS, "px") if _takes(self._write, name)]
        self.ttl_keywords = tuple(takes)
        self.third = _third(self._write, takes)
        self._ttl_keyword = next((name for name in takes if name != "px"), None)
        self._takes_px = "px" in takes  # Redis: milliseconds, while its `ex` refuses parts of a second
        self.keeps_ttl = self._ttl_keyword is not None or self._takes_px
        self._deletes_many = _takes_many_keys(self._delete)
        if self._deletes_many:
            self.discards_at_once = MANY
        self._milliseconds_left = getattr(engine, "pttl", None)
        self.lists = callable(getattr(engine, "keys", None)) and not _takes(engine.keys, "pattern")

    def read(self, key: str) -> EngineValue:
        return EngineValue(self.value(key), None, None)

    def value(self, key: str) -> object:
        if self._takes_default:
            return self._read(key, MISSING)
        # A protocol whose reading verb knows no default says None for a miss: there None cannot be told from one.
        value = self._read(key)
        return MISSING if value is None else value

    def write(self, key: str, value: object, ttl: float | None = None, extra: bytes | None = None) -> None:  # noqa: ARG002 - the interface's
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

    def discard_many(self, keys: Collection[str]) -> None:
        if self._deletes_many:
            self._delete(*keys)
        else:
            super().discard_many(keys)

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
        if not keywords:
            return StoreOptions(value, None, None)
        given = {name: keywords.pop(name) for name in self.ttl_keywords if name in keywords}
        super().store_options(value, keywords)
        given = {name: length for name, length in given.items() if length is not None}
        if len(given) > 1:
            raise ConfigurationError(f"{' and '.join(given)} exclude each other: give one of them")
        ttl = None
        for name, length in given.items():
            ttl = self._redis_seconds(name, length) if self._takes_px else self._seconds(name, length)
        return StoreOptions(value, ttl, None)

    def _redis_seconds(self, name: str, length: Any) -> float:
        """Return the seconds of an `ex` or `px`, of what clients of Redis take and a server accepts."""
        unit, scale = ("milliseconds", 1000) if name == "px" else ("seconds", 1)
        if isinstance(length, timedelta):
            whole = int(length.total_seconds() * scale)
        elif isinstance(length, str) and name == "ex" and length.isdigit():
            whole = int(length)
        else:
            whole = length if isinstance(length, int) and not isinstance(length, bool) else 0
        if whole <= 0:
            raise ConfigurationError(f"{name} is a whole number of {unit} above 0, or a timedelta; not {length!r:.60}")
        return whole / scale

    def _seconds(self, name: str, length: Any) -> float | None:
        """Return the seconds of a time to live; None where the engine has 0, which means for ever there, by default."""
        if isinstance(length, timedelta):
            length = length.total_seconds()
        if not isinstance(length, Real):
            raise ConfigurationError(f"{name} is a number of seconds or a timedelta, not {length!r:.60}")
        if not length and inspect.signature(self._write).parameters[name].default == 0:
            return None
        return int(length) if isinstance(length, Integral) else float(length)


def _takes(function: Any, name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters


def _third(write: Any, names: list[str]) -> str | None:
    """Return the name of a storing verb's third parameter, if it is one of these."""
    if not names:
        return None
    parameters = list(inspect.signature(write).parameters.values())[2:3]
    return next((p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name in names), None)


def _takes_many_keys(delete: Any) -> bool:
    """Tell whether a deleting verb takes any number of keys and says so, as that of Redis clients does."""
    try:
        parameters = list(inspect.signature(delete).parameters.values())
    except (TypeError, ValueError):
        return False
    # Plain `*args` may be handed on to one that takes a key and something else.
    return (
        len(parameters) == 1
        and parameters[0].kind is inspect.Parameter.VAR_POSITIONAL
        and (parameters[0].name in {"keys", "names"})
    )


def _takes_default(function: Any) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 1 and positional[1].name == "default"
