"""Owns finding values for benchmarks of single operations: small records, all of one run different from each other.

They are JSON lines of a directory, or the demo's records. diskcache keeps what pickles to 32 KB and more in files,
which it does not sync: larger values are left out, so that every contender syncs all that it writes.
"""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.reduction.corpora import Directory, demo_corpora, read_file
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.reduction.corpora import Corpus

MOST_BYTES = 24_000
"""Of a pickle: below what diskcache puts into a file, with room for what tells two writes apart."""
MOST, QUICK_MOST = 4000, 1000
DEMO_KIND = "episodic"
_LINES = {".jsonl", ".ndjson"}


class Records(NamedTuple):
    """Values for a run.

    Attributes:
        what: Where they come from, and how large they are.
        values: In an order that mixes their kinds; the same in every run.
    """

    what: str
    values: list[Any]


def records(data: str | None, only: list[str], *, quick: bool) -> Records:
    """Return `MOST` values at the most, or `QUICK_MOST`, from all files alike.

    Raises:
        ConfigurationError: Nothing is small enough, or there is no file of a name.
        RecordFileError: A line cannot be read.
    """
    if data is None:
        source = "records of functions and classes of the Python installation"
        corpora = list(demo_corpora([DEMO_KIND], quick=quick))
    else:
        corpora = list(_of_directory(Directory(Path(data)), only))
        source = f"recorded values: {', '.join(corpus.name for corpus in corpora)}"
    chance = random.Random(7)
    most = QUICK_MOST if quick else MOST
    values = []
    for corpus in corpora:
        sizes = ((len(pickle.dumps(value)), value) for value in corpus.items.values())
        small = [(size, value) for size, value in sizes if size <= MOST_BYTES]
        values += chance.sample(small, min(len(small), -(-most // len(corpora))))
    if not values:
        raise ConfigurationError(f"no value of {source} pickles to {MOST_BYTES:,} bytes or fewer")
    chance.shuffle(values)
    values = values[:most]
    mean = sum(size for size, _ in values) / len(values)
    return Records(f"{len(values):,} {source}; pickled {mean:,.0f} bytes on average", [value for _, value in values])


def _of_directory(directory: Directory, only: list[str]) -> Iterator[Corpus]:
    files = [file for file in directory.files if _LINES & set(file.path.suffixes)]
    known = [file.stem for file in files]
    if unknown := [name for name in only if name not in known]:
        raise ConfigurationError(f"there are no JSON lines named {', '.join(unknown)}")
    if not files:
        raise ConfigurationError(f"no file of {directory.place} has JSON lines")
    for file in files:
        if not only or file.stem in only:
            yield from read_file(file, [])


def marked(value: Any, number: int) -> Any:
    """Return a value that is like the given one and equal to none with another number."""
    return {**value, "number of this write": number} if isinstance(value, dict) else [number, value]
