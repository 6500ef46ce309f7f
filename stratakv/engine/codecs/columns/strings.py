"""Columns of strings: strings of digits as numbers, few different ones as a dictionary, others as one text.

Owns the layout of dictionaries: distinct strings sorted by their UTF-8, each as the length that it shares with
the one before and the rest.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.engine.codecs.columns.lanes import chosen
from stratakv.engine.codecs.columns.numbers import read_ints, write_ints
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratakv.engine.codecs.columns.numbers import Ints
    from stratakv.engine.codecs.columns.pieces import PieceReader, PieceWriter

MOST_DIGITS = 18
"""More digits do not always fit into int64."""

_PILOT = 64
# A dictionary must be this much shorter than the column to be worth its positions.
_REPEATED = 0.6
_SHARED = 0.2


class Decimals(NamedTuple):
    """A column of strings that are a common prefix and digits.

    Attributes:
        prefix: The prefix, mostly empty.
        width: Number of digits with leading zeros, 0 for any number without.
        values: The numbers.
    """

    prefix: str
    width: int
    values: Ints


def as_decimals(cells: list[str]) -> Decimals | None:
    """Return the numbers of a column of strings of digits, None where it is none."""
    # A look at a few spares the common case of plain text.
    first = cells[0]
    prefix = first[: min(_shared(first, cell) for cell in cells[:_PILOT])].rstrip("0123456789")
    if not all(_digits(cell[len(prefix) :]) for cell in cells[:_PILOT]):
        return None
    rests = cells
    if prefix:
        if not all(cell.startswith(prefix) for cell in cells):
            return None
        rests = [cell[len(prefix) :] for cell in cells]
    lengths = set(map(len, rests))
    if not 1 <= min(lengths) <= max(lengths) <= MOST_DIGITS or not _digits("".join(rests)):
        return None
    width = lengths.pop() if len(lengths) == 1 else 0
    if not width and ("\n" + "\n".join(rests)).count("\n0") != rests.count("0"):
        # Some have leading zeros.
        return None
    return Decimals(prefix, width, np.array(list(map(int, rests)), np.int64))


def from_decimals(decimals: Decimals) -> list[object]:
    """Undo `as_decimals`."""
    prefix, width, values = decimals
    if not prefix and not width:
        return list(map(str, values.tolist()))
    pattern = prefix.replace("%", "%%") + (f"%0{width}d" if width else "%d")
    return list(map(pattern.__mod__, values.tolist()))


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _shared(one: str | bytes, other: str | bytes) -> int:
    """Return how many characters or bytes two strings begin with in common."""
    shortest = min(len(one), len(other))
    return next((at for at in range(shortest) if one[at] != other[at]), shortest)


def dictionaries(columns: list[list[str]]) -> tuple[list[list[str]], list[int]]:
    """Return dictionaries of distinct strings, and for each column the number of its own plus 1; 0 for none.

    Columns whose strings are mostly the same share one.
    """
    sets: list[set[str]] = []
    members: list[list[int]] = []
    for number, column in enumerate(columns):
        distinct = set(column)
        for at, held in enumerate(sets):
            if len(held & distinct) > _SHARED * min(len(held), len(distinct)):
                sets[at] = held | distinct
                members[at].append(number)
                break
        else:
            sets.append(distinct)
            members.append([number])
    found: list[list[str]] = []
    chosen_by = [0] * len(columns)
    for held, group in zip(sets, members, strict=True):
        if len(held) <= _REPEATED * sum(len(columns[number]) for number in group):
            found.append(sorted(held))
            for number in group:
                chosen_by[number] = len(found)
    return found, chosen_by


def write_dictionary(out: PieceWriter, distinct: list[str]) -> None:
    """Add distinct strings, sorted; by code points is the same order as by UTF-8."""
    encoded = [text.encode() for text in distinct]
    shared = [0, *(_shared(before, after) for before, after in pairwise(encoded))]
    rests = [text[length:] for text, length in zip(encoded, shared, strict=True)]
    out.number(len(encoded))
    write_ints(out, np.array(shared, np.int64))
    write_ints(out, np.array(list(map(len, rests)), np.int64))
    out.squeezed(b"".join(rests))


def read_dictionary(source: PieceReader, most: int) -> tuple[list[str], Ints]:
    """Return the strings, not more than `most`, and their lengths in bytes.

    Their bytes are claimed until the cells that use them claim their own: call `claim_back` then.
    """
    count = source.number(most)
    shared, rests = read_ints(source, count), read_ints(source, count)
    text = source.squeezed()
    lengths = shared + rests
    if count and (int(min(shared.min(), rests.min())) < 0 or int(lengths.max()) > source.size):
        raise CorruptionError("damaged columns: a string's length is none")
    source.claim(sum(lengths.tolist()))
    strings, before, at = [], b"", 0
    for keep, more in zip(shared.tolist(), rests.tolist(), strict=True):
        if keep > len(before):
            raise CorruptionError("damaged columns: a string shares more than there is")
        before = before[:keep] + text[at : at + more]
        at += more
        strings.append(before.decode())
    if at != len(text):
        raise CorruptionError("damaged columns: a dictionary's text has another length")
    return strings, lengths


def look_up(source: PieceReader, dictionary: tuple[list[str], Ints], positions: Ints) -> list[object]:
    """Return the strings at the positions."""
    strings, lengths = dictionary
    source.claim(int(chosen(lengths, positions).sum()))
    return list(map(strings.__getitem__, positions.tolist()))


def join(cells: Sequence[str] | Sequence[bytes]) -> tuple[bytes, Ints]:
    """Return the cells as one text, and their lengths in bytes."""
    encoded = [cell.encode() if isinstance(cell, str) else cell for cell in cells]
    return b"".join(encoded), np.array(list(map(len, encoded)), np.int64)


def cut(text: bytes, lengths: Ints) -> list[bytes]:
    """Undo `join`, as bytes."""
    if len(lengths) and (int(lengths.min()) < 0 or int(lengths.max()) > len(text)):
        raise CorruptionError("damaged columns: a length is outside its text")
    cells, at = [], 0
    for length in lengths.tolist():
        cells.append(text[at : at + length])
        at += length
    if at != len(text):
        raise CorruptionError("damaged columns: a text has another length than its cells")
    return cells
