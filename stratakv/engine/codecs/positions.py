"""Where the non-zero elements of an array are, as bytes: the half that bits and sparse arrays have in common.

Owns this layout; integers are varints, `arrays` are an item width byte, a length and a payload of `Shortest`:

    row, count of positions, form byte
    form 0: an array of gaps, each the number of zeros before a position
    form 1: an array of counts, one for each row, and an array of columns

Runs along rows and diagonals make gaps repeat; rows that are alike make columns repeat. Which is shorter is found
by trying both.

Invariant: positions that were read are strictly increasing and below `total`, whatever the bytes were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.codecs.shortest import Shortest

Numbers = np.ndarray[Any, Any]

_GAPS, _COLUMNS = 0, 1
_WIDTHS = (1, 2, 4, 8)
# In shorter rows counts take more than they save, and reading them more than the size allows.
_SHORTEST_ROW = 16


def sane_row(row: int, total: int) -> int:
    """Return the row length when it can be one, else 0."""
    return row if row > 0 and total > 0 and total % row == 0 else 0


def limit(total: int, itemsize: int) -> int:
    """Return how many positions may be written: as many as can be read in memory of about the array's size."""
    return min(total // 4, total * itemsize // 16)


def write_positions(positions: Numbers, total: int, row: int, level: int, shortest: Shortest) -> bytes:
    """Return the bytes of increasing positions in `total` elements that lie in rows of `row`, 0 for no rows."""
    row = sane_row(row, total)
    head = write_varint(row) + write_varint(len(positions))
    gaps = np.diff(positions, prepend=-1) - 1
    tried = [bytes((_GAPS,)) + _write_array(gaps, level, shortest)]
    if row >= _SHORTEST_ROW and row < total:
        counts = np.bincount(positions // row, minlength=total // row)
        columns = _write_array(positions % row, level, shortest)
        tried.append(bytes((_COLUMNS,)) + _write_array(counts, level, shortest) + columns)
    return head + min(tried, key=len)


def read_positions(view: memoryview, at: int, total: int, most: int, shortest: Shortest) -> tuple[Numbers, int]:
    """Return the positions that begin at an offset, and the offset behind them.

    Raises:
        CorruptionError: They are not increasing positions in `total` elements, or more than `most`.
    """
    row, at = read_varint(view, at)
    count, at = read_varint(view, at)
    form = view[at] if at < len(view) else -1
    if count > most or (row != sane_row(row, total) and row) or form not in (_GAPS, _COLUMNS):
        raise CorruptionError(f"damaged positions: form {form}, {count} of {total} elements in rows of {row}")
    if form == _GAPS:
        gaps, at = _read_array(view, at + 1, count, total, shortest)
        positions = np.cumsum(gaps, dtype=np.uint64)
        positions += np.arange(count, dtype=np.uint64)
    else:
        if row < _SHORTEST_ROW:
            raise CorruptionError(f"damaged positions: columns in rows of {row}")
        counts, at = _read_array(view, at + 1, total // row, row + 1, shortest)
        if int(counts.sum(dtype=np.uint64)) != count:
            raise CorruptionError(f"damaged positions: the rows' counts do not add up to {count}")
        columns, at = _read_array(view, at, count, row, shortest)
        starts = np.arange(0, total, row, dtype=np.uint64)
        positions = np.repeat(starts, counts)
        positions += columns
    if count and (int(positions[-1]) >= total or not bool((positions[1:] > positions[:-1]).all())):
        raise CorruptionError(f"damaged positions: {count} of {total} elements are out of order or of bounds")
    return positions, at


def _write_array(numbers: Numbers, level: int, shortest: Shortest) -> bytes:
    largest = int(numbers.max()) if len(numbers) else 0
    width = next(width for width in _WIDTHS if largest < 1 << 8 * width)
    payload = shortest.encode(numbers.astype(f"<u{width}").tobytes(), level, width)
    return bytes((width,)) + write_varint(len(payload)) + payload


def _read_array(view: memoryview, at: int, count: int, bound: int, shortest: Shortest) -> tuple[Numbers, int]:
    """Return `count` numbers, all below `bound`, and the offset behind them."""
    width = view[at] if at < len(view) else 0
    length, at = read_varint(view, at + 1)
    # A width that the bound does not need is none that was written, and would take memory for nothing.
    if width not in _WIDTHS or (width > 1 and bound <= 1 << 4 * width) or length > len(view) - at:
        raise CorruptionError(f"damaged positions: {count} numbers of {width} bytes in {length} of {len(view) - at}")
    numbers = np.frombuffer(shortest.decode(view[at : at + length], count * width), f"<u{width}")
    if count and int(numbers.max()) >= bound:
        raise CorruptionError(f"damaged positions: a number of {int(numbers.max())}, not below {bound}")
    return numbers, at + length
