"""Owns the episodic records: one for each function and class, with its docstring and source lines.

Every value is of JSON's types only, so it could have come from any service.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from stratakv.cli.demonstration.modules import Module
    from stratakv.cli.demonstration.scan import Definition, Definitions, Scan

_KINDS = {ast.FunctionDef: "function", ast.AsyncFunctionDef: "coroutine", ast.ClassDef: "class"}


def episodic_key(module: str, qualname: str) -> str:
    """Return the key of a function's or class's record."""
    return f"episodic:{module}.{qualname}"


def episodic_records(
    module: Module, scanned: Scan, definitions: list[Definition]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield key and record for each function and class of a module, in source order."""
    for definition in definitions:
        node, qualname = definition.node, definition.qualname
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        last = node.end_lineno or node.lineno
        record = {
            "name": f"{module.name}.{qualname}",
            "kind": _KINDS[type(node)],
            "module": module.name,
            "path": module.path,
            "lines": [first, last],
            "decorators": [ast.unparse(decorator) for decorator in node.decorator_list],
            **_header(node),
            "docstring": ast.get_docstring(node),
            "calls": _called(scanned.calls.get(qualname)),
            "source": module.lines[first - 1 : last],
        }
        yield episodic_key(module.name, qualname), record


def _called(counts: Counter[str] | None) -> list[str]:
    return sorted(counts) if counts else []


def _header(node: Definitions) -> dict[str, Any]:
    if isinstance(node, ast.ClassDef):
        return {"bases": [ast.unparse(base) for base in node.bases]}
    return {
        "arguments": list(_arguments(node.args)),
        "returns": None if node.returns is None else ast.unparse(node.returns),
    }


def _arguments(arguments: ast.arguments) -> Iterator[dict[str, Any]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    for number, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
        kind = "positional only" if number < len(arguments.posonlyargs) else "positional"
        yield _argument(argument, kind, default)
    if arguments.vararg is not None:
        yield _argument(arguments.vararg, "rest", None)
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, "keyword only", default)
    if arguments.kwarg is not None:
        yield _argument(arguments.kwarg, "keywords", None)


def _argument(argument: ast.arg, kind: str, default: ast.expr | None) -> dict[str, Any]:
    return {
        "name": argument.arg,
        "kind": kind,
        "annotation": None if argument.annotation is None else ast.unparse(argument.annotation),
        "default": None if default is None else ast.unparse(default),
    }
