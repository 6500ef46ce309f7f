"""`Trace`: the requests of a recorded workload as columns of numbers, and samples of its keys.

Owns the columns' meaning. Never reads files and never replays. Invariant: keys are dense numbers, given in the
order in which keys first appear, and all columns that are there are of one length.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

GET, PUT, DELETE = range(3)
"""What a request does, in `Trace.ops`."""

Request = tuple[int, int, int, int]
"""Key, weight in the unit of the cache's capacity, size in bytes, and one of GET, PUT, DELETE."""

# Requests become Python objects so many at a time: all of them at once would take 200 bytes each.
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A recorded workload.

    Args:
        name: What people call it.
        keys: A number for each request's key: 0 for the first key, 1 for the next new one, and so on.
        sizes: Bytes of each request's value, 0 for deletes; None where they were not recorded.
        ops: GET, PUT or DELETE; None where all are gets.
        times: When each request came, never decreasing, in the recording's own unit; None where not recorded.
    """

    name: str
    keys: NDArray[np.int64]
    sizes: NDArray[np.int64] | None = None
    ops: NDArray[np.uint8] | None = None
    times: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def gets(self) -> int:
        """How many requests are gets."""
        return len(self.keys) if self.ops is None else int(np.count_nonzero(self.ops == GET))

    @property
    def bytes_requested(self) -> int:
        """Bytes of all gets; without sizes each object counts as one byte, so that byte hit ratios are hit ratios."""
        if self.sizes is None:
            return self.gets
        return int(self.sizes.sum() if self.ops is None else self.sizes[self.ops == GET].sum())

    @property
    def objects(self) -> int:
        """How many different keys there are."""
        return int(self.keys.max(initial=-1)) + 1

    @property
    def object_bytes(self) -> int:
        """Bytes of all objects together, each as large as it was when it was last read or written.

        Raises:
            ConfigurationError: The trace has no sizes.
        """
        keys, sizes = self.keys, self._sizes()
        if self.ops is not None:
            there = self.ops != DELETE
            keys, sizes = keys[there], sizes[there]
        last = np.zeros(self.objects, np.int64)
        # Of several values for one place numpy keeps the last.
        last[keys] = sizes
        return int(last.sum())

    def weights(self) -> NDArray[np.int64]:
        """Return what each request's object takes of a cache that counts bytes: its size, an empty one 1.

        Raises:
            ConfigurationError: The trace has no sizes.
        """
        return np.maximum(self._sizes(), 1)

    def requests(self, *, by_bytes: bool = False) -> Iterator[Request]:
        """Iterate over the requests as `replay` takes them; weights are 1, or by bytes those of `weights`.

        Raises:
            ConfigurationError: By bytes, and the trace has no sizes.
        """
        return zip(
            numbers(self.keys),
            numbers(self.weights()) if by_bytes else repeat(1),
            repeat(1) if self.sizes is None else numbers(self.sizes),
            repeat(GET) if self.ops is None else numbers(self.ops),
            strict=False,
        )

    def sampled(self, rate: float) -> Trace:
        """Return the requests of a share of the keys, chosen by a hash of the key, so that it is always the same.

        Args:
            rate: The share of the keys, more than 0 and at most 1.
        """
        if rate >= 1:
            return self
        chosen = _hashed(self.keys) < np.uint64(int(rate * (1 << 64)))
        _, dense = np.unique(self.keys[chosen], return_inverse=True)
        return Trace(
            self.name,
            dense.astype(np.int64),
            None if self.sizes is None else self.sizes[chosen],
            None if self.ops is None else self.ops[chosen],
            None if self.times is None else self.times[chosen],
        )

    def _sizes(self) -> NDArray[np.int64]:
        if self.sizes is None:
            raise ConfigurationError(f"trace {self.name} has no sizes, so it cannot be replayed by bytes")
        return self.sizes


def numbers(column: NDArray[np.int64] | NDArray[np.uint8]) -> Iterator[int]:
    """Iterate over a column as Python's integers, of which only a chunk is held at a time."""
    return chain.from_iterable(column[start : start + _CHUNK].tolist() for start in range(0, len(column), _CHUNK))


def _hashed(keys: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Spread dense numbers evenly over 64 bits: the finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    mixed = keys.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
