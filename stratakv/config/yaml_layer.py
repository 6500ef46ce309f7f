"""Reads a YAML file into assignments, each with its line.

Works on the node tree of `yaml.SafeLoader`, because values alone have no lines and lose duplicate keys. Never
builds an object other than YAML's plain scalars. Expands nothing without bound: aliases are followed only
where the shape of the configuration has a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from stratakv.config.checking import describe
from stratakv.config.schema import shape, unknown_key
from stratakv.config.sources import Assignment, Problem, Source

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from stratakv.config.setting import Section

LARGEST_FILE = 1 << 20
MOST_PROBLEMS = 100
_DEEPEST_MERGE = 16
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"


class _UnreadableError(Exception):
    """The file as a whole cannot be used; carries the problem. Never leaves this module."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def read_yaml(path: str | os.PathLike[str], section: type[Section]) -> tuple[list[Assignment], list[Problem]]:
    """Read a file.

    Args:
        path: The file, UTF-8, 1 MiB at most.
        section: The class whose shape the file must have.

    Returns:
        The assignments, in the order of the file, and what is wrong with its structure, 100 problems at most.
        Values are not checked yet.
    """
    file = str(path)
    try:
        walk = _Walk(file, _read_text(path))
        walk.section(walk.root(), section, ())
    except _UnreadableError as error:
        place = file if error.line is None else f"{file}:{error.line}"
        return [], [Problem("", str(error), Source("file", place))]
    return walk.assignments, walk.problems


