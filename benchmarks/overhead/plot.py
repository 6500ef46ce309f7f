"""Owns the picture: single calls beside their floors, and what wrapping does to the time of each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.overhead.requests import BARE
from benchmarks.overhead.summary import MOST_OVERHEAD
from benchmarks.pictures import dress, stacked

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS = {"pass-through": "#b8b8c8", "absorb": "#0b6e4f", "write_through": "#5b8fd6"}
_OURS, _OTHERS = "#0b6e4f", "#c96f53"


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw the parts that ran.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    lines = sum(len(row["ways"]) - 1 for row in result["rows"])
    possible = ((_calls, 2.4, result["floors"]), (_ways, 1.0 + 0.15 * lines, result["rows"]))
    drawn = [(draw, height) for draw, height, there in possible if there]
    if not drawn:
        return
    with stacked(file, 7.6, [height for _, height in drawn]) as (figure, axes):
        for each, (draw, _) in zip(axes, drawn, strict=True):
            draw(each, result)
        figure.tight_layout()


def _calls(axes: Any, result: dict[str, Any]) -> None:
    took = result["floors"]["us"]
    colours = [_OURS if name in {"store", "hot retrieve", "warm retrieve"} else _OTHERS for name in took]
    axes.barh(list(took), list(took.values()), color=colours)
    axes.invert_yaxis()
    dress(axes, "single calls", "median microseconds")


def _ways(axes: Any, result: dict[str, Any]) -> None:
    lines = [
        (f"{row['engine']}, {row['workload']}", way, told)
        for row in result["rows"]
        for way, told in row["ways"].items()
        if way != BARE
    ]
    for place, (_, way, told) in enumerate(lines):
        ratio = told["second_times_bare"]
        axes.barh(place, ratio["median"], color=_COLOURS[way])
        axes.plot([ratio["low"], ratio["high"]], [place, place], color="#333333", linewidth=1)
        axes.plot(told["first_times_bare"]["median"], place, "D", color="#f2a541", markersize=3)
    axes.set_yticks(range(len(lines)), [f"{name}: {way}" for name, way, _ in lines], fontsize=6)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.axvline(MOST_OVERHEAD, color="#444444", linewidth=0.8)
    axes.set_xscale("log")
    dress(axes, "second lap, wrapped / bare (diamond: the first lap)", "times; the line is the budget")
