"""Wrapping: recognises the protocol of an engine. How each is spoken is in `engine/protocols/`."""

from __future__ import annotations

import inspect
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
        ConfigurationError: It follows none of the known ones, is a class, or answers with awaitables.
    """
    kind = type(engine)
    if isinstance(engine, type):
        raise ConfigurationError(f"{engine.__name__} is a class: wrap an instance of it, which holds the values")
    if any(base.__module__.partition(".")[0] == "diskcache" for base in kind.__mro__) and hasattr(engine, "set"):
        _refuse_async(engine, "get", "set", "delete")
        return DiskcacheEngine(engine)
    for read, write in (("retrieve", "store"), ("get", "set")):
        if all(callable(getattr(engine, name, None)) for name in (read, write, "delete")):
            _refuse_async(engine, read, write, "delete")
            return VerbEngine(engine, read, write)
    verbs = ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__")
    # A list has all of these, but its keys are places.
    mapped = not isinstance(engine, Sequence) and all(hasattr(kind, name) for name in verbs)
    if isinstance(engine, Mapping) or mapped:
        if not hasattr(kind, "__setitem__"):
            raise ConfigurationError(f"{kind.__name__} is a read-only mapping: wrap one that can be written")
        _refuse_async(engine, *verbs)
        return MappingEngine(engine)
    raise ConfigurationError(
        f"{kind.__name__} cannot be wrapped: it has neither store/retrieve/delete nor get/set/delete nor the mapping "
        f"protocol"
    )


def _refuse_async(engine: object, *verbs: str) -> None:
    """Refuse an engine whose verbs return before their work is done: its writes would be lost.

    Raises:
        ConfigurationError: It is one.
    """
    kind = type(engine)
    # Clients of Redis hand on what `execute_command` returns, from verbs that are plain functions.
    verb = next((verb for verb in verbs if _is_async(getattr(engine, verb, None))), None)
    if verb is None and _is_async(getattr(kind, "execute_command", None)):
        verb = "execute_command"
    package = next((base.__module__ for base in kind.__mro__ if "asyncio" in base.__module__.split(".")), None)
    if verb is not None or package is not None:
        reason = f"{verb} is async" if verb is not None else f"it comes from {package}"
        raise ConfigurationError(
            f"{kind.__name__} answers with awaitables ({reason}) and cannot be wrapped: wrap an engine or client that "
            f"is not async, and call the wrapper from async code through asyncio.to_thread"
        )


def _is_async(verb: object) -> bool:
    called = type(verb).__call__ if callable(verb) and not inspect.isroutine(verb) else verb
    return any(
        inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function) for function in (verb, called)
    )
