"""diskcache's protocol: `Cache` and `FanoutCache`, with their expiry times and tags."""

from __future__ import annotations

import io
import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import ormsgpack

from stratakv.engine.protocols.base import MANY, MISSING, Engine, EngineValue, StoreOptions
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class DiskcacheEngine(Engine):
    """`diskcache.Cache` and `FanoutCache`, with their keywords."""

    lists = True
    keeps_ttl = True
    verbs = frozenset({"get", "set", "delete", "add", "pop"})
    ttl_keywords = ("expire",)
    third = "expire"
    discards_at_once = MANY

    def read(self, key: str) -> EngineValue:
        value, expires, tag = self.raw.get(key, MISSING, expire_time=True, tag=True)
        if value is MISSING:
            return EngineValue(MISSING, None, None)
        ttl = None if expires is None else max(0.001, expires - self._now())
        return EngineValue(value, ttl, _pack_tag(tag))

    def value(self, key: str) -> object:
        return self.raw.get(key, MISSING)

    def _now(self) -> float:
        # diskcache itself counts in wall time, whatever clock the store was given.
        from stratakv.clock import SystemClock

        return SystemClock().now()

    def write(self, key: str, value: object, ttl: float | None = None, extra: bytes | None = None) -> None:
        if not self.raw.set(key, value, expire=ttl, tag=_unpack_tag(extra)):
            raise TimeoutError(f"diskcache did not store {key!r}")

    def delete(self, key: str) -> bool:
        return bool(self.raw.delete(key))

    def discard_many(self, keys: Collection[str]) -> None:
        with self.raw.transact(retry=True):  # a transaction for each key would take longer than all else
            super().discard_many(keys)

    def contains(self, key: str) -> bool:
        return key in self.raw

    def listed(self) -> Iterator[str]:
        return (key for key in list(self.raw) if type(key) is str)

    def length(self) -> int:
        return len(self.raw)

    def store_options(self, value: object, keywords: dict[str, Any]) -> StoreOptions:
        if not keywords:
            return StoreOptions(value, None, None)
        expire, tag = _seconds(keywords.pop("expire", None)), keywords.pop("tag", None)
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


def _seconds(expire: object) -> float | None:
    """Return what `expire` means: any number of seconds, endless ones too, as diskcache only adds it to a moment."""
    if expire is None:
        return None
    try:
        seconds = float(expire) if isinstance(expire, Real) else math.nan
    except OverflowError:
        seconds = math.nan
    if math.isnan(seconds):
        raise ConfigurationError(f"expire is a number of seconds, or None for ever; not {expire!r:.60}")
    return None if seconds == math.inf else seconds


def _pack_tag(tag: object) -> bytes | None:
    return None if tag is None else ormsgpack.packb({"tag": tag})


def _unpack_tag(extra: bytes | None) -> Any:
    return None if extra is None else ormsgpack.unpackb(extra).get("tag")
