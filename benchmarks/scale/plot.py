"""Owns the picture: over the number of keys the rates, the RAM, the bytes on disk, and what opening takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.pictures import dress, panels
from benchmarks.scale.openings import AFTER
from benchmarks.scale.summary import RAM_MB, bytes_a_key, ram_mb

if TYPE_CHECKING:
    from pathlib import Path

_RATES = {
    "retrieve, hot": "#0b6e4f", "retrieve, warm": "#5b8fd6", "retrieve, miss": "#b8b8c8", "store": "#f2a541",
    "store_many of 1000": "#c8553d", "delete": "#8f6fb5",
}  # fmt: skip
_HELD = {"packs": "#0b6e4f", "catalog": "#5b8fd6", "other": "#b8b8c8"}


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw what was measured.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    rows = result["sizes"]
    keys = [row["keys"] for row in rows]
    opened = [row for row in rows if row["openings"]]
    with panels(file, 4 if opened else 3, 4.2, 3.8) as (figure, axes):
        for name, colour in _RATES.items():
            rates = [row["operations"][name]["rate"] for row in rows]
            axes[0].plot(keys, rates, "o-", color=colour, label=name, linewidth=1.4, markersize=3)
        axes[0].set_yscale("log")
        for name, style in (("peak", "o-"), ("loaded", "o:")):
            axes[1].plot(keys, [ram_mb(row)[name] for row in rows], style, color="#0b6e4f", label=name, markersize=3)
        axes[1].axhline(RAM_MB[0], color="#c8553d", linewidth=1, label="must")
        axes[1].set_ylim(bottom=0)
        _bars(axes[2], rows)
        if opened:
            _openings(axes[3], opened)
        titles = ("operations a second", "RAM, MB beyond imports", "bytes a key, loaded", "ms until open")
        for each, title in zip(axes, titles, strict=False):
            dress(each, title, "keys")
            each.set_xscale("log")
            each.set_axisbelow(True)
            each.tick_params(which="both", labelsize=7.5)
            each.legend(frameon=False, fontsize=7)
        figure.tight_layout()


def _bars(axes: Any, rows: list[dict[str, Any]]) -> None:
    below = [0.0] * len(rows)
    keys = [row["keys"] for row in rows]
    for name, colour in _HELD.items():
        heights = [(bytes_a_key(row, "loaded") or {})[name] for row in rows]
        axes.bar(keys, heights, width=[each * 0.5 for each in keys], bottom=below, color=colour, label=name)
        below = [low + height for low, height in zip(below, heights, strict=True)]


def _openings(axes: Any, rows: list[dict[str, Any]]) -> None:
    keys = [row["keys"] for row in rows]
    for after, colour in zip(AFTER, ("#c8553d", "#0b6e4f"), strict=True):
        medians = [row["openings"][after]["open_ms"]["median"] for row in rows]
        axes.plot(keys, medians, "o-", color=colour, label=f"after {after}", markersize=3)
    axes.set_ylim(bottom=0)
