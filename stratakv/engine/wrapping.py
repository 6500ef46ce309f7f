"""Wrapping: recognises the protocol of an engine. How each is spoken is in `engine/protocols/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stratakv.engine.protocols.base import MISSING, Engine, EngineValue, StoreOptions
from stratakv.engine.protocols.diskcache import DiskcacheEngine
from stratakv.engine.protocols.mapping import MappingEngine
from stratakv.engine.protocols.verbs import VerbEngine
from stratakv.errors import ConfigurationError

__all__ = ["MISSING", "DiskcacheEngine", "Engine", "EngineValue", "StoreOptions", "recognise"]


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
