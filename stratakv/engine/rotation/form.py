"""The stored form of a rotation.

Owns its bytes, little-endian:

    "SKVR", version u8 (1), flags u8 (1: there are axes), log2 of the axes' scale u8, itemsize of the template u8
    dimension u32, step f64, least cosine f64, bits a coordinate f32
    bytes of the statistics, plain u32, and coded u32
    the statistics in the general form, then the axes (int8, a row an axis) in a zstd frame

    statistics: number of classes u8, each class: shift u8, reach u8, 2 reach + 2 frequencies u16;
    the class of each coordinate u8; the middles i32; template: u16 bytes before, u16 bytes behind, and both

Invariant: every length is compared with its limit before anything of that length is made.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np

from stratakv.engine.codecs.shortest import Shortest
from stratakv.engine.rotation.coding import Literals
from stratakv.engine.rotation.statistics import GREATEST_REACH, GREATEST_SHIFT, MOST_CLASSES, Class, Statistics
from stratakv.errors import CorruptionError

Array = np.ndarray[Any, Any]

_MAGIC, _VERSION = b"SKVR", 1
_HEAD = struct.Struct("<4sBBBBIddfII")
_AXES = 1
LARGEST_DIMENSION = 8192
LARGEST_ROTATED = 2048
GREATEST_SCALE = 128
_LONGEST_TEMPLATE = 4096
_LARGEST_STATISTICS = 1 << 20
_LEVEL = 9
_general, _literals = Shortest(), Literals()


class Form(NamedTuple):
    """The fields of a rotation.

    Attributes:
        step: The unit of the multiples of vectors of length 1.
        min_cosine: The bound that the step was chosen for.
        bits: Expected bits a coordinate.
        scale: What the axes are multiplied by, a power of two.
        axes: Whole numbers, int8, an axis a row; None where vectors are not rotated.
        statistics: What is known of the multiples.
        before: What stands before the vector in the commonest value with one vector.
        behind: What stands behind it.
        itemsize: Bytes of an element of that vector.
    """

    step: float
    min_cosine: float
    bits: float
    scale: int
    axes: Array | None
    statistics: Statistics
    before: bytes = b""
    behind: bytes = b""
    itemsize: int = 4


def to_content(form: Form) -> bytes:
    """Return the stored form."""
    plain = _statistics_bytes(form)
    coded = _general.encode(plain, _LEVEL)
    axes = b"" if form.axes is None else _literals.encode(form.axes.astype(np.int8).tobytes(), 1)
    flags = 0 if form.axes is None else _AXES
    head = _HEAD.pack(
        _MAGIC, _VERSION, flags, form.scale.bit_length() - 1, form.itemsize, len(form.statistics.members),
        form.step, form.min_cosine, form.bits, len(plain), len(coded),
    )  # fmt: skip
    return head + coded + axes


def from_content(content: bytes) -> Form:
    """Undo `to_content`.

    Raises:
        CorruptionError: It is no stored form of a rotation.
    """
    if len(content) < _HEAD.size or not content.startswith(_MAGIC):
        raise CorruptionError(f"{len(content)} bytes given as a rotation do not begin like one")
    _, version, flags, scale, itemsize, dimension, step, cosine, bits, plain, coded = _HEAD.unpack_from(content)
    if version != _VERSION or flags not in (0, _AXES) or itemsize not in (2, 4, 8):
        raise CorruptionError(f"a rotation of version {version} with flags {flags} is not known")
    rotates = flags == _AXES
    sound = (
        1 <= dimension <= (LARGEST_ROTATED if rotates else LARGEST_DIMENSION)
        and (1 << scale if scale < 8 else 0) in range(1, GREATEST_SCALE + 1)
        and 0.0 < step < 2.0
        and -1.0 <= cosine <= 1.0
        and 0.0 <= bits < 64.0
        and plain <= _LARGEST_STATISTICS
        and _HEAD.size + coded <= len(content)
    )
    if not sound:
        raise CorruptionError(f"a rotation of {len(content)} bytes has a damaged head")
    view = memoryview(content)[_HEAD.size :]
    statistics, before, behind = _statistics(_general.decode(view[:coded], plain), dimension)
    axes = None
    if rotates:
        axes = np.frombuffer(_literals.decode(view[coded:], dimension * dimension), np.int8)
        axes = axes.reshape(dimension, dimension)
    elif len(view) != coded:
        raise CorruptionError(f"a rotation of {len(content)} bytes has {len(view) - coded} too many")
    return Form(step, cosine, bits, 1 << scale, axes, statistics, before, behind, itemsize)


def _statistics_bytes(form: Form) -> bytes:
    statistics = form.statistics
    parts = [bytes((len(statistics.classes),))]
    for kind in statistics.classes:
        parts += [bytes((kind.shift, kind.reach)), np.array(kind.frequencies, "<u2").tobytes()]
    parts += [statistics.members.astype(np.uint8).tobytes(), statistics.middles.astype("<i4").tobytes()]
    parts += [struct.pack("<HH", len(form.before), len(form.behind)), form.before, form.behind]
    return b"".join(parts)


def _statistics(plain: bytes, dimension: int) -> tuple[Statistics, bytes, bytes]:
    """Return the statistics and what stands before and behind a vector."""
    try:
        count, at = plain[0], 1
        classes = []
        for _ in range(count):
            shift, reach = plain[at], plain[at + 1]
            frequencies = np.frombuffer(plain, "<u2", 2 * reach + 2, at + 2)
            at += 2 + frequencies.nbytes
            if shift > GREATEST_SHIFT or reach > GREATEST_REACH or not frequencies.all():
                raise CorruptionError("a rotation has a damaged class of coordinates")
            classes.append(Class(shift, reach, tuple(frequencies.tolist())))
        members = np.frombuffer(plain, np.uint8, dimension, at)
        middles = np.frombuffer(plain, "<i4", dimension, at + dimension).astype(np.int32)
        at += 5 * dimension
        before, behind = struct.unpack_from("<HH", plain, at)
    except (IndexError, ValueError, struct.error) as error:
        raise CorruptionError(f"a rotation's statistics end too early: {error}") from error
    at += 4
    if not 1 <= count <= MOST_CLASSES or members.max() >= count or at + before + behind != len(plain):
        raise CorruptionError(f"a rotation has damaged statistics of {len(plain)} bytes")
    if max(before, behind) > _LONGEST_TEMPLATE or np.abs(middles.astype(np.int64)).max() > 1 << 30:
        raise CorruptionError(f"a rotation has damaged statistics of {len(plain)} bytes")
    return Statistics(tuple(classes), members, middles), plain[at : at + before], plain[at + before :]