def _read_text(path: str | os.PathLike[str]) -> str:
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise _UnreadableError("there is no such file; check its path") from None
    except IsADirectoryError:
        raise _UnreadableError("is a directory; name the YAML file within") from None
    except (OSError, ValueError) as error:
        raise _UnreadableError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > LARGEST_FILE:
        raise _UnreadableError("is larger than 1 MiB; this is no configuration file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _UnreadableError("is not UTF-8 text; save it as UTF-8", line) from error


class _Walk:
    """One pass over the nodes of one file."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        try:
            self._loader = yaml.SafeLoader(text)
        except yaml.YAMLError as error:
            raise _UnreadableError(f"is not YAML: {_reason(error)}") from error
        self.assignments: list[Assignment] = []
        self.problems: list[Problem] = []
        self._entries_of: dict[int, dict[str, tuple[Source, yaml.Node]]] = {}

    def root(self) -> yaml.MappingNode:
        try:
            node = self._loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise _UnreadableError(f"is not YAML: {_reason(error)}", mark.line + 1 if mark else None) from error
        except yaml.YAMLError as error:
            raise _UnreadableError(f"is not YAML: {_reason(error)}") from error
        except RecursionError as error:
            raise _UnreadableError("is nested too deeply; a configuration has four levels") from error
        if node is None or (node.tag == _NULL and isinstance(node, yaml.ScalarNode)):
            raise _UnreadableError("is empty; give at least one setting, or leave the file out")
        if not isinstance(node, yaml.MappingNode):
            message = f"must be a mapping of settings ('key: value' lines), not {self._kind(node)}"
            raise _UnreadableError(message, node.start_mark.line + 1)
        return node

    def section(self, node: yaml.Node, kind: type[Section], path: tuple[str, ...]) -> None:
        known = shape(kind)
        for name, at, value in self._entries(node, path):
            here = (*path, name)
            if name in known.leaves:
                self._leaf(here, at, value)
            elif name in known.sections:
                self.section(value, known.sections[name], here)
            elif name in known.groups:
                for member, member_at, inner in self._entries(value, here):
                    self.assignments.append(Assignment((*here, member), None, member_at))
                    self.section(inner, known.groups[name], (*here, member))
            else:
                key = ".".join(here)
                self._report(key, unknown_key(key, name, known.names), at)

    def _entries(self, node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[str, Source, yaml.Node]]:
        """Yield name, place and value of each entry; report duplicates and what is no mapping at all."""
        key = ".".join(path)
        if isinstance(node, yaml.ScalarNode) and node.tag == _NULL:
            return  # "storage:" with nothing below keeps the defaults
        if not isinstance(node, yaml.MappingNode):
            message = f"key {key!r} must be a mapping of settings, not {self._kind(node)}"
            self._report(key, message, self._source(node))
            return
        entries = self._merged(node, path, frozenset())
        for name, (at, value) in entries.items():
            if len(self.problems) >= MOST_PROBLEMS:
                return
            yield name, at, value

    def _merged(
        self, node: yaml.MappingNode, path: tuple[str, ...], open_nodes: frozenset[int]
    ) -> dict[str, tuple[Source, yaml.Node]]:
        """Return the entries of a mapping, those of its merge keys (`<<`) behind its own."""
        if id(node) in self._entries_of:  # an alias: no second walk, or nested merges would cost 2**n
            return self._entries_of[id(node)]
        own: dict[str, tuple[Source, yaml.Node]] = {}
        merged: dict[str, tuple[Source, yaml.Node]] = {}
        for key_node, value in node.value:
            at = self._source(key_node)
            if key_node.tag == _MERGE:
                merged = self._parents(value, path, open_nodes | {id(node)}, at) | merged
            elif not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _TEXT:
                self._report("", f"a key must be text, not {self._kind(key_node)}; put it in quotes", at)
            elif key_node.value in own:
                name = ".".join((*path, key_node.value))
                first = own[key_node.value][0].detail.rpartition(":")[2]
                self._report(name, f"key {name!r} stands twice, first in line {first}; remove one", at)
            else:
                own[key_node.value] = (at, value)
        self._entries_of[id(node)] = merged | own
        return self._entries_of[id(node)]

    def _parents(
        self, node: yaml.Node, path: tuple[str, ...], open_nodes: frozenset[int], at: Source
    ) -> dict[str, tuple[Source, yaml.Node]]:
        """Return the entries of the mappings that a merge key names; the first of them wins."""
        found: dict[str, tuple[Source, yaml.Node]] = {}
        listed = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for parent in {id(parent): parent for parent in listed}.values():
            endless = id(parent) in open_nodes or len(open_nodes) > _DEEPEST_MERGE
            if endless or not isinstance(parent, yaml.MappingNode):
                self._report("<<", "key '<<' must name another mapping (an alias such as *name)", at)
                continue
            found = self._merged(parent, path, open_nodes) | found
        return found

    def _leaf(self, path: tuple[str, ...], at: Source, node: yaml.Node) -> None:
        try:
            value = self._value(node)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            key = ".".join(path)
            self._report(key, f"key {key!r} has a value that is not plain YAML: {_reason(error)}", at)
            return
        self.assignments.append(Assignment(path, value, at))

    def _value(self, node: yaml.Node) -> object:
        """Build a scalar, or a list of scalars; what is deeper becomes a stand-in that no check accepts."""
        if isinstance(node, yaml.SequenceNode):
            return [self._scalar(item) for item in node.value]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode):
            return self._loader.construct_object(node)
        return {} if isinstance(node, yaml.MappingNode) else []

    def _kind(self, node: yaml.Node) -> str:
        try:
            return describe(self._value(node))
        except (yaml.YAMLError, ValueError, OverflowError):
            return f"a value tagged {node.tag!r}"

    def _report(self, key: str, message: str, at: Source) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(key, message, at))

    def _source(self, node: yaml.Node) -> Source:
        return Source("file", f"{self._file}:{node.start_mark.line + 1}")


def _reason(error: Exception) -> str:
    """Say in one line what the parser disliked."""
    if isinstance(error, yaml.MarkedYAMLError):
        parts = [error.context, error.problem]
        return ", ".join(part for part in parts if part) or "it cannot be parsed"
    return " ".join(str(error).split())
