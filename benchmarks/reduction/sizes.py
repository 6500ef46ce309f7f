"""Owns measuring bytes without asking the store: of live objects, of what its hot table holds, and of its files.

The one thing taken from inside a store is the root of its hot table, since no public name leads there.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import deque
from contextlib import closing
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stratakv import OptimizationMiddleware

_NO_DATA = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)
_PLACES = ("warm", "cold", "journal")


def deep_bytes(roots: list[Any], seen: set[int] | None = None) -> int:
    """Return the bytes of objects and of all they refer to, each object once.

    Args:
        roots: Where to begin.
        seen: Identities that count as nothing; those met are added.
    """
    seen = set() if seen is None else seen
    total = 0
    pending = list(roots)
    while pending:
        value = pending.pop()
        if id(value) in seen or isinstance(value, _NO_DATA):
            continue
        seen.add(id(value))
        total += sys.getsizeof(value)
        pending.extend(_inside(value))
    return total


def _inside(value: Any) -> Iterator[Any]:
    if isinstance(value, (str, bytes, bytearray, int, float)):
        return
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        yield from value
    elif isinstance(value, np.ndarray):
        yield from () if value.base is None else (value.base,)
    elif isinstance(value, memoryview):
        yield value.obj
    else:
        if hasattr(value, "__dict__"):
            yield value.__dict__
        slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
        yield from (getattr(value, name) for name in slots if hasattr(value, name))


class Hot(NamedTuple):
    """What is in RAM: the hot table with all its objects; the payloads in it; the keys that have one."""

    deep_bytes: int
    payload_bytes: int
    keys: list[str]


def hot_table(memory: OptimizationMiddleware) -> Hot:
    """Measure the hot table."""
    hot = memory.tiered_storage._store.parts.hot  # noqa: SLF001 -- there is no public way to what is in RAM
    payloads = {id(entry.blob): len(entry.blob.encoded.payload) for entry in hot.entries.values()}
    return Hot(deep_bytes([hot]), sum(payloads.values()), list(hot.entries))


class Files(NamedTuple):
    """Bytes of a store's files, by place. Packs are part of `warm` and `cold`."""

    warm: int
    cold: int
    catalog: int
    journal: int
    other: int
    warm_packs: int
    cold_packs: int

    @property
    def total(self) -> int:
        """Every byte on disk."""
        return self.warm + self.cold + self.catalog + self.journal + self.other


def files_of(directory: Path) -> Files:
    """Measure a store's files by walking its directory."""
    sizes = dict.fromkeys(Files._fields, 0)
    for path in directory.rglob("*"):
        if not path.is_file():
            continue
        first = path.relative_to(directory).parts[0]
        place = first if first in _PLACES else "catalog" if first.startswith("catalog.db") else "other"
        sizes[place] += path.stat().st_size
        if path.suffix in {".val", ".pack"} and place in {"warm", "cold"}:
            sizes[f"{place}_packs"] += path.stat().st_size
    return Files(**sizes)


def dictionary_bytes(directory: Path) -> int:
    """Return the bytes of the trained dictionaries in the catalog of a store that is closed."""
    with closing(sqlite3.connect(f"{(directory / 'catalog.db').as_uri()}?mode=ro&immutable=1", uri=True)) as catalog:
        (found,) = catalog.execute("SELECT coalesce(sum(length(content)), 0) FROM dictionaries").fetchone()
    return int(found)
