"""Owns reading the columns `key,size,op,ts` of a .csv file. What the numbers mean is checked by who takes them.

Keys are any text, and become numbers at once: a table of the different keys is all the text that is held.
"""

from __future__ import annotations

import csv
from array import array
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from stratakv.cli.record_streams import damage_named, open_raw, open_stream
from stratakv.errors import ConfigurationError
from stratakv.policies.simulation.trace import DELETE, GET, PUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

LONGEST_LINE = 1 << 20
LONGEST_KEY = 1024
MISSING = -1
"""Stands in the column `size` where there is none."""

_OPS = {"get": GET, "put": PUT, "delete": DELETE, "0": GET, "1": PUT, "2": DELETE}
_BOM = b"\xef\xbb\xbf"
# Larger than any size that is accepted, and small enough for an array.
_HUGE = (1 << 63) - 1


def read_columns(path: Path, compression: str, most_rows: int) -> dict[str, NDArray[Any]]:
    """Read a file whose first line names its columns, in any order.

    Args:
        path: The file.
        compression: What `open_stream` takes.
        most_rows: At most one row more than this is read.

    Returns:
        The columns that are there: `key` numbered in order of first appearance, `size` (or MISSING) and `op` as
        integers, `ts` as floats.

    Raises:
        ConfigurationError: The file is missing, a column is unknown, or a row cannot be read; the message names the
            line.
        RecordFileError: The compressed stream is damaged or ends early.
    """
    with open_raw(path) as raw, damage_named(path):
        rows = csv.reader(_lines(path, open_stream(raw, compression)), strict=True)
        try:
            return _columns(path, rows, most_rows)
        except csv.Error as error:
            raise ConfigurationError(f"{path}:{rows.line_num}: not CSV: {error}") from error
        except ValueError as error:
            if isinstance(error, ConfigurationError):
                raise
            raise ConfigurationError(f"{path}:{rows.line_num}: {error}") from error


def _lines(path: Path, stream: IO[bytes]) -> Iterator[str]:
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise ConfigurationError(f"{path}:{number}: longer than {LONGEST_LINE >> 20} MiB")
        try:
            yield (line.removeprefix(_BOM) if number == 1 else line).decode()
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{path}:{number}: not UTF-8 at byte {error.start}") from error


def _columns(path: Path, rows: Any, most_rows: int) -> dict[str, NDArray[Any]]:
    names = [name.strip().lower() for name in next(rows, [])]
    _check_names(path, names)
    numbers: dict[str, int] = {}
    columns: dict[str, array[Any]] = {name: array("d" if name == "ts" else "q") for name in names}
    takes = [_taker(name, numbers, columns[name]) for name in names]
    width = len(names)
    for row in rows:
        if len(row) != width:
            if not row:
                continue
            raise ValueError(f"has {len(row)} values, but there are {width} columns")
        for take, text in zip(takes, row, strict=True):
            take(text)
        if len(columns["key"]) > most_rows:
            break
    return {name: np.array(column) for name, column in columns.items()}


def _check_names(path: Path, names: list[str]) -> None:
    known = "key, size, op, ts"
    for place, name in enumerate(names):
        if name not in known.split(", "):
            raise ConfigurationError(
                f"{path}: unknown column {name!r}: the first line names the columns, and known are {known}"
            )
        if name in names[:place]:
            raise ConfigurationError(f"{path}: column {name!r} is there twice")
    if names and "key" not in names:
        raise ConfigurationError(f"{path}: has no column 'key'; known are {known}")
    if not names:
        raise ConfigurationError(f"{path}: has no requests; the first line names the columns: {known}")


def _taker(name: str, numbers: dict[str, int], column: array[Any]) -> Callable[[str], None]:
    """Return what adds one value's text to its column, or raises ValueError."""
    add = column.append

    def take_key(text: str) -> None:
        if not text:
            raise ValueError("the key is empty")
        if len(text) > LONGEST_KEY:
            raise ValueError(f"the key is longer than {LONGEST_KEY:,} characters")
        add(numbers.setdefault(text, len(numbers)))

    def take_size(text: str) -> None:
        digits = text.strip()
        if not digits:
            add(MISSING)
            return
        if not (digits.isascii() and digits.removeprefix("-").isdigit()):
            raise ValueError(f"the size {text!r} is not a whole number of bytes")
        if digits.startswith("-"):
            raise ValueError(f"the size {text!r} is negative")
        add(min(int(digits[:20]), _HUGE))

    def take_op(text: str) -> None:
        op = _OPS.get(text.strip().lower())
        if op is None:
            raise ValueError(f"{text!r} is no operation: get, put, delete, or 0, 1, 2")
        add(op)

    def take_time(text: str) -> None:
        try:
            add(float(text))
        except ValueError:
            raise ValueError(f"the time {text!r} is not a number") from None

    return {"key": take_key, "size": take_size, "op": take_op, "ts": take_time}[name]
