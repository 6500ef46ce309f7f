"""Owns the budgets: what must be, what is aimed at, and what was measured, as data and as cells of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.overhead.engines import ABSORB, WRITE_THROUGH
from benchmarks.overhead.floors import GET, HOT, READ_FLOOR, SET, STORE, STORE_FLOOR, WARM
from benchmarks.overhead.requests import BARE, OFF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_OVERHEAD = 1.05

HEADERS = ("budget", "measured", "quartiles", "must", "goal", "")


class _Bound(NamedTuple):
    """A budget before it is measured; with `least` more is better."""

    what: str
    must: float
    goal: float
    least: bool = False


_SINGLE = {
    f"{HOT} / {READ_FLOOR}": _Bound("hot retrieve, in times of its floor", 1.5, 1.2),
    f"{HOT} / {GET}": _Bound("hot retrieve, times faster than diskcache.get", 2, 3, least=True),
    f"{STORE} / {STORE_FLOOR}": _Bound("store, in times of its floor", 2, 1.5),
    f"{STORE} / {SET}": _Bound("store, times faster than diskcache.set", 6, 10, least=True),
    f"{WARM} / {GET}": _Bound("warm retrieve, in times of diskcache.get", 3, 1.5),
}
_IN_A_ROW = {
    "seconds": _Bound("stores in a row, checkpoints included, times faster than diskcache", 3, 5, least=True),
    "bytes": _Bound("all files of a store that is not settled, times smaller than diskcache's", 4, 4, least=True),
}


def budgets(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each budget of the parts that ran."""
    made = []
    if result["floors"] is not None:
        for name, bound in _SINGLE.items():
            spread = result["floors"]["ratios"][name]
            made.append(_judged(bound, _inverse(spread) if bound.least else spread))
    if result["sustained"] is not None:
        made += [_judged(bound, result["sustained"]["times_better"][name]) for name, bound in _IN_A_ROW.items()]
    for row in result["rows"]:
        if row["judged"]:
            made += _wrapped(row)
    return made


def _wrapped(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = f"{row['engine']}, {row['workload']}"
    for way in (ABSORB, WRITE_THROUGH):
        told = row["ways"][way]
        for lap in ("first", "second"):
            bound = _Bound(f"{where}: {way}, {lap} lap, in times of bare", MOST_OVERHEAD, 1)
            yield _judged(bound, told[f"{lap}_times_bare"])
        if "second_reads" not in told["p50_of_us"]:
            continue  # a trace of which this many requests only write
        hot = row["ways"][BARE]["p50_of_us"]["second_reads"] / told["p50_of_us"]["second_reads"]
        faster = _Bound(f"{where}: {way}, median read of the second lap, times faster", 1, 1, least=True)
        yield _judged(faster, {"median": hot, "low": hot, "high": hot})
    told = row["ways"][OFF]
    bound = _Bound(f"{where}: {OFF}, second lap, in times of bare", MOST_OVERHEAD, 1)
    yield _judged(bound, told["second_times_bare"])


def _inverse(spread: dict[str, float]) -> dict[str, float]:
    return {"median": 1 / spread["median"], "low": 1 / spread["high"], "high": 1 / spread["low"]}


def _judged(bound: _Bound, spread: dict[str, float]) -> dict[str, Any]:
    value = spread["median"]

    def keeps(limit: float) -> bool:
        return value >= limit if bound.least else value <= limit

    return {**bound._asdict(), **spread, "met": keeps(bound.must), "goal_met": keeps(bound.goal)}


def budget_cells(rows: Iterable[dict[str, Any]]) -> Iterator[list[str]]:
    """Yield a line for each budget."""
    for row in rows:
        word = "at least" if row["least"] else "at most"
        verdict = "goal met" if row["goal_met"] else "met" if row["met"] else "MISSED"
        bounds = [f"{word} {row['must']:g}", f"{row['goal']:g}"]
        yield [row["what"], *with_quartiles(row), *bounds, verdict]


def with_quartiles(spread: dict[str, float]) -> list[str]:
    """Return a ratio and its quartiles as two cells."""
    return [_figure(spread["median"]), f"{_figure(spread['low'])} to {_figure(spread['high'])}"]


def _figure(ratio: float) -> str:
    """Return a ratio with three figures or so, whether a wrapper costs some percent or saves a round trip."""
    return f"{ratio:.4f}" if ratio < 0.0995 else f"{ratio:.2f}" if ratio < 99.95 else f"{ratio:,.0f}"
