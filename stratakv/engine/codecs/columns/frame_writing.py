"""A frame, cells that share their rows however nested they are, taken apart into columns and written.

Owns the order of a frame: the forms from the outside in, then the strings' dictionaries, then all integer lanes
together, then what is left (opaque cells, plain floats, frames of other row counts) in the order of the forms.
`frame_reading` is its mirror.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.engine.codecs.columns.floats import as_scaled
from stratakv.engine.codecs.columns.forms import Form, class_of, form_of
from stratakv.engine.codecs.columns.lanes import write_lanes
from stratakv.engine.codecs.columns.numbers import write_floats
from stratakv.engine.codecs.columns.strings import as_decimals, dictionaries, join, write_dictionary
from stratakv.engine.codecs.columns.trees import pack_many

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.codecs.columns.numbers import Ints
    from stratakv.engine.codecs.columns.pieces import PieceWriter

    # Cells whose form was found; the form says what they are.
    Cells = list[Any]

# Deeper cells are opaque; the reader goes further than that.
_DEEPEST = 12
# Floats with at most one distinct value in so many cells are written as their bits.
_REPEATS = 4


class _FrameWriter:
    def __init__(self, out: PieceWriter, depth: int) -> None:
        self._out = out
        self._depth = depth
        self._lanes: list[Ints] = []
        self._texts: list[tuple[int, list[str]]] = []
        self._rest: list[Callable[[], None]] = []

    def write(self, cells: Cells) -> None:
        self._shape(cells, self._depth)
        self._write_texts()
        write_lanes(self._out, self._lanes)
        for write in self._rest:
            write()

    def _shape(self, cells: Cells, depth: int) -> None:
        form = form_of(cells) if depth < _DEEPEST else Form.OPAQUE
        if form in {Form.LISTS, Form.TUPLES}:
            self._begin(form, len(cells[0]))
            for column in zip(*cells, strict=True):
                self._shape(list(column), depth + 1)
        elif form is Form.RECORDS:
            self._begin(form, len(cells[0]))
            for key in cells[0]:
                self._out.name(key)
            for column in zip(*(cell.values() for cell in cells), strict=True):
                self._shape(list(column), depth + 1)
        elif form in {Form.RAGGED_LISTS, Form.RAGGED_TUPLES, Form.MAPS}:
            self._ragged(form, cells)
        elif form is Form.MIXED:
            self._mixed(cells)
        else:
            self._scalars(form, cells)

    def _scalars(self, form: Form, cells: Cells) -> None:
        if form is Form.NONES:
            self._begin(form)
        elif form is Form.BOOLS:
            self._lane(form, np.array(cells, np.int64))
        elif form is Form.INTS:
            self._ints(cells)
        elif form is Form.FLOATS:
            self._floats(np.array(cells, np.float64))
        elif form is Form.TEXTS:
            self._strings(cells)
        elif form is Form.BYTES:
            text, lengths = join(cells)
            self._lane(form, lengths)
            self._rest.append(lambda: self._out.squeezed(text))
        else:
            self._opaque(cells)

    def _begin(self, form: Form, *numbers: int) -> None:
        self._out.number(form)
        for number in numbers:
            self._out.number(number)

    def _lane(self, form: Form, values: Ints, *numbers: int) -> None:
        self._begin(form, *numbers)
        self._lanes.append(values)

    def _child(self, cells: Cells) -> None:
        self._rest.append(lambda: write_frame(self._out, cells, self._depth + 1))

    def _opaque(self, cells: Cells) -> None:
        self._begin(Form.OPAQUE)
        self._rest.append(lambda: self._out.squeezed(pack_many(cells)))

    def _ragged(self, form: Form, cells: Cells) -> None:
        self._lane(form, np.array(list(map(len, cells)), np.int64))
        self._child(list(chain.from_iterable(cells)))
        if form is Form.MAPS:
            self._child(list(chain.from_iterable(cell.values() for cell in cells)))

    def _mixed(self, cells: Cells) -> None:
        classes: dict[object, Cells] = {}
        numbers: dict[object, int] = {}
        of_cells = []
        for cell in cells:
            kind = class_of(cell)
            classes.setdefault(kind, []).append(cell)
            of_cells.append(numbers.setdefault(kind, len(numbers)))
        self._lane(Form.MIXED, np.array(of_cells, np.int64), len(classes))
        for members in classes.values():
            self._child(members)

    def _ints(self, cells: Cells) -> None:
        try:
            values = np.array(cells, np.int64)
        except OverflowError:
            self._opaque(cells)
        else:
            self._lane(Form.INTS, values)

    def _floats(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        scaled = as_scaled(values)
        if scaled is not None:
            places, whole = scaled
            self._lane(Form.SCALED, whole, places)
            return
        bits = values.view(np.int64)
        if len(np.unique(bits)) * _REPEATS <= len(bits):
            self._lane(Form.BITS, bits)
        else:
            self._begin(Form.FLOATS)
            self._rest.append(lambda: write_floats(self._out, values))

    def _strings(self, cells: list[str]) -> None:
        decimals = as_decimals(cells)
        if decimals is not None:
            self._lane(Form.DECIMALS, decimals.values, decimals.width)
            self._out.name(decimals.prefix)
            return
        self._begin(Form.TEXTS)
        self._texts.append((len(self._lanes), cells))
        # Its positions or lengths come when all strings of the frame are known.
        self._lanes.append(np.empty(0, np.int64))

    def _write_texts(self) -> None:
        if not self._texts:
            return
        found, chosen_by = dictionaries([cells for _, cells in self._texts])
        self._out.number(len(found))
        for distinct in found:
            write_dictionary(self._out, distinct)
        places = [{text: at for at, text in enumerate(distinct)} for distinct in found]
        for (lane, cells), dictionary in zip(self._texts, chosen_by, strict=True):
            self._out.number(dictionary)
            if dictionary:
                self._lanes[lane] = np.array(list(map(places[dictionary - 1].__getitem__, cells)), np.int64)
            else:
                text, self._lanes[lane] = join(cells)
                self._out.squeezed(text)


def write_frame(out: PieceWriter, cells: Cells, depth: int = 0) -> None:
    """Add the cells. Their number is not written: the reader knows it."""
    _FrameWriter(out, depth).write(cells)
