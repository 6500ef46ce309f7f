"""A frame read back: the mirror of `frame_writing`, which owns the order.

Invariant: whatever is about to be made has been claimed from the plaintext's size first, so a damaged payload
makes no more than an undamaged one could.
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.engine.codecs.columns.floats import MOST_PLACES, from_scaled
from stratakv.engine.codecs.columns.forms import MOST_CLASSES, Form
from stratakv.engine.codecs.columns.lanes import read_lanes
from stratakv.engine.codecs.columns.numbers import more_bytes, read_floats
from stratakv.engine.codecs.columns.strings import (
    MOST_DIGITS,
    Decimals,
    cut,
    from_decimals,
    look_up,
    read_dictionary,
)
from stratakv.engine.codecs.columns.trees import unpack_many
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.codecs.columns.numbers import Ints
    from stratakv.engine.codecs.columns.pieces import PieceReader

    Cells = list[Any]
    # Makes the cells of a column once the lanes are there; called in the order of the forms.
    Build = Callable[[], Cells]

_FLOAT_BYTES = 9
_NONE = np.empty(0, np.int64)


class _FrameReader:
    def __init__(self, source: PieceReader, rows: int, *, of_class: bool) -> None:
        self._source = source
        self._rows = rows
        self._of_class = of_class
        self._count = 0
        self._lanes: list[Ints] = []
        self._texts: list[int] = []
        self._dictionaries: list[tuple[list[str], Ints]] = []
        self._text_of: dict[int, tuple[int, bytes]] = {}

    def read(self) -> Cells:
        build = self._shape()
        self._read_texts()
        self._lanes = read_lanes(self._source, self._count, self._rows)
        self._source.claim_back(sum(int(lengths.sum()) for _, lengths in self._dictionaries))
        return build()

    def _shape(self) -> Build:
        form = Form(self._source.number(max(Form)))
        self._source.enter()
        try:
            if form in {Form.LISTS, Form.TUPLES, Form.RECORDS}:
                return self._columns(form)
            # A cell takes one byte of the plaintext at least.
            self._source.claim(self._rows)
            if form in {Form.RAGGED_LISTS, Form.RAGGED_TUPLES, Form.MAPS}:
                return self._ragged(form)
            if form is Form.MIXED:
                return self._mixed()
            if form in {Form.SCALED, Form.BITS, Form.FLOATS}:
                return self._floats(form)
            return self._scalars(form)
        finally:
            self._source.leave()

    def _columns(self, form: Form) -> Build:
        count = self._source.number(self._source.size)
        self._source.claim(self._rows)
        if not count:
            raise CorruptionError("damaged columns: rows without cells")
        keys = [self._source.name() for _ in range(count)] if form is Form.RECORDS else []
        self._source.claim(self._rows * sum(len(key) + 1 for key in keys))
        builds = [self._shape() for _ in range(count)]

        def build() -> Cells:
            rows = zip(*[make() for make in builds], strict=True)
            if form is Form.RECORDS:
                return [dict(zip(keys, row, strict=True)) for row in rows]
            return list(map(list, rows)) if form is Form.LISTS else list(rows)

        return build

    def _scalars(self, form: Form) -> Build:
        rows, source = self._rows, self._source
        if form is Form.OPAQUE:
            return self._opaque
        if form is Form.NONES:
            return lambda: [None] * rows
        if form is Form.DECIMALS:
            width, prefix = source.number(MOST_DIGITS), source.name()
            source.claim(rows * (len(prefix) + max(width, 1)))
            lane = self._lane()
            return lambda: from_decimals(Decimals(prefix, width, self._lanes[lane]))
        lane = self._lane()
        if form is Form.TEXTS:
            self._texts.append(lane)
            return partial(self._strings, lane)
        if form is Form.BOOLS:
            return partial(self._bools, lane)
        if form is Form.BYTES:
            return lambda: cut(source.claimed_text(), self._lanes[lane])
        return partial(self._ints, lane)

    def _ints(self, lane: int) -> Cells:
        values = self._lanes[lane]
        self._source.claim(more_bytes(values))
        cells: Cells = values.tolist()
        return cells

    def _bools(self, lane: int) -> Cells:
        cells: Cells = (self._lanes[lane] != 0).tolist()
        return cells

    def _lane(self) -> int:
        self._count += 1
        return self._count - 1

    def _floats(self, form: Form) -> Build:
        rows, source = self._rows, self._source
        source.claim(rows * (_FLOAT_BYTES - 1))
        if form is Form.FLOATS:
            return lambda: read_floats(source, rows).tolist()
        places = source.number(MOST_PLACES) if form is Form.SCALED else 0
        lane = self._lane()
        if form is Form.SCALED:
            return lambda: from_scaled(places, self._lanes[lane]).tolist()
        return lambda: self._lanes[lane].view(np.float64).tolist()

    def _opaque(self) -> Cells:
        packed = self._source.squeezed()
        self._source.claim(max(0, len(packed) - self._rows))
        return unpack_many(packed, self._rows)

    def _ragged(self, form: Form) -> Build:
        lane = self._lane()

        def build() -> Cells:
            lengths = self._lanes[lane].tolist()
            if lengths and min(lengths) < 0:
                raise CorruptionError("damaged columns: a list of less than nothing")
            # islice takes no numbers above sys.maxsize; the sum is checked by the child's claims.
            items = iter(read_frame(self._source, sum(lengths)))
            if form is Form.RAGGED_LISTS:
                return [list(islice(items, length)) for length in lengths]
            if form is Form.RAGGED_TUPLES:
                return [tuple(islice(items, length)) for length in lengths]
            pairs = zip(items, read_frame(self._source, sum(lengths)), strict=True)
            return [dict(islice(pairs, length)) for length in lengths]

        return build

    def _mixed(self) -> Build:
        count = self._source.number(MOST_CLASSES)
        lane = self._lane()

        def build() -> Cells:
            # The cells themselves claim their bytes now.
            self._source.claim_back(self._rows)
            classes, self._lanes[lane] = self._lanes[lane], _NONE
            if self._rows and (int(classes.min()) < 0 or int(classes.max()) >= count):
                raise CorruptionError(f"damaged columns: a class outside the {count} there are")
            if count == 1:
                del classes
                return read_frame(self._source, self._rows, of_class=self._of_class)
            if self._of_class:
                # What is held for the classes of classes is claimed by nobody.
                raise CorruptionError("damaged columns: a class of mixed cells")
            classes = classes.astype(np.int8)
            cells = np.empty(self._rows, object)
            for number in range(count):
                places = np.flatnonzero(classes == number)
                found = read_frame(self._source, len(places), of_class=True)
                members = np.empty(len(places), object)
                # Cell by cell: numpy would open cells that are sequences.
                for at, cell in enumerate(found):
                    members[at] = cell
                cells[places] = members
            return cells.tolist()

        return build

    def _strings(self, lane: int) -> Cells:
        dictionary, text = self._text_of[lane]
        if dictionary:
            return look_up(self._source, self._dictionaries[dictionary - 1], self._lanes[lane])
        return [cell.decode() for cell in cut(text, self._lanes[lane])]

    def _read_texts(self) -> None:
        if not self._texts:
            return
        # A column has one dictionary at most, so all of them together hold no more strings than there are cells.
        left = self._rows * len(self._texts)
        for _ in range(self._source.number(len(self._texts))):
            self._dictionaries.append(read_dictionary(self._source, left))
            left -= len(self._dictionaries[-1][0])
        for lane in self._texts:
            dictionary = self._source.number(len(self._dictionaries))
            self._text_of[lane] = dictionary, b"" if dictionary else self._source.claimed_text()


def read_frame(source: PieceReader, rows: int, *, of_class: bool = False) -> Cells:
    """Return `rows` cells. `of_class` tells that they are one of the classes of a mixed column."""
    if rows > source.size:
        raise CorruptionError(f"damaged columns: {rows} rows in {source.size} bytes")
    source.enter()
    cells = _FrameReader(source, rows, of_class=of_class).read()
    source.leave()
    return cells
