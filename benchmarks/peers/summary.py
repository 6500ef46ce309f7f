"""Owns putting what was measured together, a row for each store, and the goals: what was wanted beside the figure.

A ratio is the other store's time in times of stratakv's with the same durability, in the same round; above 1 stratakv
is quicker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.peers.contenders import OURS
from benchmarks.peers.times import OPERATIONS, spread
from benchmarks.traces.goals import at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.peers.protocol import Contender
    from benchmarks.peers.times import Medians
    from benchmarks.traces.goals import Goal

Row = dict[str, Any]
_CACHE = "diskcache"


def row(contender: Contender) -> Row:
    """Return a row that says what the store is, with nothing measured yet."""
    said = {name: getattr(contender, name) for name in ("name", "durability", "form", "ram", "synced")}
    return said | dict.fromkeys(("times", "alone", "kills", "syncs"))


def compared(medians: Medians, ours: str) -> dict[str, dict[str, Any]]:
    """Return microseconds and ratios to stratakv, by store and operation: median and quartiles of the rounds."""
    return {
        name: {
            operation: {
                "us": spread(each),
                "ratio": spread([theirs / own for theirs, own in zip(each, medians[ours][operation], strict=True)]),
            }
            for operation, each in taken.items()
        }
        for name, taken in medians.items()
    }


FIGURES: dict[str, Callable[[Row], float | None]] = {
    **{name: lambda row, name=name: _of(row, "times", name, "us", "median") for name in OPERATIONS},  # type: ignore[misc]
    "filled": lambda row: _of(row, "alone", "filled_us"),
    "disk": lambda row: _of(row, "alone", "disk", "blocks"),
    "RAM": lambda row: _of(row, "alone", "ram", "own"),
}
"""What is the better the less there is of it, by column."""


def _of(row: Row, *names: str) -> float | None:
    found: Any = row
    for name in names:
        found = found[name]
        if found is None:
            return None
    return float(found)


def best(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """Return the names of the stores that need the least, each with the column; for each durability its own."""
    found = set()
    for durability in OURS:
        for column, figure in FIGURES.items():
            told = [
                (value, each["name"]) for each in rows if each["durability"] == durability and (value := figure(each))
            ]
            if told:
                found.add((min(told)[1], column))
    return found


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Return what must be, and what is wanted, for the parts that ran."""
    by_name = {each["name"]: each for each in rows}
    ours, cache = by_name[OURS["process"]], by_name[_CACHE]
    made: list[Goal] = []
    if ours["times"] is not None:
        ratio = {name: cache["times"][name]["ratio"]["median"] for name in OPERATIONS}
        for name, must, wanted in (("hot", 2, 3), ("set", 6, 10)):
            what = f"{name}: diskcache's time in times of stratakv's"
            made += [at_least(f"{what}, must", ratio[name], must), at_least(what, ratio[name], wanted)]
        what, slower = "restart: stratakv's time in times of diskcache's", 1 / ratio["restart"]
        made += [at_most(f"{what}, must", slower, 3), at_most(what, slower, 1.5)]
    if ours["alone"] is not None:
        share = ours["alone"]["disk"]["blocks"] / cache["alone"]["disk"]["blocks"]
        made.append(at_most("disk: stratakv's bytes as a share of diskcache's, must", share, 0.25))
        made.append(at_most("values that stratakv gives back with other types, must", ours["alone"]["inexact"], 0))
    if ours["kills"] is not None:
        lost = sum(by_name[name]["kills"]["lost"] for name in OURS.values())
        made.append(at_most("acknowledged values of stratakv lost by kill -9, must", lost, 0))
    if by_name[OURS["sync"]]["syncs"] is not None:
        told = by_name[OURS["sync"]]["syncs"]
        made.append(at_most("sets of stratakv sync acknowledged unsynced, must", told["sets"] - told["waited"], 0))
    return made
