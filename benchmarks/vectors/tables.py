"""Owns the vectors that are measured: the tables of floats in a directory that come with questions, or a made one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.reduction.corpora import Array, Directory, Neighbours, read_file
from benchmarks.reduction.loss import nearest
from stratakv.errors import ConfigurationError

ROWS, QUESTIONS, DIMENSION, CLUSTERS = 4000, 200, 384, 60
QUICK_ROWS, QUICK_QUESTIONS = 1200, 200
_ALIKE = 0.7
"""Share of a vector that is its cluster's."""


class Table(NamedTuple):
    """Vectors with questions.

    Attributes:
        name: The file's without endings.
        base: float32, a vector a row.
        neighbours: The questions, and the ten nearest rows of each.
    """

    name: str
    base: Array
    neighbours: Neighbours


def tables(data: str | None, only: list[str], *, quick: bool) -> tuple[str, list[Table]]:
    """Return what is measured, in words and as tables.

    Raises:
        ConfigurationError: There is nothing to measure, or nothing of a name.
        RecordFileError: An array cannot be read.
    """
    if data is None:
        what, found = "vectors made with a fixed seed: correlated, in clusters", [made()]
    else:
        what, found = "recorded vectors", _of_directory(Directory(Path(data)), only)
    known = [table.name for table in found]
    if unknown := [name for name in only if name not in known]:
        raise ConfigurationError(f"there are no vectors named {', '.join(unknown)}")
    if not found:
        raise ConfigurationError(f"no file of {data} has a table `base` of float32 with `query` and `gt_top10`")
    chosen = [table for table in found if not only or table.name in only]
    return what, [shortened(table) if quick else table for table in chosen]


def _of_directory(directory: Directory, only: list[str]) -> list[Table]:
    files = [file for file in directory.files if ".npz" in file.path.suffixes and (not only or file.stem in only)]
    corpora = [corpus for file in files for corpus in read_file(file, [])]
    made = []
    for corpus in corpora:
        values = list(corpus.items.values())
        if corpus.neighbours is not None and len(values) == 1 and values[0].dtype == np.float32:
            made.append(Table(corpus.name, values[0], corpus.neighbours))
    return made


def made(rows: int = ROWS, questions: int = QUESTIONS) -> Table:
    """Return unit vectors in clusters whose spread falls like one over the number of a hidden direction."""
    chance = np.random.default_rng(6)
    spread = 1.0 / np.sqrt(np.arange(1, DIMENSION + 1))
    hidden = np.linalg.qr(chance.standard_normal((DIMENSION, DIMENSION)))[0]
    clusters = chance.standard_normal((CLUSTERS, DIMENSION)) * spread
    count = rows + questions
    own = chance.standard_normal((count, DIMENSION)) * spread
    points: Any = _ALIKE * clusters[chance.integers(CLUSTERS, size=count)] + (1 - _ALIKE) * own
    points = (points + 0.5 * spread) @ hidden
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return _with_truth("made", points[:rows], points[rows:])


def shortened(table: Table) -> Table:
    """Return the beginning of a table, with the nearest of its own rows."""
    return _with_truth(table.name, table.base[:QUICK_ROWS].copy(), table.neighbours.queries[:QUICK_QUESTIONS])


def _with_truth(name: str, base: Array, queries: Array) -> Table:
    return Table(name, base, Neighbours(queries, nearest(base, queries, "cosine"), "cosine"))
