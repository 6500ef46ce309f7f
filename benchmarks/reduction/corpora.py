"""Owns reading a directory of recorded data, or the demo's records, as corpora of keys and values.

JSON lines are a value each, tables of edges graphs of 10,000 edges, arrays whole; tables of vectors also row by row;
arrays named as the parts of a CSR matrix become one. What is not understood is named, never guessed.
"""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from stratakv.cli.demonstration.workload import workload_from_python
from stratakv.cli.records import KINDS, RecordFile
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = NDArray[Any]
Kind = Literal["json", "graph", "arrays", "vectors"]

EDGES = 10_000
ROWS = " (rows)"
KEY_FIELDS = ("id", "key")
_SPARSE_PARTS = ("indptr", "indices", "data", "shape")
_DEMO_BYTES = {False: 2_000_000, True: 400_000}
_QUICK_BYTES = 400_000


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Questions to a table of vectors, and the rows that answer them.

    Attributes:
        queries: One question a row.
        truth: The numbers of the nearest rows, nearest first, for each question.
        metric: What "near" means.
    """

    queries: Array
    truth: Array
    metric: Literal["cosine", "L2"]


@dataclass(slots=True)
class Corpus:
    """Values to be stored together.

    Attributes:
        name: The file's name without endings; with " (rows)" where its vectors are values of their own.
        kind: What the values are.
        items: Key -> value.
        neighbours: Where the vectors come with questions and answers.
        confident: Whether the graph's edges have a number as their fourth column.
    """

    name: str
    kind: Kind
    items: dict[str, Any] = field(default_factory=dict)
    neighbours: Neighbours | None = None
    confident: bool = False


@dataclass(slots=True)
class Directory:
    """The corpora below a directory.

    Args:
        place: A file, a directory with the files, or one with a folder `values` that has them.

    Attributes:
        files: What can be read, by name.
        skipped: One line for each thing that is left out.

    Raises:
        ConfigurationError: No such directory, or nothing in it can be read.
    """

    place: Path
    files: list[RecordFile] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        folder = self.place / "values"
        folder = folder if folder.is_dir() else self.place
        if not folder.exists():
            raise ConfigurationError(f"{self.place} is no directory and no file")
        paths = [folder] if folder.is_file() else folder.iterdir()
        for path in sorted(path for path in paths if path.is_file()):
            try:
                self.files.append(RecordFile(path))
            except ConfigurationError:
                self.skipped.append(f"{path.name}: not one of {', '.join(KINDS)}, perhaps compressed")
        if not self.files:
            raise ConfigurationError(f"nothing in {folder} can be read: names must end in {', '.join(KINDS)}")

    def names(self) -> list[str]:
        """Return the names that `corpora(only=...)` knows: one for each file, whatever corpora it gives."""
        return [file.stem for file in self.files]

    def corpora(self, only: list[str], *, quick: bool) -> Iterator[Corpus]:
        """Yield the corpora whose file, or whose own name, is among `only`; all of them where that is empty.

        Raises:
            RecordFileError: A line or array cannot be read; the message names file and line.
        """
        for file in self.files:
            wanted = {name for name in only if name.removesuffix(ROWS) == file.stem}
            if only and not wanted:
                continue
            for corpus in read_file(file, self.skipped):
                if not only or wanted & {file.stem, corpus.name}:
                    yield shortened(corpus) if quick else corpus


SHORTEST_VECTOR = 16
"""A table of floats with rows of so many numbers is also taken for vectors, one a value."""


def read_file(file: RecordFile, skipped: list[str]) -> list[Corpus]:
    """Return the corpora that a file holds; add what must be left out to `skipped`."""
    suffixes = file.path.suffixes
    if {".jsonl", ".ndjson"} & set(suffixes):
        return [Corpus(file.stem, "json", _keyed(file.stem, list(file)))]
    if ".tsv" in suffixes:
        return [_graph(file)]
    arrays = {key.partition(":")[2] or key: np.array(array, order="K") for key, array in file}
    if _is_vectors(arrays):
        return _vectors(file.stem, arrays)
    whole = Corpus(file.stem, "arrays", _composed(file.stem, arrays, skipped))
    tables = [array for array in arrays.values() if array.ndim == 2 and array.dtype.kind == "f"]
    rows = {
        f"{file.stem}:{number}:{row}": vector.copy()
        for number, table in enumerate(tables)
        if table.shape[1] >= SHORTEST_VECTOR
        for row, vector in enumerate(table)
    }
    return [whole, Corpus(file.stem + ROWS, "vectors", rows)] if rows else [whole]


def _keyed(stem: str, records: list[tuple[str, Any]]) -> dict[str, Any]:
    """Take a field as the key where every record has it and no two have the same; else file and line."""
    for name in KEY_FIELDS:
        found = [value.get(name) if isinstance(value, dict) else None for _, value in records]
        keys = {str(key) for key in found if type(key) in {str, int} and 0 < len(str(key).encode()) <= 1024}
        if len(keys) == len(records):
            return {str(key): value for key, (_, value) in zip(found, records, strict=True)}
    return {f"{stem}:{place.rpartition(':')[2]}": value for place, value in records}


def _graph(file: RecordFile) -> Corpus:
    edges = [[*row[:3], *map(_number, row[3:4]), *row[4:]] for _, row in file]
    starts = range(0, len(edges), EDGES)
    items = {f"{file.stem}:{start}": edges[start : start + EDGES] for start in starts}
    confident = bool(edges) and all(len(edge) == 4 and isinstance(edge[3], float) for edge in edges)
    return Corpus(file.stem, "graph", items, confident=confident)


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _is_vectors(arrays: dict[str, Array]) -> bool:
    """Tell whether it is a table of vectors: questions and their answers stand beside it."""
    base, truth = arrays.get("base"), arrays.keys() & {"gt_top10", "groundtruth"}
    return base is not None and base.ndim == 2 and base.dtype.kind in "fu" and "query" in arrays and bool(truth)


def _vectors(stem: str, arrays: dict[str, Array]) -> list[Corpus]:
    cosine = "gt_top10" in arrays
    truth = arrays["gt_top10" if cosine else "groundtruth"]
    neighbours = Neighbours(arrays["query"], truth, "cosine" if cosine else "L2")
    base = arrays["base"]
    rows = {f"{stem}:{number}": row.copy() for number, row in enumerate(base)}
    return [
        Corpus(stem, "vectors", {f"{stem}:base": base}, neighbours),
        Corpus(stem + ROWS, "vectors", rows, neighbours),
    ]


def _composed(stem: str, arrays: dict[str, Array], skipped: list[str]) -> dict[str, Any]:
    """Return an archive's values: CSR matrices of their parts, bits unpacked, all other arrays as they are."""
    items: dict[str, Any] = {}
    for name in [name.removesuffix(".indptr") for name in arrays if name.endswith(".indptr")]:
        parts = [arrays.pop(f"{name}.{part}", None) for part in _SPARSE_PARTS]
        items |= _matrix(f"{stem}:{name}", parts, skipped)
    if "bits" in arrays and "n_features" in arrays:
        features = int(arrays.pop("n_features"))
        items[f"{stem}:bits"] = np.unpackbits(arrays.pop("bits"), axis=1)[:, :features].astype(bool)
    return items | {f"{stem}:{name}": array for name, array in arrays.items()}


