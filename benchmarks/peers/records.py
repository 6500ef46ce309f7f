"""Owns the records that every store gets: chosen from corpora, and lying in a file from which each is read afresh.

Afresh, because a store that keeps live objects would else keep those of the benchmark, and its RAM would not be seen.
"""

from __future__ import annotations

import pickle
import random
import statistics
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from benchmarks.large.documents import FIELDS
from benchmarks.peers.by_hand import packed
from benchmarks.peers.protocol import Room
from benchmarks.reduction.corpora import Directory, demo_corpora
from benchmarks.reduction.sizes import deep_bytes
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.reduction.corpora import Corpus

LONGEST_KEY = 200
"""Bytes of a key as part of a file's name: zict's limit, and below LMDB's of 511."""

LARGEST_VALUE = 1 << 16
_SAMPLE = 300


class Records(NamedTuple):
    """Keys and values.

    Attributes:
        file: Has the pickled values, one behind the other.
        keys: In the order of the file.
        places: Where in the file each value begins.
        sizes: The bytes of each value as MessagePack.
        live: Bytes of a value and its key as Python objects, the mean of some.
    """

    file: Path
    keys: list[str]
    places: list[int]
    sizes: list[int]
    live: float

    def value(self, number: int) -> Any:
        """Return a value as an object that nobody else has."""
        with self.file.open("rb") as file:
            file.seek(self.places[number])
            return pickle.load(file)

    def room(self, size: int) -> Room:
        """Return RAM of so many bytes."""
        return Room(size, max(1, int(size / self.live)))


class Chosen(NamedTuple):
    """Records in words and as pairs of key and value; how many were left out because not every store can have them."""

    what: str
    items: list[tuple[str, Any]]
    left_out: int


def chosen(data: str | None, only: list[str], count: int, *, quick: bool) -> Chosen:
    """Take records from JSON lines and vectors in turn, in an order fixed by a seed.

    Whole documents, their versions, and tables are not records of this kind: `large` and `reduction` measure them.

    Raises:
        ConfigurationError: There is nothing to measure, or nothing of a name.
        RecordFileError: A line or array cannot be read.
    """
    found = [corpus for corpus in _corpora(data, only, quick=quick) if len(corpus.items) > 1 and _has_records(corpus)]
    if not found:
        raise ConfigurationError("no corpus has JSON records or rows of vectors")
    fitting: list[list[tuple[str, Any]]] = []
    left_out = 0
    for corpus in found:
        items = [(f"{corpus.name}:{key}", value) for key, value in corpus.items.items()]
        random.Random(corpus.name).shuffle(items)
        kept = [item for item in items[: 2 * count] if _size(*item) is not None]
        left_out += len(items[: 2 * count]) - len(kept)
        fitting.append(kept)
    mixed = [item for turn in zip_longest(*fitting) for item in turn if item is not None][:count]
    source = "records of the demo" if data is None else "recorded data"
    return Chosen(f"{source}: {', '.join(corpus.name for corpus in found)}", mixed, left_out)


def _corpora(data: str | None, only: list[str], *, quick: bool) -> Iterator[Corpus]:
    if data is None:
        return demo_corpora(only, quick=quick)
    directory = Directory(Path(data))
    if unknown := [name for name in only if name not in directory.names()]:
        raise ConfigurationError(f"there is no {', '.join(unknown)}: known are {', '.join(directory.names())}")
    directory.files = [file for file in directory.files if ".tsv" not in file.path.suffixes]
    return directory.corpora(only, quick=False)


def _has_records(corpus: Corpus) -> bool:
    first = next(iter(corpus.items.values()))
    versions = isinstance(first, dict) and (first.keys() >= FIELDS or "version" in first)
    return corpus.kind in {"json", "vectors"} and not versions


def _size(key: str, value: Any) -> int | None:
    """Return the bytes of a value as MessagePack; None where a store could not have it."""
    if len(quote(key, safe="")) > LONGEST_KEY:
        return None
    try:
        size = len(packed(value))
    except (TypeError, ValueError, OverflowError):
        return None
    return size if size <= LARGEST_VALUE else None


def written(items: list[tuple[str, Any]], file: Path) -> Records:
    """Write the values into a file."""
    places = []
    with file.open("wb") as target:
        for _, value in items:
            places.append(target.tell())
            pickle.dump(value, target, pickle.HIGHEST_PROTOCOL)
    live = statistics.mean(deep_bytes([key, value]) for key, value in items[:_SAMPLE])
    return Records(file, [key for key, _ in items], places, [len(packed(value)) for _, value in items], live)
