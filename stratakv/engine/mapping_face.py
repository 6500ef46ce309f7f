"""The face's verbs that are not its own: those of a mapping and those of the wrapped engine, with their keywords.

Owns their translation into the operations of a `Mode`; keeps no state of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, cast

from stratakv.engine.face import Face, not_items
from stratakv.engine.modes.passthrough import PassThrough
from stratakv.engine.terms import DEFAULTS, PutOptions, check_ttl
from stratakv.engine.wrapping import MISSING, DiskcacheEngine, Engine

if TYPE_CHECKING:
    from stratakv.config import OptimizationConfig


class MappingFace(Face, MutableMapping[str, Any]):
    """What `OptimizationMiddleware` inherits.

    Attributes:
        config: The settings.
    """

    config: OptimizationConfig
    _engine: Engine | None

    def retrieve(self, key: str, default: Any = None) -> Any:
        """Return the value, or `default` on a miss."""
        return self._working().get(key, default)

    def _options(
        self, value: object, ttl: float | None, namespace: str | None, keywords: dict[str, Any]
    ) -> tuple[object, PutOptions] | None:
        """Translate the engine's keywords; None where the engine's own time to live says that it is gone at once."""
        extra = None
        check_ttl(ttl)
        if self._engine is not None:
            value, engine_ttl, extra = self._engine.store_options(value, keywords)
            if ttl is None and engine_ttl is not None:
                if engine_ttl <= 0:
                    return None
                ttl = engine_ttl
        elif keywords:
            raise TypeError(f"unexpected keyword {next(iter(keywords))!r}")
        return value, PutOptions(ttl=ttl, namespace=namespace, extra=extra)

    @property
    def set(self) -> Any:
        """The engine's `set`, with its keywords, where it has one."""
        # Not a method, because a face that has none says AttributeError; not left to `__getattr__`, which takes longer.
        engine = self._engine
        if engine is None or "set" not in engine.verbs:
            raise AttributeError("set")
        return engine.raw.set if isinstance(self._mode, PassThrough) else self._set

    def _set(self, key: str, value: object, *third: Any, **keywords: Any) -> bool:
        if not third and not keywords:
            self._working().put(key, value, DEFAULTS)
            return True
        engine = self._engine
        assert engine is not None  # whose `set` this is
        if third:
            name = engine.third or "ttl"
            if len(third) > 1 or name in keywords:
                raise TypeError(f"set() takes a key, a value and one {name}; other arguments by keyword")
            keywords[name] = third[0]
        ttl = None if "ttl" in engine.ttl_keywords else keywords.pop("ttl", None)
        options = self._options(value, ttl, None, keywords)
        if options is None:
            self._working().delete(key)
            return True
        self._working().put(key, *options)
        return True

    def __getattr__(self, name: str) -> Any:
        # Only what the class lacks comes here: verbs and methods of the wrapped engine.
        engine = self.__dict__.get("_engine")
        if engine is None or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        mode = self.__dict__.get("_mode")
        if isinstance(mode, PassThrough):
            return getattr(engine.raw, name)
        attribute = getattr(engine.raw, name)
        allowed = self.config.wrap.passthrough
        if self.config.wrap.mode == "write_through" or name in allowed or "*" in allowed:
            return attribute
        raise AttributeError(
            f"{name!r} of {type(engine.raw).__name__} would see only what is left in the engine while its values are "
            f"absorbed: use memory.engine.{name} for the raw object, or name it in wrap.passthrough"
        )

    # -- the mapping -----------------------------------------------------------------------------------------

    def get(self, key: str, default: Any = None, *positional: Any, **keywords: Any) -> Any:
        """Return the value or `default`; with a wrapped engine its own keywords keep their meaning."""
        if not positional and not keywords:
            return self.retrieve(key, default)
        if isinstance(self._mode, PassThrough) and self._engine is not None and "get" in self._engine.verbs:
            return self._engine.raw.get(key, default, *positional, **keywords)
        if self._engine is None or positional:
            raise TypeError("get() takes a key and a default")
        found, expires = self._working().get_detailed(key)
        return self._engine.reading(found, default, keywords, expires)

    def pop(self, key: str, default: Any = MISSING, **keywords: Any) -> Any:
        """Remove a key and return its value; KeyError on a miss without a default (a diskcache's own says None)."""
        if isinstance(self._engine, DiskcacheEngine):
            if isinstance(self._mode, PassThrough):
                return self._engine.raw.pop(key, None if default is MISSING else default, **keywords)
            with self._working().locked(key):
                value = self.get(key, None if default is MISSING else default, **keywords)
                self._working().delete(key)
                return value
        if keywords:
            raise TypeError(f"pop() takes no keyword {next(iter(keywords))!r}")
        value = self._working().take(key)
        if value is not MISSING:
            return value
        if default is MISSING:
            raise KeyError(key)
        return default

    def __getitem__(self, key: str) -> Any:
        value = self.retrieve(key, MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._working().put(key, value, DEFAULTS)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the key's value; where there is none `default` is stored, and returned as it comes back."""
        mode = self._working()
        with mode.locked(key):
            value = mode.get(key, MISSING)
            if value is not MISSING:
                return value
            mode.put(key, default, DEFAULTS)
            return mode.get(key, default)

    def __delitem__(self, key: str) -> None:
        if not self._working().delete(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self._working().contains(cast("str", key))

    def __iter__(self) -> Iterator[str]:
        return self._working().keys("")

    def __len__(self) -> int:
        return self._working().length()

    def keys(self, prefix: str = "") -> Any:
        """Iterate over the keys that begin with `prefix`; without one, a view as of any mapping."""
        if prefix:
            return self._working().keys(prefix)
        return super().keys()

    def update(self, other: Any = (), /, **values: Any) -> None:
        """Store what a mapping, or pairs of key and value, hold.

        Raises:
            ConfigurationError: It is a text.
        """
        if isinstance(other, str | bytes | bytearray):
            raise not_items("update", other)
        super().update(other, **values)

    def popitem(self) -> tuple[str, Any]:
        """Remove some key and return it with its value; KeyError where there is none."""
        mode = self._working()
        for key in mode.keys(""):
            value = mode.take(key)
            if value is not MISSING:  # nobody else was faster
                return key, value
        raise KeyError("popitem(): there are no keys")

    def clear(self) -> None:
        """Delete all keys."""
        for key in list(self):
            self._working().delete(key)
