"""Owns the picture: a panel for each figure, a bar for each store, stratakv's in another colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.peers.summary import FIGURES
from benchmarks.peers.times import OPERATIONS
from benchmarks.pictures import dress, panels

if TYPE_CHECKING:
    from pathlib import Path

_OURS, _THEIRS = "#0b6e4f", "#b8b8c8"
_MEGABYTE = 1 << 20
_TITLES = {
    "set": "set",
    "hot": "get, hot",
    "restart": "get after a restart",
    "delete": "delete",
    "filled": "filled and closed",
    "disk": "on disk, closed",
    "RAM": "RAM of the process",
}


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw what was measured; nothing where nothing was.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    rows = result["stores"]
    found = [column for column, figure in FIGURES.items() if any(figure(row) is not None for row in rows)]
    if not found:
        return
    with panels(file, len(found), 2.5, 3.8) as (figure, axes):
        for each, column in zip(axes, found, strict=True):
            _panel(each, rows, column)
        names = [f"{row['name']} ({row['durability']})" for row in rows]
        axes[0].set_yticks(range(len(rows)), names, fontsize=7.5)
        for each in axes[1:]:
            each.set_yticks([])
        figure.tight_layout()


def _panel(axes: Any, rows: list[dict[str, Any]], column: str) -> None:
    timed = column in OPERATIONS or column == "filled"
    for place, row in enumerate(rows):
        value = FIGURES[column](row)
        if value is not None:
            shown = value if timed else value / _MEGABYTE
            colour = _OURS if row["name"].startswith("stratakv") else _THEIRS
            axes.barh(place, shown, color=colour, height=0.7)
            text = f"{shown:,.0f}" if shown >= 100 else f"{shown:.3g}"
            axes.annotate(f" {text}", (shown, place), va="center", fontsize=6.5)
    dress(axes, _TITLES[column], "us, logarithmic" if timed else "MB")
    if timed:
        axes.set_xscale("log")
    axes.set_axisbelow(True)
    axes.margins(x=0.25)
    axes.invert_yaxis()
