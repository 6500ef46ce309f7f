"""Owns the versions of documents that are measured: those of a directory, or made ones.

In a directory every file of JSON lines whose records have `doc`, `version` and `text` is taken: all documents of a
version, in the order of their names, make one value.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.large.text import edited, grown, library_text
from benchmarks.reduction.corpora import Directory
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stratakv.cli.records import RecordFile

FIELDS = {"doc", "version", "text"}
MADE_BYTES = 460_000
MADE_VERSIONS = 12
QUICK_VERSIONS = 4


class Document(NamedTuple):
    """A large value and what became of it.

    Attributes:
        name: The file's without endings.
        versions: The oldest first.
    """

    name: str
    versions: list[bytes]


def documents(data: str | None, only: list[str], *, quick: bool) -> tuple[str, list[Document]]:
    """Return what is measured, in words and as values.

    Raises:
        ConfigurationError: There is nothing to measure, or nothing of a name.
        RecordFileError: A line cannot be read.
    """
    if data is None:
        what = "source code of Python's library, with edits made by a fixed seed"
        found = {document.name: document for document in _made(quick=quick)}
    else:
        what = "recorded versions of documents"
        files = {file.stem: file for file in Directory(Path(data)).files if _has_versions(file)}
        found = {name: _read(file) for name, file in files.items() if not only or name in only}
    if unknown := [name for name in only if name not in found]:
        raise ConfigurationError(f"there are no versions named {', '.join(unknown)}")
    chosen = [document for name, document in found.items() if not only or name in only]
    if not chosen:
        raise ConfigurationError(f"no file has records with {', '.join(sorted(FIELDS))}")
    return what, [Document(name, versions[:QUICK_VERSIONS] if quick else versions) for name, versions in chosen]


def _has_versions(file: RecordFile) -> bool:
    if not {".jsonl", ".ndjson"} & set(file.path.suffixes):
        return False
    _, first = next(iter(file), ("", None))
    return isinstance(first, dict) and first.keys() >= FIELDS


def _read(file: RecordFile) -> Document:
    versions: dict[int, list[tuple[str, bytes]]] = {}
    record: Any
    for _, record in file:
        versions.setdefault(record["version"], []).append((record["doc"], record["text"].encode()))
    return Document(file.stem, [b"".join(text for _, text in sorted(each)) for _, each in sorted(versions.items())])


def _made(*, quick: bool) -> Iterator[Document]:
    count = QUICK_VERSIONS if quick else MADE_VERSIONS
    versions = [library_text(MADE_BYTES)]
    while len(versions) < count:
        versions.append(edited(versions[-1], seed=len(versions)))
    yield Document("edited", versions)
    yield Document("appended", list(grown(library_text(2 * MADE_BYTES, skip=MADE_BYTES), count)))
