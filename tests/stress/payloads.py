"""Real payloads of every codec, to be damaged: what plaintexts there are, and what each codec makes of them.

A `Subject` is a decoder with payloads of its own. Payloads of the columns codec come a second time with their numbers
not compressed, which is valid, too, and lets damage reach the numbers one by one.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import zstandard

from stratakv.engine.codecs.base import Elements, Encoded
from stratakv.engine.codecs.columns.codec import COLUMNS, ColumnsCodec
from stratakv.engine.codecs.lzma_raw import LzmaCodec
from stratakv.engine.codecs.parts import PartsCodec
from stratakv.engine.codecs.registry import codec_by_id
from stratakv.engine.codecs.stack import StackCodec, shape_of
from stratakv.engine.codecs.varint import read_varint, write_varint
from stratakv.engine.codecs.zstd import ZstdCodec, ZstdFrames
from stratakv.engine.compression import CompressionEngine
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.loss.arrays import binarised, quantised
from stratakv.engine.serialization import Serializer, segments

if TYPE_CHECKING:
    from collections.abc import Callable

CODECS = tuple(range(1, 17))
DICTIONARY = 0
"""The subject that is zstd with a dictionary; others are called by their codec's id."""

LEVELS = (1, 6, 12)
LARGE = 32_000_000
# Columns take many times as much while they are Python objects.
_LARGE_TABLE = 3_000_000

Plain = tuple[bytes, Elements]


class Subject(NamedTuple):
    """A decoder and what it made.

    Attributes:
        name: The codec's id, or `DICTIONARY`.
        decode: Gives the plaintext of a payload and a size.
        payloads: Payloads, and the sizes of their plaintexts.
    """

    name: int
    decode: Callable[[bytes, int], bytes]
    payloads: list[tuple[bytes, int]]


def subject(name: int, *, large: bool, quick: bool = False) -> Subject:
    """Return a subject with payloads of plaintexts up to 64 KB, or with `large` of 40 MB."""
    levels = LEVELS[:1] if large else LEVELS[::2] if quick else LEVELS
    found: dict[bytes, int] = {}
    if name == DICTIONARY:
        book, encode = _with_dictionary()
        engine = CompressionEngine(dictionaries=book)
        for plain in trees() if not large else [words(LARGE)]:
            found |= {encode(plain, level): len(plain) for level in levels}
        return Subject(
            name, lambda payload, size: engine.decode(Encoded(ZstdCodec.id, 1, size, payload)), list(found.items())
        )
    codec = codec_by_id(name)
    for plain, elements in plaintexts(name, large=large, quick=quick):
        found |= {codec.encode(plain, level=level, elements=elements): len(plain) for level in levels}
    found |= _many(name, levels, large=large)
    for payload, size in list(found.items()) if name == ColumnsCodec.id else []:
        if payload[0] == COLUMNS:
            found[_opened(payload)] = size
    return Subject(name, codec.decode, list(found.items()))


def plaintexts(name: int, *, large: bool, quick: bool) -> list[Plain]:
    """Return what a codec is given: the same to all, but that large trees are for columns and large arrays are not."""
    if large:
        if name == ColumnsCodec.id:
            return [(table(_LARGE_TABLE), Elements())]
        # LZMA takes a minute for all of them.
        return arrays(LARGE)[: 3 if name == LzmaCodec.id else None]
    small = list(arrays(600)) if quick else [*arrays(600), *arrays(40_000)]
    return [*((plain, Elements()) for plain in trees()), *small]


