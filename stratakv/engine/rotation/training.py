"""Learning a rotation from samples of vectors.

Owns the choice of axes, step and statistics, and of the model that makes the vectors to be served smallest, its own
bytes included. Axes are the principal axes of the vectors about 0 (Hotelling, 1933; the mean becomes a coordinate's
middle), whose coordinates are uncorrelated, so that coding each by itself loses least; the same step for all of them
is the best division of error where the sum of squares counts (reverse water-filling; see Goyal, 2001).

The axes are learned from four fifths of the samples, step and statistics from the rest: axes look better on the
vectors that they were learned from than they are. Deterministic: no seed, no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.engine.rotation.form import GREATEST_SCALE, LARGEST_DIMENSION, LARGEST_ROTATED, Form, to_content
from stratakv.engine.rotation.model import Rotation
from stratakv.engine.rotation.statistics import GREATEST_REACH, GREATEST_SHIFT, Class, Statistics
from stratakv.engine.serialization import Serializer, segments

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, Any]

DEFAULT_MIN_COSINE = 0.9995
"""The least cosine between a vector and what is kept of it, where nothing else is asked for."""

FEWEST_SAMPLES = 32
MOST_SAMPLES = 8192
_SHARE = 0.05  # of the bytes served, at most, for a model
_HELD_OUT = 5
_MOST_HELD_OUT = 1024
# Vectors yet to come count too: those seen so far are the beginning.
_TO_COME = 4
_SCALES = (GREATEST_SCALE, GREATEST_SCALE // 2, GREATEST_SCALE // 8)
_PAYS = 0.99  # turning costs time, and must save more than chance does
# Fresh vectors shall keep the bound: so many of those held out may miss it, by so much less error.
_MISSES = 0.002
_MARGIN = 0.97
_ROUNDS = 6
# Classes of coordinates: so many an octave of spread, of so many coordinates at least, so many at most. More of them
# fit better, but each brings a table of codes into every block.
_AN_OCTAVE = 3.0
_FEWEST = 4
_MOST = 16
_FREQUENCIES = 1 << 14
_PRIOR = 64.0
_WIDEST_CLASS = 24.0  # multiples; wider ones keep low bits apart


def trained(
    samples: Array, min_cosine: float = DEFAULT_MIN_COSINE, served_bytes: int = 1 << 30, template: bytes | None = None
) -> Rotation | None:
    """Return the best model whose stored form is at most 5% of the bytes that it serves.

    Args:
        samples: Original vectors, one a row; those of zeros or with infinities or NaN are passed over.
        min_cosine: The least cosine that nearly all vectors shall keep.
        served_bytes: Bytes of such vectors in float form that the model is for.
        template: The commonest plaintext with a single vector; None for a bare array of float32.

    Returns:
        None where there are too few samples, or none is smaller than steps of 8 bits would be.
    """
    rows = _usable(samples)
    if len(rows) < FEWEST_SAMPLES or not 16 <= rows.shape[1] <= LARGEST_DIMENSION:
        return None
    held_out = rows[::_HELD_OUT][:_MOST_HELD_OUT]
    before, behind, itemsize = _template(template, rows.shape[1])
    vectors = _TO_COME * served_bytes / (samples.dtype.itemsize * rows.shape[1])
    best: tuple[Form, bytes] | None = None
    least = _eight_bits(held_out) * rows.shape[1] / 8 * vectors
    for scale, axes in _axes(rows):
        form = _fitted(held_out, scale, axes, min_cosine)
        form = form._replace(before=before, behind=behind, itemsize=itemsize)
        content = to_content(form)
        size = len(content) + form.bits * rows.shape[1] / 8 * vectors
        first_turned = axes is not None and (best is None or best[0].axes is None)
        if len(content) <= _SHARE * served_bytes and size < (_PAYS * least if first_turned else least):
            best, least = (form, content), size
    return None if best is None else Rotation(*best)


def _usable(samples: Array) -> Array:
    """Return at most `MOST_SAMPLES` vectors, spread over all, that have a direction."""
    rows = samples[:: max(1, -(-len(samples) // MOST_SAMPLES))].astype(np.float64)
    greatest = np.abs(rows).max(axis=1, initial=0.0)
    usable: Array = rows[np.isfinite(greatest) & (greatest > 1e-30) & (greatest < 1e30)]
    return usable


def _axes(rows: Array) -> Iterator[tuple[int, Array | None]]:
    """Yield scales and axes to try: none, then the principal ones, fine and coarse."""
    yield 1, None
    dimension = rows.shape[1]
    if dimension > LARGEST_ROTATED:
        return
    learned = np.delete(rows, np.s_[::_HELD_OUT], axis=0)
    learned /= np.linalg.norm(learned, axis=1, keepdims=True)
    moments = learned.T @ learned / len(learned)
    # Fewer samples than coordinates say nothing of many directions; all of those are equally good then.
    moments[np.diag_indices(dimension)] += 1e-6 / dimension
    axes = np.linalg.eigh(moments)[1].T[::-1]
    for scale in _SCALES:
        yield scale, np.rint(axes * scale).clip(-127, 127).astype(np.int8)


def _fitted(held_out: Array, scale: int, axes: Array | None, min_cosine: float) -> Form:
    """Return axes with the largest step that keeps the bound, and the statistics of that step."""
    dimension = held_out.shape[1]
    aim = max(1e-9, (1.0 - min_cosine) * _MARGIN)
    # The error of rounding to steps is uniform: step**2 / 12 a coordinate.
    step = min(1.0, float(np.sqrt(24.0 * aim / dimension)))
    wide = Class(0, GREATEST_REACH, (1,) * (2 * GREATEST_REACH + 2))
    unknown = Statistics((wide,), np.zeros(dimension, np.uint8), np.zeros(dimension, np.int32))
    rotation = Rotation(Form(step, min_cosine, 0.0, scale, axes, unknown), b"")
    for _ in range(_ROUNDS):
        names = rotation.nearest(held_out)
        worst = _worst(held_out, rotation.put_together(names, np.float64))
        step = min(1.0, step * float(np.sqrt(aim / max(worst, aim / 16))))
        rotation = rotation.refitted(step, _statistics(names.numbers))
    numbers = rotation.nearest(held_out).numbers
    if axes is not None:
        order = np.argsort(_members(numbers), kind="stable")
        numbers, axes = numbers[:, order], axes[order]
    statistics = _statistics(numbers)
    bits = statistics.bits(statistics.symbols(numbers)) / numbers.size
    return Form(step, min_cosine, bits, scale, axes, statistics)


def _worst(rows: Array, changed: Array) -> float:
    """Return 1 less the cosine that nearly all rows keep."""
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(changed, axis=1)
    if not lengths.all():
        return 1.0
    off = np.sort(1.0 - np.einsum("ij,ij->i", rows, changed) / lengths)
    return float(off[int((1.0 - _MISSES) * (len(off) - 1))])


def _members(numbers: Array) -> Array:
    """Return the class of each coordinate, by its spread; classes cost a table, so none is of few coordinates."""
    off = np.abs(numbers - np.rint(numbers.mean(axis=0))).mean(axis=0)
    kinds = np.rint(_AN_OCTAVE * np.log2(off + 0.05)).astype(np.int64)
    kinds -= kinds.min()
    fewest = max(_FEWEST, len(kinds) // _MOST)
    taken = into = 0
    counts = np.bincount(kinds)
    joined = np.zeros(len(counts), np.int64)
    for kind in range(len(counts) - 1, -1, -1):
        joined[kind] = into
        taken += counts[kind]
        if taken >= fewest and counts[:kind].sum() >= fewest:
            taken, into = 0, into + 1
    members: Array = (into - joined[kinds]).astype(np.uint8)
    return members


def _statistics(numbers: Array) -> Statistics:
    """Return the statistics of multiples."""
    members = _members(numbers)
    middles = np.rint(numbers.mean(axis=0)).astype(np.int32)
    rests = numbers - middles
    classes = [_class(rests[:, members == each]) for each in range(members.max() + 1)]
    return Statistics(tuple(classes), members, middles)


def _class(rests: Array) -> Class:
    """Return the class of coordinates whose multiples are known."""
    flat = rests.reshape(-1)
    spread = float(np.sqrt((flat.astype(np.float64) ** 2).mean()))
    shift = min(GREATEST_SHIFT, max(0, int(np.ceil(np.log2(max(spread, 1e-9) / _WIDEST_CLASS)))))
    flat = flat >> shift
    spread = max(0.25, spread / (1 << shift))
    reach = int(np.clip(np.ceil(4.5 * spread), 1, GREATEST_REACH))
    counts = np.bincount(np.where(np.abs(flat) <= reach, flat + reach, 2 * reach + 1), minlength=2 * reach + 2)
    # What was not seen is guessed between a bell and two exponentials.
    off = np.abs(np.arange(-reach, reach + 1))
    bell, tails = np.exp(-0.5 * (off / spread) ** 2), np.exp(-np.sqrt(2.0) * off / spread)
    guess = np.append(0.7 * bell / bell.sum() + 0.3 * tails / tails.sum(), 1e-3)
    share = (counts + _PRIOR * guess / guess.sum()) / (counts.sum() + _PRIOR)
    frequencies = np.maximum(1, np.rint(share * _FREQUENCIES)).astype(np.int64)
    return Class(shift, reach, tuple(frequencies.tolist()))


def _eight_bits(rows: Array) -> float:
    """Return the bits a coordinate that steps of 8 bits take, by their own entropy."""
    multiples = np.rint(rows / np.abs(rows).max(axis=1, keepdims=True) * 127).astype(np.int64)
    counts = np.bincount((multiples + 127).reshape(-1)).astype(np.float64)
    shares = counts[counts > 0] / counts.sum()
    return -float((shares * np.log2(shares)).sum()) + 32.0 / float(rows.shape[1])


def _template(plaintext: bytes | None, dimension: int) -> tuple[bytes, bytes, int]:
    """Return what stands before and behind the only vector of a plaintext, and the bytes of an element."""
    if plaintext is None:
        plaintext = Serializer().dumps(np.zeros(dimension, np.float32))
    for start, _, (kind, itemsize, row) in segments(plaintext):
        stop = start + dimension * itemsize
        if kind == "f" and row in (0, dimension) and stop <= len(plaintext):
            return plaintext[:start], plaintext[stop:], itemsize
    return b"", b"", 4
