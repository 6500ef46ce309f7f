"""`ColumnsCodec` (id 14): MessagePack trees that hold tables, column by column.

Owns the payload's modes. The first byte: 0 the plaintext as it is, 1 a zstd frame without header, 2 columns. These
are, in the layout of `pieces`: how many values stand side by side, how many values the tree holds (one if all
together are a table), the tree with placeholders, how many tables, and for each its rows and a frame (see
`frame_writing`).

Invariant: any bytes come back. Columns are decoded again while encoding, and kept only where this gives the same
bytes and they are shorter than zstd makes them; so this codec needs not know which MessagePack is canonical.
Decoding makes the tree's Python objects: 18 times the plaintext was the most measured, damaged payloads included.
"""

from __future__ import annotations

import struct

from stratakv.engine.codecs.base import UNTYPED, Buffer, Codec, Elements
from stratakv.engine.codecs.columns.frame_reading import read_frame
from stratakv.engine.codecs.columns.frame_writing import write_frame
from stratakv.engine.codecs.columns.pieces import PieceReader, PieceWriter, Tools
from stratakv.engine.codecs.columns.tables import is_table, lift
from stratakv.engine.codecs.columns.trees import Placeholder, pack_many, unpack_many
from stratakv.engine.codecs.zstd import HIGHEST_LEVEL
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.types import CompressionStrategy

RAW, ZSTD, COLUMNS = range(3)

# Shorter plaintexts hold no table worth its columns.
_SHORTEST = 64
# More is refused at decode, so that a short payload cannot claim endless rows; zstd has what shrinks even more.
_BEST_RATIO = 4096
# zstd's highest levels save no more than this over its quick one, but for rare long matches.
_QUICK = 3
_CLEARLY = 0.7
# What the unpacker, numpy and Python raise on trees and columns that are none.
_DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    StopIteration,
    RecursionError,
    struct.error,
)


class ColumnsCodec(Codec):
    """Tables as columns; anything else as zstd has it. `level` is zstd's, 1 to 22; from 9 on it is thorough."""

    id = 14
    strategy = CompressionStrategy.COLUMNS

    def __init__(self) -> None:
        self._tools = Tools()

    def encode(self, plaintext: Buffer, *, level: int, elements: Elements = UNTYPED) -> bytes:  # noqa: ARG002 - the interface's
        return self.encode_many(plaintext, 1, level)

    def encode_many(self, plaintext: Buffer, count: int, level: int) -> bytes:
        """Encode the plaintexts of `count` values that stand side by side. `decode` undoes it."""
        plain = bytes(plaintext)
        columns = self._columns(plain, count, level) if len(plain) >= _SHORTEST else None
        if columns is not None and level > _QUICK:
            # Where columns win clearly, a quick look at zstd is enough.
            quick = self._tools.zstd.encode(plain, _QUICK)
            if len(columns) < _CLEARLY * len(quick):
                return columns
        payload = bytes((ZSTD,)) + self._tools.zstd.encode(plain, min(level, HIGHEST_LEVEL))
        if len(payload) > len(plain):
            payload = bytes((RAW,)) + plain
        return columns if columns is not None and len(columns) < len(payload) else payload

    def decode(self, payload: Buffer, size: int) -> bytes:
        view = memoryview(payload)
        mode = view[0] if view else -1
        if mode == ZSTD:
            return self._tools.zstd.decode(view[1:], size)
        if mode == COLUMNS and 0 <= size <= _BEST_RATIO * len(view):
            return self._from_columns(view[1:], size)
        if mode != RAW or len(view) - 1 != size:
            raise CorruptionError(f"a payload of {len(view)} bytes in columns' mode {mode} cannot hold {size} bytes")
        return bytes(view[1:])

    def _columns(self, plain: bytes, count: int, level: int) -> bytes | None:
        """Return the payload in columns, None where there are no tables or they would not come back."""
        try:
            values = unpack_many(plain, count)
            tables: list[list[object]] = []
            skeleton: list[object] = [Placeholder(was_tuple=False)]
            if count > 1 and is_table(values):
                tables.append(values)
            else:
                skeleton = [lift(value, tables) for value in values]
            if not tables:
                return None
            payload = bytes((COLUMNS,)) + self._write(count, skeleton, tables, level)
            return payload if self.decode(payload, len(plain)) == plain else None
        except (CorruptionError, *_DAMAGE):
            return None

    def _write(self, count: int, skeleton: list[object], tables: list[list[object]], level: int) -> bytes:
        out = PieceWriter(self._tools, level)
        out.number(count)
        out.number(len(skeleton))
        out.squeezed(pack_many(skeleton))
        out.number(len(tables))
        for table in tables:
            out.number(len(table))
            write_frame(out, table)
        return out.finish()

    def _from_columns(self, view: memoryview, size: int) -> bytes:
        try:
            source = PieceReader(self._tools, view, size)
            plain = pack_many(_values(source))
        except ConfigurationError:
            # A ValueError, too, but the payload is not to blame for a missing library.
            raise
        except _DAMAGE as error:
            raise CorruptionError(f"damaged columns in {len(view)} bytes for {size}: {error}") from error
        if len(plain) != size:
            raise CorruptionError(f"columns hold {len(plain)} bytes, not {size}")
        return plain


def _values(source: PieceReader) -> list[object]:
    """Return the values that stood side by side."""
    count, places = source.number(source.size), source.number(source.size)
    packed = source.squeezed()
    tables = [read_frame(source, source.number(source.size)) for _ in range(source.number(source.size))]
    source.finish()
    left = iter(tables)
    values = unpack_many(packed, places, left)
    if next(left, None) is not None:
        raise CorruptionError("damaged columns: more tables than places")
    if count != places:
        # All values together are one table.
        if len(values) != 1 or type(values[0]) is not list:
            raise CorruptionError(f"damaged columns: {places} places for {count} values")
        values = values[0]
    if len(values) != count:
        raise CorruptionError(f"damaged columns: {len(values)} values, not {count}")
    return values
