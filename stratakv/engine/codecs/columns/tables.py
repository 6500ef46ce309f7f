"""The tables in a tree: found, lifted out, and placeholders left behind.

Owns the decision what a table is: a list or tuple of cells whose form makes columns. Invariant: tables come in
the order of their places in the packed tree.
"""

from __future__ import annotations

from typing import Any

from stratakv.engine.codecs.columns.forms import Form, form_of
from stratakv.engine.codecs.columns.trees import Placeholder

# Deeper tables stay in the tree.
_DEEPEST = 64
# Short lists of plain numbers or words are better off beside their neighbours.
_SCALARS_FROM = 32
_CONTAINERS = {list, tuple, dict}


def is_table(cells: list[Any] | tuple[Any, ...]) -> bool:
    """Tell whether the cells are worth columns."""
    form = form_of(cells)
    if form is Form.OPAQUE:
        return False
    return form <= Form.MIXED or len(cells) >= _SCALARS_FROM


def lift(node: Any, tables: list[list[Any]], depth: int = 0) -> Any:
    """Return the node with placeholders, and append its tables."""
    kind = type(node)
    if kind not in _CONTAINERS or depth > _DEEPEST:
        return node
    if kind is dict:
        return {key: lift(value, tables, depth + 1) for key, value in node.items()}
    if is_table(node):
        tables.append(list(node))
        return Placeholder(kind is tuple)
    if _CONTAINERS.isdisjoint(map(type, node)):
        return node
    return kind([lift(item, tables, depth + 1) for item in node])
