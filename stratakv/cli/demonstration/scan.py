"""Owns the one walk over a module's syntax tree, from which all kinds of records are made.

It never executes code; names are resolved by what the source says, so calls through variables are not seen.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stratakv.cli.demonstration.modules import Module

Definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Imports = ast.Import | ast.ImportFrom


@dataclass(frozen=True, slots=True)
class Definition:
    """A function or class and its dotted name within the module; a second of one name gets "#2" behind it."""

    qualname: str
    node: Definitions


@dataclass(frozen=True, slots=True)
class Statement:
    """What one statement at the top of a module adds.

    Attributes:
        first_line, last_line: Counted from 1.
        kind: The syntax node's class name.
        nodes: Syntax nodes in it, by class name.
        scopes: Qualified names of the functions and classes in it.
        binds: Names that it binds in the module.
    """

    first_line: int
    last_line: int
    kind: str
    nodes: Counter[str]
    scopes: list[str]
    binds: list[str]


@dataclass(slots=True)
class Scan:
    """What a module's source says.

    Attributes:
        statements: Its top-level statements, in order.
        imports: (scope, module imported) for each import; scope is "" for the module itself.
        calls: Scope -> called name, resolved to "module.qualname" -> number of call sites.
    """

    statements: list[Statement] = field(default_factory=list)
    imports: list[tuple[str, str]] = field(default_factory=list)
    calls: dict[str, Counter[str]] = field(default_factory=dict)


class _Walk:
    def __init__(self, module: Module) -> None:
        self.module = module
        self.scan = Scan()
        self.definitions: list[Definition] = []
        self._aliases: dict[str, str] = {}
        self._sites: list[tuple[str, str]] = []
        self._taken: Counter[str] = Counter()

    def statement(self, statement: ast.stmt) -> None:
        nodes: Counter[str] = Counter()
        scopes: list[str] = []
        binds: list[str] = []
        pending: list[tuple[ast.AST, str]] = [(statement, "")]
        while pending:
            node, scope = pending.pop()
            nodes[type(node).__name__] += 1
            inner = scope
            if isinstance(node, ast.Name):
                if not scope and isinstance(node.ctx, ast.Store):
                    binds.append(node.id)
            elif isinstance(node, ast.Call):
                if name := _dotted(node.func):
                    self._sites.append((scope, name))
            elif isinstance(node, Definitions | Imports):
                bound = self._bind(node, scope)
                if not scope:
                    binds.extend(bound)
                if isinstance(node, Definitions):
                    inner = self.definitions[-1].qualname
                    scopes.append(inner)
            pending.extend((child, inner) for child in reversed(_below(node)))
        last = statement.end_lineno or statement.lineno
        kind = type(statement).__name__
        self.scan.statements.append(Statement(statement.lineno, last, kind, nodes, scopes, binds))

    def _bind(self, node: Definitions | Imports, scope: str) -> list[str]:
        if isinstance(node, Definitions):
            self._define(node, scope)
            return [node.name]
        return self._import(node, scope)

    def _define(self, node: Definitions, scope: str) -> None:
        qualname = f"{scope}.{node.name}" if scope else node.name
        self._taken[qualname] += 1
        if (times := self._taken[qualname]) > 1:
            qualname = f"{qualname}#{times}"
        self.definitions.append(Definition(qualname, node))

    def _import(self, node: Imports, scope: str) -> list[str]:
        bound = []
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.scan.imports.append((scope, alias.name))
                name = alias.asname or alias.name.partition(".")[0]
                self._aliases[name] = alias.name if alias.asname else name
                bound.append(name)
            return bound
        source = self._absolute(node)
        for alias in node.names:
            self.scan.imports.append((scope, source))
            if alias.name != "*":
                name = alias.asname or alias.name
                self._aliases[name] = f"{source}.{alias.name}"
                bound.append(name)
        return bound

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.module.name.split(".")
        base = parts[: len(parts) - node.level + (1 if self.module.is_package else 0)]
        return ".".join([*base, node.module] if node.module else base)

    def resolve(self) -> None:
        """Turn the names called into the names of what is called, as far as the source tells."""
        kinds = {definition.qualname: type(definition.node) for definition in self.definitions}
        for scope, name in self._sites:
            if target := self._target(kinds, scope, name):
                self.scan.calls.setdefault(scope, Counter())[target] += 1

    def _target(self, kinds: dict[str, type[Definitions]], scope: str, name: str) -> str | None:
        head, _, rest = name.partition(".")
        if head in {"self", "cls"} and "." in scope:
            own = f"{scope.rpartition('.')[0]}.{rest}"
            return f"{self.module.name}.{own}" if own in kinds else None
        around = scope
        while around:
            # A method does not see the names of its class.
            if kinds[around] is not ast.ClassDef and f"{around}.{head}" in kinds:
                return f"{self.module.name}.{around}.{name}"
            around = around.rpartition(".")[0]
        if head in kinds:
            return f"{self.module.name}.{name}"
        if head in self._aliases:
            return f"{self._aliases[head]}.{rest}" if rest else self._aliases[head]
        return None


def _below(node: ast.AST) -> list[ast.AST]:
    below: list[ast.AST] = []
    for name in node._fields:
        child = getattr(node, name, None)
        if isinstance(child, list):
            below.extend(each for each in child if isinstance(each, ast.AST))
        elif isinstance(child, ast.AST) and name != "ctx":
            below.append(child)
    return below


def _dotted(node: ast.AST) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    parts.append(node.id)
    return ".".join(reversed(parts))


def scan(module: Module, tree: ast.Module) -> tuple[Scan, list[Definition]]:
    """Walk one module; return what it holds, and its functions and classes at any depth in source order."""
    walk = _Walk(module)
    for statement in tree.body:
        walk.statement(statement)
    walk.resolve()
    return walk.scan, walk.definitions
