"""Waits: a timed trace cut into the times between an access of a key and what happens to it next.

Owns that cut and the check of the columns; prices nothing. A wait begins with every read or write of a key and ends
with its next read (a return), its next write or its deletion, or the end of the trace. What thresholds cost is a sum
over waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.errors import ConfigurationError
from stratakv.policies.placement.histogram import access_classes
from stratakv.policies.simulation.trace import DELETE, GET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Booleans = NDArray[np.bool_]


class Columns(NamedTuple):
    """A timed trace that was checked: key, bytes, operation, seconds, and a hash of each key."""

    key: Integers
    size: Integers
    op: Integers
    ts: Floats
    hashes: NDArray[np.uint64]


class Waits(NamedTuple):
    """One row for each wait, in the order of their beginnings.

    Attributes:
        start: Seconds.
        end: Seconds; the trace's end where nothing more happened.
        size: Bytes that wait.
        classes: Access class of the key at the start.
        returned: Whether a read ended it.
        request: Which request began it.
        finish: When the trace ends.
    """

    start: Floats
    end: Floats
    size: Integers
    classes: Integers
    returned: Booleans
    request: Integers
    finish: float

    @property
    def seconds(self) -> Floats:
        """How long each wait took."""
        return self.end - self.start


def checked(requests: Mapping[str, NDArray[np.generic]]) -> Columns:
    """Return the columns of a trace: `key`, `size` (bytes), `op` (0 get, 1 put, 2 delete), `ts` (seconds).

    Raises:
        ConfigurationError: A column is missing or of another length, there are no requests, a size is negative, an
        operation is unknown, or the times decrease.
    """
    missing = [name for name in ("key", "size", "op", "ts") if name not in requests]
    if missing:
        raise ConfigurationError(f"the cost of a trace needs the columns key, size, op and ts; missing: {missing}")
    key, size, op = (np.asarray(requests[name]).astype(np.int64) for name in ("key", "size", "op"))
    ts = np.asarray(requests["ts"]).astype(np.float64)
    if not len(key) == len(size) == len(op) == len(ts):
        raise ConfigurationError("the columns of a trace must be of one length")
    if not len(key):
        raise ConfigurationError("a trace without requests costs nothing")
    if (size < 0).any():
        raise ConfigurationError("a size in a trace is negative")
    if ((op < GET) | (op > DELETE)).any():
        raise ConfigurationError("an operation of a trace must be 0 (get), 1 (put) or 2 (delete)")
    if not np.isfinite(ts).all() or (np.diff(ts) < 0).any():
        raise ConfigurationError("the times of a trace must be finite and not decrease")
    return Columns(key, size, op, ts, hashed(key))


def hashed(keys: Integers) -> NDArray[np.uint64]:
    """Spread key numbers evenly over 64 bits, equally in every run (Murmur3's finaliser, Appleby 2011)."""
    mixed = keys.astype(np.uint64) + np.uint64(1)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(33))


def cut(columns: Columns, finish: float | None = None) -> Waits:
    """Cut a trace into waits.

    Args:
        columns: The trace.
        finish: When it ends; none: with its last request. Not earlier than that.

    Raises:
        ConfigurationError: It would end before its last request.
    """
    key, size, op, ts, _ = columns
    last = float(ts[-1])
    if finish is not None and finish < last:
        raise ConfigurationError(f"a trace cannot end at {finish:g} s, before its last request at {last:g} s")
    end = last if finish is None else finish
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    place = np.arange(len(key))
    accesses = np.empty(len(key), dtype=np.int64)
    accesses[order] = place - np.maximum.accumulate(np.where(np.concatenate(([True], ~same)), place, 0)) + 1
    following = np.full(len(key), -1)
    following[order[:-1][same]] = order[1:][same]
    began = np.flatnonzero(op != DELETE)
    after = following[began]
    return Waits(
        start=ts[began],
        end=np.where(after < 0, end, ts[after]),
        size=size[began],
        classes=access_classes(accesses[began]),
        returned=(after >= 0) & (op[after] == GET),
        request=began,
        finish=end,
    )
