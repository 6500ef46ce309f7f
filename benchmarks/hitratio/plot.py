"""Owns the picture: for each trace, hit ratios over capacities. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.hitratio.cells import ADAPTIVE, BELADY
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_LINES = (
    (BELADY, "belady's bound", "#b8b8c8", "--", 1.2),
    ("lru", "LRU", "#5b8fd6", "-", 1.2),
    ("arc", "ARC", "#a9c6ee", "-", 1.2),
    ("lirs", "LIRS", "#f2a541", "-", 1.2),
    ("s3-fifo", "S3-FIFO", "#c96f53", "-", 1.2),
    ("w-tinylfu", "W-TinyLFU", "#8f6fb5", "-", 1.2),
    (ADAPTIVE, "adaptive", "#0b6e4f", "-", 2.2),
)
_COLUMNS = 3
_DPI = 150


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw all traces whose objects are counted; nothing where there are none.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    by_trace: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        if row["part"] in {"table", "wide"}:
            by_trace.setdefault(row["trace"], []).append(row)
    if not by_trace:
        return
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = min(_COLUMNS, len(by_trace))
    height = -(-len(by_trace) // columns)
    figure, grid = plt.subplots(height, columns, figsize=(4.2 * columns, 3.1 * height), dpi=_DPI, squeeze=False)
    try:
        panels = list(grid.flat)
        for row in grid:
            row[0].set_ylabel("reads that hit, %", fontsize=8)
        for axes, (name, each) in zip(panels, sorted(by_trace.items()), strict=False):
            _panel(axes, name, sorted(each, key=lambda row: row["capacity"]))
        for axes in panels[len(by_trace) :]:
            axes.set_axis_off()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=len(_LINES), frameon=False, fontsize=8.5)
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.3 / (3.1 * height)))
        figure.savefig(file, format="png")
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error
    finally:
        plt.close(figure)


def _panel(axes: Any, name: str, rows: list[dict[str, Any]]) -> None:
    for policy, label, colour, style, width in _LINES:
        sizes = [row["capacity"] for row in rows]
        hits = [row["hit"][policy] for row in rows]
        axes.plot(sizes, hits, style, color=colour, linewidth=width, label=label, marker=".", markersize=3)
    axes.set_xscale("log")
    axes.set_title(name, loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel("objects that fit", fontsize=8)
    axes.tick_params(labelsize=7, color="#999999")
    axes.grid(color="#e3e3e3", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
