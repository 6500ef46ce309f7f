"""Owns reading users' files as (key, value) pairs: JSON lines, numpy arrays and tab-separated rows.

It never stores anything, never unpickles, and never guesses: a line it cannot read is an error naming file
and line. Every pair has a key a store accepts, and no two pairs of one file have the same key.
"""

from __future__ import annotations

import io
import json
import tempfile
import warnings
import zipfile
from pathlib import Path
from tokenize import TokenError
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import numpy as np

from stratakv.cli.record_streams import (
    COMPRESSIONS,
    RecordFileError,
    damage_named,
    open_raw,
    open_stream,
    split_suffixes,
)
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KINDS", "RecordFile", "RecordFileError"]

KINDS = (".jsonl", ".ndjson", ".tsv", ".npz", ".npy")
LONGEST_LINE = 256 << 20
LARGEST_ARRAY = 2 << 30
LONGEST_KEY = 1024
_BOM = b"\xef\xbb\xbf"
_SPOOL = 64 << 20


class RecordFile:
    """One file of records; each iteration reads it from the start.

    Args:
        path: The file. Its name ends in one of `KINDS`, then perhaps ".gz", ".xz" or ".zst".
        key_field: For JSON lines, the field that holds the key, dotted for a field within a field. For TSV,
            the column, counted from 1. Without it the key is `<file stem>:<line number>`, for arrays
            `<file stem>:<array name>`.
        rows: How many rows make one value. For TSV 1, the default, gives a list of strings; more, a list of such
            lists. For arrays the default is the whole array; 1 gives each row, more an array of such rows, and the
            key is `<file stem>/<array name>:<row>`, in .npy files `<file stem>:<row>`, rows counted from 0 as numpy
            does.

    Attributes:
        stem: The file's name without directory and endings.
        size: The file's own bytes, compressed where it is; what `position` runs up to.
        content_bytes: Bytes of lines and arrays, decompressed, read so far in the running iteration.
        array_rows: Rows of arrays that were given one by one in the running iteration.

    Raises:
        ConfigurationError: No such file, an unknown ending, or an option that does not go with the kind.
    """

    def __init__(self, path: str | Path, key_field: str | None = None, rows: int | None = None) -> None:
        self.path = Path(path)
        self.stem, self._kind, self._compression = split_suffixes(self.path)
        if self._kind not in KINDS:
            raise ConfigurationError(
                f"cannot tell what {self.path} holds: its name must end in {', '.join(KINDS)}, "
                f"optionally followed by {', '.join(COMPRESSIONS)}"
            )
        if rows is not None and rows < 1:
            raise ConfigurationError(f"rows must be 1 or more, not {rows}")
        if (rows or 1) > 1 and (self._kind in {".jsonl", ".ndjson"} or key_field is not None):
            raise ConfigurationError(f"{self.path}: rows are joined only for .tsv without a key column, .npz and .npy")
        if key_field is not None:
            self._check_key_field(key_field)
        self._key_field = key_field
        self._rows = rows or 1
        self._split_arrays = rows is not None
        with open_raw(self.path) as raw:
            self.size = raw.seek(0, io.SEEK_END)
        self._raw: BinaryIO | None = None
        self._last_position = 0
        self.content_bytes = 0
        self.array_rows = 0

    @property
    def is_compressed(self) -> bool:
        """Whether the file's own bytes are fewer than what they hold: .gz, .xz, .zst."""
        return bool(self._compression)

    @property
    def position(self) -> int:
        """Bytes of the file read so far in the running iteration. Asks the system, so not for every record."""
        return self._last_position if self._raw is None or self._raw.closed else self._raw.tell()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yield each key and value in the file's order.

        Raises:
            RecordFileError: A line, array or key cannot be used; the message names file and line.
        """
        read = {".tsv": self._tsv, ".npz": self._npz, ".npy": self._npy}.get(self._kind, self._jsonl)
        self._last_position = self.content_bytes = self.array_rows = 0
        with open_raw(self.path) as raw:
            self._raw = raw
            yield from read(raw)
        self._last_position = self.size

    def _check_key_field(self, key_field: str) -> None:
        if self._kind in {".npz", ".npy"}:
            raise ConfigurationError(f"{self.path}: arrays have no key field; their names are the keys")
        if not all(key_field.split(".")):
            raise ConfigurationError(f"the key field {key_field!r} has an empty part")
        if self._kind == ".tsv" and not (key_field.isascii() and key_field.isdigit() and int(key_field) > 0):
            raise ConfigurationError(
                f"{self.path}: the key of a .tsv file is a column number from 1, not {key_field!r}"
            )

    def _lines(self, raw: BinaryIO) -> Iterator[tuple[int, bytes]]:
        stream = open_stream(raw, self._compression)
        number = 0
        with damage_named(self.path):
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                length = len(line)
                if length > LONGEST_LINE:
                    raise self._wrong(number, f"longer than {LONGEST_LINE >> 20} MiB; one value must fit in a line")
                if number == 1:
                    line = line.removeprefix(_BOM)
                self.content_bytes += length
                if not line.isspace():
                    yield number, line

    def _jsonl(self, raw: BinaryIO) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        loads = json.loads
        for number, line in self._lines(raw):
            try:
                value = loads(line.decode())
            except RecursionError as error:
                raise self._wrong(number, "nested too deeply") from error
            except UnicodeDecodeError as error:
                raise self._wrong(number, f"not UTF-8 at byte {error.start}") from error
            except json.JSONDecodeError as error:
                raise self._wrong(number, f"not JSON: {error.msg} at column {error.colno}") from error
            except ValueError as error:
                raise self._wrong(number, f"not JSON: {error}") from error
            if self._key_field is None:
                yield f"{self.stem}:{number}", value
            else:
                yield self._unique(seen, number, self._field(number, value)), value

    def _tsv(self, raw: BinaryIO) -> Iterator[tuple[str, Any]]:
        seen: dict[str, int] = {}
        column = int(self._key_field) if self._key_field else 0
        batch: list[list[str]] = []
        first = 0
        for number, line in self._lines(raw):
            try:
                row = line.rstrip(b"\r\n").decode().split("\t")
            except UnicodeDecodeError as error:
                raise self._wrong(number, f"not UTF-8 at byte {error.start}") from error
            if column:
                if column > len(row):
                    raise self._wrong(number, f"has {len(row)} columns, so no column {column} for the key")
                yield self._unique(seen, number, row[column - 1]), row
            elif self._rows == 1:
                yield f"{self.stem}:{number}", row
            else:
                first = first or number
                batch.append(row)
                if len(batch) == self._rows:
                    yield f"{self.stem}:{first}", batch
                    batch, first = [], 0
        if batch:
            yield f"{self.stem}:{first}", batch

    def _field(self, number: int, value: Any) -> str:
        found = value
        for part in (self._key_field or "").split("."):
            if not isinstance(found, dict) or part not in found:
                raise self._wrong(number, f"has no field {self._key_field!r} for the key")
            found = found[part]
        # A number is a common identifier and has one spelling; true, 1.5 or a list would hide a mistake.
        if type(found) is int:
            return str(found)
        if not isinstance(found, str):
            raise self._wrong(number, f"field {self._key_field!r} is a {type(found).__name__}, not a text or integer")
        return found

    def _unique(self, seen: dict[str, int], number: int, key: str, unit: str = "line") -> str:
        if not key:
            raise self._wrong(number, "the key is empty")
        if len(key.encode("utf-8", "surrogatepass")) > LONGEST_KEY:
            raise self._wrong(number, f"the key is longer than {LONGEST_KEY} bytes")
        if (before := seen.setdefault(key, number)) != number:
            raise self._wrong(number, f"the key {key!r} stands in {unit} {before} already")
        return key

    def _wrong(self, number: int, what: str) -> RecordFileError:
        return RecordFileError(f"{self.path}:{number}: {what}")

    def _npy(self, raw: BinaryIO) -> Iterator[tuple[str, Any]]:
        with self._seekable(raw) as whole:
            size = whole.seek(0, io.SEEK_END)
            whole.seek(0)
            yield from self._values(self.stem, self.stem, self._array(whole, self.stem, size))

    def _npz(self, raw: BinaryIO) -> Iterator[tuple[str, Any]]:
        with self._seekable(raw) as whole:
            try:
                archive = zipfile.ZipFile(whole)
            except zipfile.BadZipFile as error:
                raise RecordFileError(f"{self.path}: not an .npz archive: {error}") from error
            with archive:
                seen: dict[str, int] = {}
                for number, member in enumerate(archive.infolist(), 1):
                    name = member.filename.removesuffix(".npy")
                    key = self._unique(seen, number, f"{self.stem}:{name}", "array")
                    with damage_named(self.path), archive.open(member) as part:
                        array = self._array(part, name, member.file_size)
                    yield from self._values(key, f"{self.stem}/{name}", array)

    def _values(self, whole: str, beginning: str, array: np.ndarray[Any, Any]) -> Iterator[tuple[str, Any]]:
        """Yield an array under its key, or its rows, each or so many at a time."""
        if not self._split_arrays:
            self.content_bytes += array.nbytes
            yield whole, array
            return
        if not array.ndim:
            raise RecordFileError(f"{self.path}: array {whole!r} is a single number and has no rows")
        rows = len(array)
        self._unique({}, 1, f"{beginning}:{rows}", "array")
        for first in range(0, rows, self._rows):
            # A copy: a row that is only a view would have the layout of the array around it.
            value = array[first].copy() if self._rows == 1 else array[first : first + self._rows].copy()
            self.content_bytes += value.nbytes
            self.array_rows += min(self._rows, rows - first)
            yield f"{beginning}:{first}", value

    def _seekable(self, raw: BinaryIO) -> IO[bytes]:
        if not self._compression:
            return raw
        whole = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - the caller closes it
        try:
            stream = open_stream(raw, self._compression)
            with damage_named(self.path):
                while chunk := stream.read(1 << 20):
                    whole.write(chunk)
            whole.seek(0)
        except BaseException:
            whole.close()
            raise
        return whole

    def _array(self, stream: IO[bytes], name: str, size: int) -> np.ndarray[Any, Any]:
        """Read one array of at most `size` bytes; a header that claims more is refused before allocating."""
        where = f"{self.path}: array {name!r}"
        header = stream.read(12)
        try:
            version = np.lib.format.read_magic(io.BytesIO(header[:8]))
            if version not in {(1, 0), (2, 0)}:
                raise RecordFileError(f"{where}: numpy file format {version[0]}.{version[1]} is not read here")
            wide = version == (2, 0)
            length = int.from_bytes(header[8:12] if wide else header[8:10], "little")
            if length > min(size, 1 << 20):
                raise RecordFileError(f"{where}: its header is longer than the file or 1 MiB")
            header += stream.read(length - (0 if wide else 2))
            read_header = np.lib.format.read_array_header_2_0 if wide else np.lib.format.read_array_header_1_0
            with warnings.catch_warnings():
                # numpy warns of type names that old files still carry; they are read all the same.
                warnings.simplefilter("ignore", DeprecationWarning)
                shape, fortran, dtype = read_header(io.BytesIO(header[8:]))
            if any(extent < 0 for extent in shape):
                raise RecordFileError(f"{where}: its header tells of a negative length")
        except (ValueError, TypeError, EOFError, SyntaxError, TokenError, RecursionError) as error:
            raise RecordFileError(f"{where}: not a numpy array: {error}") from error
        if dtype.hasobject:
            raise RecordFileError(f"{where}: holds Python objects, which only pickle could read; save plain numbers")
        count = 1
        for extent in shape:
            count *= extent
        nbytes = count * dtype.itemsize
        if nbytes > size - len(header):
            raise RecordFileError(f"{where}: its header tells of {nbytes} bytes, but the file holds fewer")
        if nbytes > LARGEST_ARRAY:
            raise RecordFileError(f"{where}: larger than {LARGEST_ARRAY >> 30} GiB; split it")
        content = bytearray(stream.read(nbytes))
        if len(content) != nbytes:
            raise RecordFileError(f"{where}: the file ends early")
        flat: np.ndarray[Any, Any] = (
            np.frombuffer(content, dtype=dtype, count=count) if nbytes else np.empty(count, dtype)
        )
        return flat.reshape(shape, order="F" if fortran else "C")
