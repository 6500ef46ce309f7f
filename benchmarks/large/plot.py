"""Owns the picture: for each document what its versions take, after the first, the second, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.large.peers import PEERS
from benchmarks.pictures import dress, panels

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS = dict(zip(PEERS, ("#b8b8c8", "#5b8fd6", "#8f6fb5", "#f2a541"), strict=True))
_OURS = (
    ("default", "stratakv, catalog included", "#0b6e4f", "-", 2.2),
    ("cut from 64 KB", "the same, cut from 64 KB", "#3f9c79", ":", 1.6),
    ("never cut", "the same, never cut", "#7fb89f", "--", 1.4),
)


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw the sizes; nothing where they were not measured.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    rows = result["documents"]
    if not rows:
        return
    with panels(file, len(rows), 4.4, 4.0) as (figure, axes):
        for each, row in zip(axes, rows, strict=True):
            _panel(each, row, result["empty"])
        axes[0].set_ylabel("KB at rest", fontsize=9)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=4, frameon=False, fontsize=8.5)
        figure.tight_layout(rect=(0, 0, 1, 0.88))


def _panel(axes: Any, row: dict[str, Any], empty: dict[str, int]) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

    numbers = range(1, row["versions"] + 1)
    for name, colour in _COLOURS.items():
        axes.plot(numbers, [size / 1e3 for size in row["peers"][name]], color=colour, label=name, linewidth=1.4)
    for way, label, colour, style, width in _OURS:
        sizes = [(at["payload"] + at["catalog"] - empty["catalog"]) / 1e3 for at in row["ours"][way]["one_by_one"]]
        axes.plot(numbers, sizes, style, color=colour, label=label, linewidth=width)
    dress(axes, row["name"], "versions, each settled after it was stored")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
