"""Owns the semantic records: the weighted graph of which module imports or calls which.

One value a module holds its outgoing edges; one more holds the whole module graph as a numpy edge list.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stratakv.cli.demonstration.modules import Module
    from stratakv.cli.demonstration.scan import Scan

GRAPH_KEY = "semantic:*"


def semantic_key(module: str) -> str:
    """Return the key of a module's edges."""
    return f"semantic:{module}"


def semantic_records(scanned: Iterable[tuple[Module, Scan]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield key and edges of every module, then `GRAPH_KEY` and the whole.

    An edge is [head, relation, tail, weight]: "imports" from module to module, "calls" from function to
    function; the weight is the share of the head's imports or calls. The whole is {"modules": names, "edges":
    int32 array of shape (edges, 4)} with columns head, tail, imports, calls.
    """
    pairs = list(scanned)
    # Nodes are the same string objects everywhere, as in a graph that a program would keep.
    names: dict[str, str] = {module.name: module.name for module, _ in pairs}
    modules = {*names, *(target for _, found in pairs for _, target in found.imports if target)}
    total: dict[tuple[str, str], list[int]] = {}
    for module, found in pairs:
        edges: list[list[Any]] = []
        imported = Counter(names.setdefault(target, target) for _, target in found.imports if target)
        edges.extend(_weighted(module.name, "imports", imported))
        for target, count in imported.items():
            total.setdefault((module.name, target), [0, 0])[0] += count
        for scope, called in found.calls.items():
            head = f"{module.name}.{scope}" if scope else module.name
            head = names.setdefault(head, head)
            edges.extend(_weighted(head, "calls", Counter({names.setdefault(t, t): n for t, n in called.items()})))
            for target, count in called.items():
                owner = _owner(target, modules)
                if owner is not None and owner != module.name:
                    total.setdefault((module.name, owner), [0, 0])[1] += count
        yield semantic_key(module.name), {"module": module.name, "edges": edges}
    nodes = sorted({name for pair in total for name in pair})
    number = {name: at for at, name in enumerate(nodes)}
    rows = [[number[head], number[tail], *counts] for (head, tail), counts in sorted(total.items())]
    yield GRAPH_KEY, {"modules": nodes, "edges": np.array(rows, dtype=np.int32).reshape(-1, 4)}


def _weighted(head: str, relation: str, counts: Counter[str]) -> list[list[Any]]:
    whole = counts.total()
    return [[head, relation, tail, round(count / whole, 4)] for tail, count in sorted(counts.items())]


def _owner(target: str, modules: set[str]) -> str | None:
    """Return the module a called name belongs to: the longest beginning of it that is a module."""
    owner = target.rpartition(".")[0]
    while owner and owner not in modules:
        owner = owner.rpartition(".")[0]
    return owner or None
