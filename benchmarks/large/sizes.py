"""Owns what versions take in a store at rest: after all were stored, and after each of them.

Every version is read back and compared. Counted are files of a store that is closed; what an empty store has anyway
(reserve, schema of the catalog) is told apart, since it does not grow.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import DifferenceError
from benchmarks.large.stores import opened, settle
from benchmarks.reduction.sizes import dictionary_bytes, files_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.large.documents import Document

Sizes = dict[str, int]

WAYS: dict[str, dict[str, Any]] = {
    "default": {},
    "cut from 64 KB": {"large_value_kb": 64},
    "never cut": {"large_value_kb": 1 << 20},
}
"""Settings of `deduplication`: as they are, with nearly every version in chunks, and with none."""


def sizes_of(document: Document, progress: Callable[[], None]) -> dict[str, Any]:
    """Return a document's sizes by way: `together`, all versions settled at once; `one_by_one`, after each of them.

    Raises:
        DifferenceError: A version came back changed.
        UnsettledError: A store does not come to rest.
    """
    made: dict[str, Any] = {}
    for name, settings in WAYS.items():
        with tempfile.TemporaryDirectory(prefix="stratakv-large-") as directory:
            together = _stored(Path(directory), settings, document, range(len(document.versions)))
        progress()
        one_by_one = []
        with tempfile.TemporaryDirectory(prefix="stratakv-large-") as directory:
            for number in range(len(document.versions)):
                one_by_one.append(_stored(Path(directory), settings, document, range(number, number + 1)))
                progress()
            _compare(Path(directory), settings, document)
        made[name] = {"together": together, "one_by_one": one_by_one}
    return made


def rounds_of(document: Document) -> int:
    """Return how often `sizes_of` tells its progress."""
    return len(WAYS) * (1 + len(document.versions))


def empty_bytes() -> Sizes:
    """Return what a store holds in which there is nothing."""
    with tempfile.TemporaryDirectory(prefix="stratakv-large-") as directory:
        with opened(Path(directory)) as memory:
            memory.maintain(settle=True)
        return _measured(Path(directory))


def _key(number: int) -> str:
    return f"version:{number}"


def _stored(path: Path, settings: dict[str, Any], document: Document, numbers: range) -> Sizes:
    with opened(path, **settings) as memory:
        for number in numbers:
            memory.store(_key(number), document.versions[number])
        settle(memory, path)
    sizes = _measured(path)
    if len(numbers) == len(document.versions) > 1:
        _compare(path, settings, document)
    return sizes


def _compare(path: Path, settings: dict[str, Any], document: Document) -> None:
    with opened(path, **settings) as memory:
        for number, version in enumerate(document.versions):
            if memory.retrieve(_key(number)) != version:
                raise DifferenceError(f"version {number} of {document.name} came back changed")


def _measured(path: Path) -> Sizes:
    """Measure a closed store: packs with dictionaries; the rest of the catalog; all files."""
    files, dictionaries = files_of(path), dictionary_bytes(path)
    payload = files.warm_packs + files.cold_packs + dictionaries
    return {"payload": payload, "catalog": files.catalog - dictionaries, "files": files.total}
