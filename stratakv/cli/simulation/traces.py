"""Owns reading a file of recorded requests as a `Trace`: .npz or .csv, plain or compressed.

It never unpickles and never guesses: a column it does not know, times that run backwards or an impossible size are
errors that name the file and the place. Whatever the file claims, memory is bounded by `MOST_REQUESTS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from stratakv.cli.record_streams import COMPRESSIONS, RecordFileError, split_suffixes
from stratakv.cli.records import RecordFile
from stratakv.cli.simulation.csv_columns import read_columns
from stratakv.errors import ConfigurationError
from stratakv.policies.simulation.trace import DELETE, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MOST_REQUESTS = 50_000_000
LARGEST_SIZE = 1 << 36

# What recorded traces may have beside the columns that are used; some of it is not one entry for each request.
_PASSED_OVER = ("value_id", "req", "input_length", "output_length")
_USED = ("key", "size", "op", "ts")


def read_trace(file: str | Path) -> Trace:
    """Read a trace.

    Args:
        file: Its name ends in .npz or .csv, then perhaps in .gz, .xz or .zst.

    Raises:
        ConfigurationError: It is missing, damaged, of another kind, empty, or its columns cannot be used; the message
            says where and what to do.
    """
    path = Path(file)
    stem, kind, compression = split_suffixes(path)
    try:
        if kind == ".csv":
            columns: Mapping[str, NDArray[Any]] = read_columns(path, compression, MOST_REQUESTS)
        elif kind == ".npz":
            columns = _arrays(path)
        else:
            raise ConfigurationError(
                f"cannot tell what {path} holds: a trace's name ends in .npz or .csv, "
                f"optionally followed by {', '.join(COMPRESSIONS)}"
            )
    except RecordFileError as error:
        raise ConfigurationError(str(error)) from error
    return _Columns(path, columns).trace(stem)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    file = RecordFile(path)
    columns = {}
    for key, array in file:
        name = key.removeprefix(f"{file.stem}:")
        if name in _USED:
            columns[name] = array
        elif name not in _PASSED_OVER:
            raise ConfigurationError(
                f"{path}: unknown array {name!r}: known are {', '.join((*_USED, *_PASSED_OVER))}; "
                "rename it or leave it out"
            )
    return columns


class _Columns:
    """The columns of one file, on their way to a trace."""

    def __init__(self, path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
        self._path = path
        self._columns = columns
        self._length = 0

    def trace(self, name: str) -> Trace:
        """Return the trace.

        Raises:
            ConfigurationError: A column cannot be used.
        """
        keys = self._columns.get("key")
        if keys is None:
            self._refuse("has no column 'key'")
        if keys.ndim != 1 or keys.dtype.kind not in "iuUS":
            self._refuse("column 'key' must be one row of integers or texts")
        self._length = len(keys)
        if not self._length:
            self._refuse("has no requests")
        if self._length > MOST_REQUESTS:
            self._refuse(f"has more than {MOST_REQUESTS:,} requests: split it, or take a sample of its keys")
        ops = self._ops()
        return Trace(name, _dense(keys), self._sizes(ops), ops, self._times())

    def _ops(self) -> NDArray[np.uint8] | None:
        ops = self._column("op", "iu", "integers: 0 get, 1 put, 2 delete")
        if ops is None:
            return None
        self._refuse_where((ops < 0) | (ops > DELETE), ops, "is no operation: 0 get, 1 put, 2 delete")
        return ops.astype(np.uint8)

    def _sizes(self, ops: NDArray[np.uint8] | None) -> NDArray[np.int64] | None:
        sizes = self._column("size", "iu", "integers, in bytes")
        if sizes is None:
            return None
        if ops is not None:
            sizes = np.where(ops == DELETE, 0, sizes)
        self._refuse_where(sizes < 0, sizes, "is no size: it is negative or missing")
        self._refuse_where(sizes > LARGEST_SIZE, sizes, f"is more than the largest size, {LARGEST_SIZE} bytes")
        return sizes.astype(np.int64)

    def _times(self) -> NDArray[np.float64] | None:
        times = self._column("ts", "iuf", "numbers")
        if times is None:
            return None
        self._refuse_where(~np.isfinite(times), times, "is no time")
        backwards = np.append(False, times[1:] < times[:-1])
        self._refuse_where(backwards, times, "is an earlier time than the one before: sort the requests by time")
        return times.astype(np.float64)

    def _column(self, name: str, kinds: str, wanted: str) -> NDArray[Any] | None:
        column = self._columns.get(name)
        if column is None:
            return None
        if column.shape != (self._length,):
            self._refuse(f"column {name!r} has the shape {column.shape}, but there are {self._length:,} keys")
        if column.dtype.kind not in kinds:
            self._refuse(f"column {name!r} must be {wanted}, not {column.dtype}")
        return column

    def _refuse_where(self, wrong: NDArray[np.bool_], column: NDArray[Any], why: str) -> None:
        if wrong.any():
            first = int(np.argmax(wrong))
            self._refuse(f"request {first + 1:,}: {column[first]} {why}")

    def _refuse(self, why: str) -> NoReturn:
        raise ConfigurationError(f"{self._path}: {why}")


def _dense(keys: NDArray[Any]) -> NDArray[np.int64]:
    """Number the keys in the order in which they first appear."""
    if keys.dtype.kind in "iu" and keys[0] == 0:
        highest = np.maximum.accumulate(keys)
        # Numbered so already: each is at most one more than all before.
        if keys.min() >= 0 and not (highest[1:] - highest[:-1] > 1).any():
            return keys.astype(np.int64)
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number]
