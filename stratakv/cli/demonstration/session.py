"""Owns the session records: the state of a parse of one module, rewritten as the parse goes on.

The states of a module are a function of its source, so a replay can make them again one by one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.cli.demonstration.modules import Module
    from stratakv.cli.demonstration.scan import Scan

# A module of a thousand statements would otherwise be written a thousand times, and its state is long.
MOST_STATES = 12
_SHOWN_LINES = 8


def session_key(module: str) -> str:
    """Return the key of a module's session."""
    return f"session:{module}"


def session_states(module: Module, scanned: Scan) -> Iterator[dict[str, Any]]:
    """Yield the states of a module's parse, one to `MOST_STATES`; the last is of the whole module.

    Each is a new object; changing it changes no other.
    """
    statements = scanned.statements
    step = max(1, -(-len(statements) // MOST_STATES))
    nodes: Counter[str] = Counter()
    scopes: list[str] = []
    names: dict[str, None] = {}
    for start in range(0, max(1, len(statements)), step):
        batch = statements[start : start + step]
        for statement in batch:
            nodes.update(statement.nodes)
            scopes.extend(statement.scopes)
            names.update(dict.fromkeys(statement.binds))
        end = batch[-1].last_line if batch else 0
        done = start + len(batch)
        yield {
            "module": module.name,
            "path": module.path,
            "finished": done == len(statements),
            "position": {
                "line": end,
                "of_lines": len(module.lines),
                "statement": done,
                "of_statements": len(statements),
            },
            "reading": batch[-1].kind if batch else None,
            "nodes": dict(sorted(nodes.items())),
            "scopes": scopes.copy(),
            "names": list(names),
            "last_lines": module.lines[max(0, end - _SHOWN_LINES) : end],
        }
