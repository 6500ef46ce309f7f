"""Owns what the demo plays: the records it starts from, the rewrites, and the values that must come out.

Two sources: the modules of a Python installation, or the user's own files. It knows no store.
"""

from __future__ import annotations

import gc
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stratakv.cli.demonstration.episodic import episodic_records
from stratakv.cli.demonstration.modules import parse, select_sources
from stratakv.cli.demonstration.scan import scan
from stratakv.cli.demonstration.semantic import GRAPH_KEY, semantic_key, semantic_records
from stratakv.cli.demonstration.session import session_key, session_states
from stratakv.cli.demonstration.vectors import vector_records
from stratakv.cli.reduction import megabytes
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from stratakv.cli.demonstration.modules import Module
    from stratakv.cli.demonstration.scan import Scan
    from stratakv.cli.records import RecordFile

# The founding table: percent that each kind is to lose.
TARGETS = {"episodic": 70, "semantic": 80, "session": 60, "vectors": 85}
TOTAL_TARGET = 75
ABOUT = {
    "episodic": "one function or class: its docstring, source lines, decorators and what it calls",
    "session": "how far a parse of one module has come, rewritten as it goes on",
    "semantic": "one module's weighted edges to what it imports and calls; one more is the graph of all modules",
    "vectors": "one docstring's embedding: 96 numbers of 4 bytes (latent semantic analysis)",
}
KINDS = tuple(ABOUT)


@dataclass(slots=True)
class Workload:
    """Records and what becomes of them.

    Attributes:
        kinds: In the order of the report. A record's key is its kind, ":" and its name.
        initial: What the engine holds before it is wrapped.
        rewrites: Key -> the values written to it afterwards, in order.
        units: Name of a module or file -> the keys of its records; each key stands in one of them.
        linked: Whether records name each other, so that a replay can follow them.
        source: One line telling where the records come from.
        left_out: One line for each thing that was left out.
        about: Kind -> what a record of it is; empty for the user's own.
    """

    kinds: tuple[str, ...]
    source: str
    linked: bool = False
    initial: dict[str, Any] = field(default_factory=dict)
    rewrites: dict[str, list[Any]] = field(default_factory=dict)
    units: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)

    def final(self) -> dict[str, Any]:
        """Return what every key must read as in the end: the very objects, not copies."""
        return {key: self.rewrites[key][-1] if key in self.rewrites else self.initial[key] for key in self.initial}


def kind_of(key: str) -> str:
    """Return the kind a key begins with."""
    return key.partition(":")[0]


def workload_from_python(root: Path, most_bytes: int, progress: Callable[[int, int], None] | None = None) -> Workload:
    """Build the records of the Python files below `root`.

    Args:
        root: Such as `standard_library()`.
        most_bytes: Bytes of source after which files are left out.
        progress: Told files done and files in all.

    Raises:
        ConfigurationError: There is no Python source, or scipy is missing.
    """
    selection = select_sources(root, most_bytes)
    work = Workload(KINDS, "", linked=True, about=ABOUT)
    scanned: list[tuple[Module, Scan]] = []
    texts: list[tuple[str, str, str]] = []
    unreadable = 0
    with _collector_paused():
        for number, path in enumerate(selection.paths, 1):
            if (parsed := parse(root, path)) is None:
                unreadable += 1
            else:
                # The tree is dropped here: all of them together would take half a gigabyte.
                texts += _add_module(work, scanned, *parsed)
            if progress is not None:
                progress(number, len(selection.paths))
    graph = dict(semantic_records(scanned))
    for module, _ in scanned:
        work.units[module.name].append(semantic_key(module.name))
    work.units["*"] = [GRAPH_KEY]
    work.initial.update(graph)
    for (module_name, _, _), (key, vector) in zip(texts, vector_records([text[1:] for text in texts]), strict=False):
        work.initial[key] = vector
        work.units[module_name].append(key)
    work.source = f"{len(scanned)} modules, {megabytes(selection.source_bytes)} MB of source, under {root}"
    if selection.capped_files:
        limit = f"{megabytes(most_bytes)} MB"
        size = f"{megabytes(selection.capped_bytes)} MB"
        work.left_out.append(f"{selection.capped_files} modules ({size}) beyond the limit of {limit}")
    if unreadable:
        work.left_out.append(f"{unreadable} files that this Python cannot parse")
    return work


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the search for cycles: neither trees nor records have any, and the search doubles the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _add_module(
    work: Workload, scanned: list[tuple[Module, Scan]], module: Module, tree: Any
) -> list[tuple[str, str, str]]:
    found, definitions = scan(module, tree)
    scanned.append((module, found))
    records = dict(episodic_records(module, found, definitions))
    states = list(session_states(module, found))
    work.initial.update(records)
    work.initial[session_key(module.name)] = states[0]
    if len(states) > 1:
        work.rewrites[session_key(module.name)] = states[1:]
    work.units[module.name] = [session_key(module.name), *records]
    return [(module.name, record["name"], record["docstring"]) for record in records.values() if record["docstring"]]


def workload_from_files(files: Sequence[RecordFile], progress: Callable[[RecordFile], None] | None = None) -> Workload:
    """Take the user's own records; the kind of each is its file's stem.

    Args:
        files: Each a kind of its own.
        progress: Told the file after each record.

    Raises:
        ConfigurationError: Two files have the same stem, or a file holds no record.
        RecordFileError: A record cannot be read.
    """
    kinds: list[str] = []
    work = Workload((), ", ".join(file.path.name for file in files))
    for file in files:
        kind = re.sub(r"[^A-Za-z0-9_]", "_", file.stem)[:64]
        kind = kind if kind[0].isalnum() else f"f{kind}"[:64]
        if kind in kinds:
            raise ConfigurationError(
                f"two files are named {file.stem!r}; rename one, the report tells them apart by it"
            )
        kinds.append(kind)
        before = len(work.initial)
        for key, value in file:
            work.initial[f"{kind}:{key}"] = value
            if progress is not None:
                progress(file)
        if len(work.initial) == before:
            raise ConfigurationError(f"{file.path} holds no record")
        work.units[kind] = list(work.initial)[before:]
    work.kinds = tuple(kinds)
    return work
