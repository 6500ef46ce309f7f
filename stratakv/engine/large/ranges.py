"""Ranges: a part of a value, as a slice would give it, whether the value is in RAM, whole below it or in chunks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from stratakv.engine.pack_source import RETRIES, PackGoneError
from stratakv.engine.serialization.extents import HEAD_BYTES, extent_of
from stratakv.engine.wrapping import MISSING
from stratakv.errors import ConfigurationError, CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.large.manifest import Manifest
    from stratakv.engine.parts import Parts
    from stratakv.engine.reading import Reader
    from stratakv.engine.state import State


def check_range(start: object, stop: object) -> None:
    """Raise `ConfigurationError` unless both are whole numbers from 0 on, in order."""
    for name, bound in (("start", start), ("stop", stop)):
        if type(bound) is not int or bound < 0:
            raise ConfigurationError(f"{name} is a whole number from 0 on, not {bound!r:.40}")
    if start > stop:  # type: ignore[operator]  # both are int by now
        raise ConfigurationError(f"a range begins at its start: {start} is above {stop}")


def part_of(value: object, start: int, stop: int) -> object:
    """Return a range of a value that is at hand: a copy, of the value's type.

    Raises:
        ConfigurationError: It is neither bytes nor an array with rows.
    """
    if type(value) in (bytes, bytearray):
        return value[start:stop]  # type: ignore[index]  # bytes by now
    if type(value) is np.ndarray and value.ndim:
        return value[start:stop].copy(order="K")
    raise ConfigurationError(
        f"ranges are read of bytes, and of rows of arrays, not of {type(value).__name__}: retrieve() returns it whole"
    )


def as_file(value: object) -> io.BufferedReader | None:
    """Return a bytes value as a file; None for MISSING.

    Raises:
        ConfigurationError: It is not bytes.
    """
    if value is MISSING:
        return None
    if type(value) not in (bytes, bytearray):
        raise ConfigurationError(f"only bytes are opened as a file, not {type(value).__name__}")
    return io.BufferedReader(io.BytesIO(value))  # type: ignore[arg-type]  # a raw enough file


class Ranges:
    """Reads ranges of one store's values."""

    def __init__(self, parts: Parts, reader: Reader) -> None:
        self._parts = parts
        self._reader = reader

    def read(self, key: str, start: int, stop: int, default: object) -> object:
        """Return bytes, or rows of an array, `start` to `stop`; what is beyond the end is left out.

        Raises:
            ConfigurationError: No such range, or the value has none.
            CorruptionError, TierUnavailableError: A chunk that is needed cannot be read.
        """
        check_range(start, stop)
        reader = self._reader
        for _ in range(RETRIES):
            state = reader.live_state(key)
            if state is None or key in self._parts.hot.entries:
                break
            try:
                manifest = reader.manifest_of(state)
                if manifest is None:
                    break
                found = self._of_chunks(manifest, state, start, stop)
                if found is MISSING:
                    break
                return found
            except (PackGoneError, KeyError):
                continue
            except CorruptionError as failure:
                if not reader.has_moved(key, state):
                    raise reader.corrupt(failure, key, state) from failure
        value = reader.get(key, MISSING)
        return default if value is MISSING else part_of(value, start, stop)

    def _of_chunks(self, manifest: Manifest, state: State, start: int, stop: int) -> object:
        """Return the range, or MISSING where it takes the whole value to tell: an array in Fortran order."""
        reader = self._reader
        head = b"".join(reader.assembler.part(manifest, 0, min(HEAD_BYTES, manifest.size), state.pin))
        extent = extent_of(head, manifest.size)
        if extent is None:
            return MISSING
        reader.count_miss()
        first, last = (extent.start + min(bound, extent.items) * extent.width for bound in (start, stop))
        return extent.make(b"".join(reader.assembler.part(manifest, first, last, state.pin)))