def words(size: int) -> bytes:
    """Return text."""
    picks = np.random.default_rng(size).integers(0, 4, size // 6 + 1)
    return b" ".join(np.array([b"alpha", b"bravo", b"delta", b"kappa"])[picks].tolist())[:size]


def table(size: int) -> bytes:
    """Return records of about so many bytes in all."""
    chance = random.Random(size)
    rows = [
        {"id": f"{n:07d}", "n": chance.getrandbits(chance.choice((5, 9, 30, 60))), "w": chance.randrange(999) / 1000}
        for n in range(size // 32)
    ]
    return Serializer().dumps(rows)


def trees() -> list[bytes]:
    """Return plaintexts without arrays, tables of all forms among them."""
    chance = random.Random(1)
    text = words(4000).decode()

    def some(length: int) -> str:
        start = chance.randrange(3000)
        return text[start : start + length]

    values: list[Any] = [
        {"role": "user", "content": some(700), "at": 1.5, "tags": ["a", None, True], "blob": chance.randbytes(60)},
        [{"id": f"{n:05d}", "name": some(12), "x": n / 8, "ok": n % 3 == 0, "none": None} for n in range(90)],
        [[n * 77_777, chance.choice(("is_a", "part_of")), n * n, chance.random()] for n in range(150)],
        [(n, some(n % 9), chance.randbytes(n % 5)) for n in range(60)],
        [[n] * (n % 7) for n in range(100)],
        [{f"k{chance.randrange(9)}": n, "z": -n} for n in range(80)],
        [chance.choice((n, str(n), None, [n, n], {"n": n}, {"n": n, "m": [1, 2]})) for n in range(120)],
        {"nodes": [{"i": n, "l": [some(5), some(6)]} for n in range(70)], "edges": [(n, n + 1) for n in range(200)]},
        [[[n, float(n)], [{"deep": [n, {"deeper": n}]}]] for n in range(40)],
        [1 << (n % 63) for n in range(100)],
        [chance.choice((0.5, -0.0, float("inf"), 1e300)) for _ in range(64)],
        "short", some(2500), [], {}, 7,
    ]  # fmt: skip
    return [Serializer().dumps(value) for value in values]


def arrays(size: int) -> list[Plain]:
    """Return the bytes of arrays of about so many bytes, of every kind and with what each codec looks for."""
    source = np.random.default_rng(size)
    found: list[Plain] = []
    kinds = ("<i8",) if size == LARGE else ("i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<u8", "<f4", "<f8")
    for kind in kinds:
        dtype = np.dtype(kind)
        ramp = np.cumsum(source.integers(0, 4, size // dtype.itemsize)).astype(dtype)
        # Bytes that make no whole element stand behind it.
        found.append((ramp.tobytes() + b"end"[: dtype.itemsize - 1], Elements(dtype.kind, dtype.itemsize)))
    found.append(((source.random(size) < 0.02).astype(np.uint8).tobytes(), Elements("b", 1, 0)))
    width = 20 if size < LARGE else 2000
    found.append(((source.random(size // width * width) < 0.3).astype("u1").tobytes(), Elements("b", 1, width)))
    sparse = np.where(source.random(size // 160 * 20) < 0.05, source.integers(0, 99, size // 160 * 20), 0)
    found.append((sparse.astype("<f8").tobytes(), Elements("f", 8, 20)))
    found.append((sparse.astype("<i4").tobytes() + b"x", Elements("i", 4, 0)))
    for kind in ("<f2", "<f4", "<f8"):
        dtype = np.dtype(kind)
        rows = source.standard_normal((max(2, size // dtype.itemsize // 64), 64)).astype(dtype)
        every = (quantised(rows, 8), quantised(rows, 4), binarised(rows))
        chosen = every if size != LARGE else every[dtype.itemsize // 4 :][:1]
        found += [(changed.tobytes(), Elements("f", dtype.itemsize, 64)) for changed in chosen]
    found.append((bytes(size), Elements("V", 1, 0)))
    if size != LARGE:
        found.append((source.bytes(size), Elements("V", 12, 0)))
    return found


def _many(name: int, levels: tuple[int, ...], *, large: bool) -> dict[bytes, int]:
    """Return payloads of values with arrays: of one as parts, of many as a stack; and of many tables side by side."""
    found: dict[bytes, int] = {}
    length = LARGE // 400 if large else 60
    source = np.random.default_rng(4)
    values = [
        {"id": n, "v": np.cumsum(source.integers(0, 3, length)), "f": source.random(24).astype("f4"), "e": np.zeros(0)}
        for n in range(50)
    ]
    plains = [Serializer().dumps(value) for value in values]
    uneven = [Serializer().dumps({**value, "id": "x" * (n % 5)}) for n, value in enumerate(values)]
    for level in levels:
        if name == PartsCodec.id:
            made = PartsCodec().encode_segments(plains[0], segments(plains[0]), level)
            found[made.payload] = len(plains[0])
        if name == ColumnsCodec.id and not large:
            side_by_side = [Serializer().dumps({"k": n, "t": "text"}) for n in range(60)]
            found[ColumnsCodec().encode_many(b"".join(side_by_side), 60, level)] = sum(map(len, side_by_side))
        for group in (plains, uneven) if name == StackCodec.id else ():
            layout = segments(group[0])
            alike = [plain for plain in group if shape_of(segments(plain)) == shape_of(layout)]
            for apart in (False, True):
                found[StackCodec().encode_many(alike, layout, level, apart=apart).payload] = sum(map(len, alike))
    return found


def _opened(payload: bytes) -> bytes:
    """Return a payload of columns with its numbers uncompressed."""
    view = memoryview(payload)
    plain, at = read_varint(view, 1)
    packed, at = read_varint(view, at)
    if not packed:
        return payload
    numbers = ZstdFrames().decode(payload[at : at + packed], plain)
    return bytes((COLUMNS,)) + write_varint(plain) + write_varint(0) + numbers + payload[at + packed :]


def _with_dictionary() -> tuple[DictionaryBook, Callable[[bytes, int], bytes]]:
    chance = random.Random(2)
    samples = [Serializer().dumps({"id": n, "text": words(300 + n).decode(), "x": chance.random()}) for n in range(300)]
    book = DictionaryBook(dictionary_bytes=0)
    book.add(1, 0, zstandard.train_dictionary(4096, [*samples], level=3).as_bytes())
    return book, lambda plain, level: book.encode(1, plain, level)
