"""Owns the accesses that the demo plays: they follow the references that the read values themselves hold.

A session's state names the functions read so far, a function's record names what it calls, a module's edges
name the modules it imports. Nothing is drawn at random, so two replays are alike. It needs only `retrieve`
and `store`.
"""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

from stratakv.cli.demonstration.episodic import episodic_key
from stratakv.cli.demonstration.semantic import GRAPH_KEY, semantic_key
from stratakv.cli.demonstration.session import session_key
from stratakv.cli.demonstration.vectors import vector_key
from stratakv.cli.demonstration.workload import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stratakv.cli.demonstration.workload import Workload

_CALLS_FOLLOWED = 2


class Store(Protocol):
    """What a replay needs of a store."""

    def retrieve(self, key: str, /) -> Any:
        """Return the value, or None."""

    def store(self, key: str, data: Any, /) -> bool:
        """Keep a value."""


class Replay:
    """Plays a workload's accesses against a store.

    Args:
        work: What is played.
        store: Holds the workload's initial records.

    Attributes:
        reads: Calls of `retrieve`.
        writes: Calls of `store`.
        touched: Keys that were read and found, so far.
    """

    def __init__(self, work: Workload, store: Store) -> None:
        self._work = work
        self._store = store
        self._visit = self._module if work.linked else self._file
        self.reads = 0
        self.writes = 0
        self.touched: set[str] = set()

    def everything(self, progress: Callable[[], None] | None = None) -> None:
        """Visit every unit once, each after one that refers to it where there is one, and do all rewrites.

        Args:
            progress: Called after each unit.
        """
        waiting = self._by_weight()
        visited: set[str] = set()
        pending: list[str] = []
        for first in waiting:
            pending.append(first)
            while pending:
                unit = pending.pop()
                if unit in visited:
                    continue
                visited.add(unit)
                pending.extend(reversed(self._visit(unit, rewrite=True)))
                if progress is not None:
                    progress()

    def again(self, unit: str) -> None:
        """Visit one unit as a later reader does: nothing is rewritten."""
        self._visit(unit, rewrite=False)

    def _read(self, key: str) -> Any:
        self.reads += 1
        value = self._store.retrieve(key)
        if value is not None:
            self.touched.add(key)
        return value

    def _by_weight(self) -> list[str]:
        """Return the units, those that most others import first, as the stored graph tells it."""
        weights = dict.fromkeys(self._work.units, 0)
        if self._work.linked:
            graph = self._read(GRAPH_KEY)
            for _, tail, imports, _ in graph["edges"].tolist():
                name = graph["modules"][tail]
                if name in weights:
                    weights[name] += imports
        return sorted(weights, key=lambda name: (-weights[name], name))

    def _file(self, unit: str, *, rewrite: bool) -> list[str]:
        before: str | None = None
        for key in self._work.units[unit]:
            self._read(key)
            if rewrite and before is not None:
                self._read(before)
            before = key
        return []

    def _module(self, unit: str, *, rewrite: bool) -> list[str]:
        if unit == "*":
            return []
        key = session_key(unit)
        rewrites = self._work.rewrites.get(key, ()) if rewrite else ()
        done = self._scopes(unit, self._read(key)["scopes"], 0)
        for state in rewrites:
            self.writes += 1
            self._store.store(key, state)
            done = self._scopes(unit, self._read(key)["scopes"], done)
        imported = []
        for _, relation, tail, _ in self._read(semantic_key(unit))["edges"]:
            if relation == "imports" and tail in self._work.units:
                self._read(semantic_key(tail))
                imported.append(tail)
        return imported

    def _scopes(self, unit: str, scopes: list[str], done: int) -> int:
        for scope in scopes[done:]:
            record = self._read(episodic_key(unit, scope))
            if record["docstring"]:
                self._read(vector_key(record["name"]))
            for called in record["calls"][:_CALLS_FOLLOWED]:
                other = self._read(f"episodic:{called}")
                if other is not None and other["docstring"]:
                    self._read(vector_key(called))
        return len(scopes)


def latencies(store: Store, keys: Iterable[str], *, warm_up: bool) -> dict[str, float]:
    """Return the median microseconds of one `retrieve`, by kind; a kind without a key is absent.

    Args:
        store: The store asked.
        keys: What is read, each once.
        warm_up: Read each key once before it is timed.
    """
    clock = time.perf_counter_ns
    taken: dict[str, list[int]] = {}
    for key in keys:
        if warm_up:
            store.retrieve(key)
        start = clock()
        store.retrieve(key)
        end = clock()
        taken.setdefault(kind_of(key), []).append(end - start)
    return {kind: median(times) / 1000 for kind, times in taken.items()}


def sample(keys: Iterable[str], most: int) -> list[str]:
    """Return up to `most` keys of each kind, evenly spread."""
    by_kind: dict[str, list[str]] = {}
    for key in keys:
        by_kind.setdefault(kind_of(key), []).append(key)
    return [key for found in by_kind.values() for key in found[:: max(1, -(-len(found) // most))]]