def _matrix(key: str, parts: list[Array | None], skipped: list[str]) -> dict[str, Any]:
    try:
        from scipy.sparse import csr_matrix
    except ImportError:
        skipped.append(f"{key}: sparse matrices need scipy")
        return {}
    indptr, indices, data, shape = parts
    if indptr is None or indices is None or data is None or shape is None:
        skipped.append(f"{key}: a CSR matrix needs {', '.join(_SPARSE_PARTS)}")
        return {}
    return {key: csr_matrix((data, indices, indptr), shape=tuple(map(int, shape)))}


def demo_corpora(only: list[str], *, quick: bool) -> Iterator[Corpus]:
    """Yield the demo's records, one corpus for each of its kinds."""
    work = workload_from_python(Path(sysconfig.get_path("stdlib")), _DEMO_BYTES[quick])
    final = work.final()
    kinds: dict[str, Kind] = {"semantic": "json", "vectors": "vectors"}
    for name in work.kinds:
        if not only or name in only:
            items = {key: value for key, value in final.items() if key.startswith(f"{name}:")}
            yield Corpus(name, kinds.get(name, "json"), items)


def shortened(corpus: Corpus) -> Corpus:
    """Return the beginning of a corpus, about 400 KB of it; one value at the least, and tables of vectors in rows."""
    items: dict[str, Any] = {}
    total = 0
    for key, value in corpus.items.items():
        if items and total >= _QUICK_BYTES:
            break
        items[key] = value
        total += value.nbytes if isinstance(value, np.ndarray) else len(repr(value))
    neighbours = corpus.neighbours
    if neighbours is not None and len(items) < len(corpus.items):
        neighbours = _nearest(np.stack(list(items.values())), neighbours)
    return Corpus(corpus.name, corpus.kind, items, neighbours, corpus.confident)


def _nearest(base: Array, whole: Neighbours) -> Neighbours:
    """Return the questions with answers among these rows only."""
    from benchmarks.reduction.loss import nearest

    queries = whole.queries[:50]
    return Neighbours(queries, nearest(base, queries, whole.metric), whole.metric)
