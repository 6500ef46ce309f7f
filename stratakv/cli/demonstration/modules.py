"""Owns finding and parsing the modules of a Python installation.

It never imports or runs them, and never leaves one out in silence: what was capped is counted.
The same installation gives the same modules in the same order.
"""

from __future__ import annotations

import ast
import os
import sysconfig
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path

from stratakv.errors import ConfigurationError

# Tests are left out because their functions are many and nearly alike; other people's packages, because they
# differ from machine to machine.
_LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Module:
    """One source file.

    Attributes:
        name: Dotted, as it would be imported.
        is_package: Whether it is an `__init__` file, which relative imports are resolved by.
        path: Relative to the directory searched, with forward slashes.
        lines: Source lines without their ends; line n of the parser is `lines[n - 1]`.
    """

    name: str
    is_package: bool
    path: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Selection:
    """The files chosen, and what was not.

    Attributes:
        root: The directory searched.
        paths: Relative to it, sorted.
        source_bytes: Bytes of the chosen files.
        capped_files: Files left out because the limit was reached.
        capped_bytes: Bytes of those files.
    """

    root: Path
    paths: list[str]
    source_bytes: int
    capped_files: int
    capped_bytes: int


def standard_library() -> Path:
    """Return the directory of this interpreter's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def select_sources(root: Path, most_bytes: int) -> Selection:
    """Choose the Python files below `root`, in the order of their paths, as long as they fit `most_bytes`.

    Raises:
        ConfigurationError: There are none, as where the standard library lies in a zip file.
    """
    found = []
    for directory, below, files in os.walk(root):
        below[:] = [name for name in below if name not in _LEFT_OUT and name.isidentifier()]
        for name in files:
            if name.endswith(".py") and name[:-3].isidentifier():
                path = Path(directory, name)
                found.append((path.relative_to(root).as_posix(), path.stat().st_size))
    if not found:
        raise ConfigurationError(
            f"no Python source under {root}, so the demo has nothing to show; give it files with --data"
        )
    paths, chosen, capped = [], 0, []
    for relative, size in sorted(found):
        if chosen + size <= most_bytes:
            paths.append(relative)
            chosen += size
        else:
            capped.append(size)
    return Selection(root, paths, chosen, len(capped), sum(capped))


def parse(root: Path, path: str) -> tuple[Module, ast.Module] | None:
    """Return one file and its syntax tree, or None where it is no Python source of this version."""
    try:
        with tokenize.open(root / path) as source:
            text = source.read()
        with warnings.catch_warnings():
            # Odd escapes and the like in the files read are not this program's to report.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    parts = path.removesuffix(".py").split("/")
    is_package = len(parts) > 1 and parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    return Module(name, is_package, path, text.split("\n")), tree
