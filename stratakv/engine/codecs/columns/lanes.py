"""The integer columns of one table together: what one of them tells about another is not stored twice.

Owns three ways to make a lane (a column of int64) smaller before it is written:

* *pool*: lanes that hold the same far-apart numbers, such as the two ends of edges, share one sorted
  dictionary and keep positions in it;
* *minus*: the difference to an earlier lane is stored;
* *by*: the rows are put in groups by an earlier lane of few different values, and each group is written alone.

Invariant: a lane refers to lanes written before it only, in the form they are stored in (positions if pooled).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stratakv.engine.codecs.columns.numbers import estimate, read_ints, write_ints
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stratakv.engine.codecs.columns.numbers import Ints
    from stratakv.engine.codecs.columns.pieces import PieceReader, PieceWriter, Tools

# A lane of at most so many different values may order the rows of others.
_FEW = 64
# Smaller groups go together. Part of the format.
_SMALL_GROUP = 512
# Lanes shorter than this are written as they are: each try costs more time than it saves bytes.
_SHORT = 64
# Longer lanes are judged by a run from their middle.
_PILOT = 16 * 1024
# How many earlier lanes are tried for each way.
_TRIES = 3
_SHARED = 0.2
# A pool must be this much shorter than its lanes.
_REPEATED = 0.9
# What a group's method and length take.
_PART = 3
_SHORT_INT = 1 << 15


class _Way(NamedTuple):
    """How a lane is written, and about how long that is. Numbers of other lanes plus 1, or 0."""

    length: float
    minus: int = 0
    by: int = 0


class _Planner:
    """Finds the ways of all lanes of a table."""

    def __init__(self, tools: Tools, lanes: Sequence[Ints]) -> None:
        self._tools = tools
        self._run = _run(len(lanes[0]))
        self._scale = len(lanes[0]) / max(1, self._run.stop - self._run.start)
        self.stored = list(lanes)
        self.distinct = [_distinct(lane) for lane in lanes]
        few = [number for number, values in enumerate(self.distinct) if len(values) <= _FEW]
        many = [number for number, values in enumerate(self.distinct) if len(values) > _FEW]
        self._keys = self._possible_keys(few)
        self.pools: list[Ints] = []
        self.pool_of = [0] * len(lanes)
        self.ways = {number: _Way(0) for number in few}
        close, related = self._related(many)
        self.ways.update(self._ways_of(close, self.stored))
        for members in related:
            self._decide(members)

    def _possible_keys(self, few: list[int]) -> dict[int, tuple[Ints, Ints]]:
        """Return the lanes that may order the rows of others, and how they group a run of the rows."""
        found: dict[int, tuple[Ints, Ints]] = {}
        for number in few:
            if len(self.distinct[number]) > 1 and len(found) < _TRIES:
                order, ends = _groups(self.stored[number][self._run])
                if len(ends) > 1:
                    found[number] = order, ends
        return found

    def _related(self, many: list[int]) -> tuple[list[int], list[list[int]]]:
        """Return the lanes of close numbers, and of the others those together that hold mostly the same values."""
        close: list[int] = []
        groups: list[tuple[Ints, list[int]]] = []
        for number in many:
            values = self.distinct[number]
            if int(values[-1]) - int(values[0]) < 2 * len(values):
                close.append(number)
                continue
            for at, (held, members) in enumerate(groups):
                common = len(np.intersect1d(values, held, assume_unique=True))
                if common > _SHARED * min(len(values), len(held)):
                    groups[at] = (np.union1d(values, held), [*members, number])
                    break
            else:
                groups.append((values, [number]))
        return close, [members for _, members in groups]

    def _decide(self, members: list[int]) -> None:
        """Choose between the values and a pool for lanes that hold mostly the same."""
        ways = self._ways_of(members, self.stored)
        pool = self.distinct[members[0]]
        for number in members[1:]:
            pool = np.union1d(pool, self.distinct[number])
        if len(pool) <= _REPEATED * len(members) * len(self.stored[0]):
            pooled = list(self.stored)
            for number in members:
                pooled[number] = np.searchsorted(pool, self.stored[number]).astype(np.int64)
            others = self._ways_of(members, pooled)
            gain = sum(way.length for way in ways.values()) - sum(way.length for way in others.values())
            if estimate(self._tools, _gaps(pool)) < gain:
                ways, self.stored = others, pooled
                self.pools.append(pool)
                for number in members:
                    self.pool_of[number] = len(self.pools)
        self.ways.update(ways)

    def _ways_of(self, members: list[int], stored: list[Ints]) -> dict[int, _Way]:
        """Return the shortest ways to write related lanes one after the other."""
        return {number: self._way(number, members[:at][-_TRIES:], stored) for at, number in enumerate(members)}

    def _way(self, number: int, earlier: list[int], stored: list[Ints]) -> _Way:
        chosen = lane = stored[number][self._run]
        length, minus, by = estimate(self._tools, lane), 0, 0
        for other in earlier:
            rest = lane - stored[other][self._run]
            shorter = estimate(self._tools, rest)
            if shorter < length:
                length, minus, chosen = shorter, other + 1, rest
        for other, (order, ends) in self._keys.items():
            parts = np.split(chosen[order], ends[:-1])
            shorter = sum(estimate(self._tools, part) + _PART for part in parts)
            if shorter < length:
                length, by = shorter, other + 1
        return _Way(length * self._scale, minus, by)


def write_lanes(out: PieceWriter, lanes: Sequence[Ints]) -> None:
    """Add lanes of equal length."""
    if not out.thorough or not lanes or len(lanes[0]) < _SHORT:
        out.number(0)
        for lane in lanes:
            write_ints(out, lane)
        return
    plan = _Planner(out.tools, lanes)
    out.number(1)
    out.number(len(plan.pools))
    for pool in plan.pools:
        out.number(len(pool))
        write_ints(out, _gaps(pool))
    for number, way in plan.ways.items():
        for reference in (number, plan.pool_of[number], way.minus, way.by):
            out.number(reference)
        lane = plan.stored[number]
        if way.minus:
            lane = lane - plan.stored[way.minus - 1]
        if not way.by:
            write_ints(out, lane)
            continue
        order, ends = _groups(plan.stored[way.by - 1])
        for part in np.split(lane[order], ends[:-1]):
            write_ints(out, part, ordered=False)


def read_lanes(source: PieceReader, count: int, rows: int) -> list[Ints]:
    """Return `count` lanes of `rows` numbers. The caller has claimed them."""
    if not source.number(1):
        return [read_ints(source, rows) for _ in range(count)]
    pools = []
    # A lane has one pool at most, so all of them together hold no more than the lanes.
    left = count * rows
    for _ in range(source.number(count)):
        length = source.number(left)
        left -= length
        pools.append(np.cumsum(read_ints(source, length), dtype=np.int64))
    stored: dict[int, Ints] = {}
    lanes: dict[int, Ints] = {}
    for _ in range(count):
        number, pool = source.number(count - 1), source.number(len(pools))
        minus, by = source.number(count), source.number(count)
        if number in stored or (minus and minus - 1 not in stored) or (by and by - 1 not in stored):
            raise CorruptionError(f"damaged columns: lane {number} comes twice or before those it needs")
        lane = _read_groups(source, stored[by - 1]) if by else read_ints(source, rows)
        if minus:
            lane = lane + stored[minus - 1]
        stored[number] = lane
        lanes[number] = chosen(pools[pool - 1], lane) if pool else lane
    return [lanes[number] for number in range(count)]


def chosen(pool: Ints, positions: Ints) -> Ints:
    """Return the entries of a pool at the positions.

    Raises:
        CorruptionError: A position lies outside.
    """
    if len(positions) and (int(positions.min()) < 0 or int(positions.max()) >= len(pool)):
        raise CorruptionError(f"damaged columns: a position outside a dictionary of {len(pool)}")
    return pool[positions]


def _read_groups(source: PieceReader, key: Ints) -> Ints:
    order, ends = _groups(key)
    lane = np.empty(len(key), np.int64)
    start = 0
    for end in ends:
        lane[order[start:end]] = read_ints(source, int(end) - start)
        start = int(end)
    return lane


def _groups(key: Ints) -> tuple[Ints, Ints]:
    """Return the rows group by group, and where each group ends. Small groups are the first one together."""
    # Short integers are sorted in linear time.
    short = key.astype(np.int16) if len(key) and -_SHORT_INT < key.min() <= key.max() < _SHORT_INT else key
    _, inverse, counts = np.unique(short, return_inverse=True, return_counts=True)
    place = np.where(counts < _SMALL_GROUP, -1, np.arange(len(counts)))
    place = place.astype(np.int16 if len(counts) < _SHORT_INT else np.int64)[inverse]
    order = np.argsort(place, kind="stable")
    _, sizes = np.unique(place, return_counts=True)
    return order, np.cumsum(sizes)


def _distinct(lane: Ints) -> Ints:
    """Return the different values, sorted: as `numpy.unique` does, which is slower for integers."""
    values = np.sort(lane)
    return values[np.flatnonzero(np.diff(values, prepend=~values[:1]))]


def _gaps(pool: Ints) -> Ints:
    return np.diff(pool, prepend=np.int64(0))


def _run(rows: int) -> slice:
    if rows <= 2 * _PILOT:
        return slice(0, rows)
    start = (rows - _PILOT) // 2
    return slice(start, start + _PILOT)
