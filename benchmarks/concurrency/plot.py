"""Owns the picture: for each mix, the rates over the number of threads, ours and diskcache's, with quartiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.concurrency.threads import OTHER, OURS
from benchmarks.durability.turns import spread
from benchmarks.pictures import dress, panels

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS = {OURS: "#0b6e4f", OTHER: "#c96f53"}
_ROOM = 1.1


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw the rates; nothing where they were not measured.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    rows = result["threads"]
    if not rows:
        return
    mixes = sorted({row["writes"] for row in rows})
    with panels(file, len(mixes), 4.2, 3.4) as (figure, axes):
        for each, writes in zip(axes, mixes, strict=True):
            for name, colour in _COLOURS.items():
                _line(each, name, colour, [row for row in rows if row["writes"] == writes and row["name"] == name])
            dress(each, f"{100 - writes}% hot reads, {writes}% writes" if writes else "hot reads", "threads")
            each.set_ylim(0, _ROOM * each.get_ylim()[1])
        axes[0].set_ylabel("thousand operations a second", fontsize=8.5)
        axes[0].legend(frameon=False, fontsize=8.5)
        figure.tight_layout()


def _line(axes: Any, name: str, colour: str, rows: list[dict[str, Any]]) -> None:
    numbers = [row["threads"] for row in rows]
    rates = [{at: rate / 1000 for at, rate in spread(row["rates"]).items()} for row in rows]
    errors = [[rate["median"] - rate["low"] for rate in rates], [rate["high"] - rate["median"] for rate in rates]]
    axes.errorbar(
        numbers, [rate["median"] for rate in rates], yerr=errors, fmt="o-", color=colour, label=name,
        markersize=4, linewidth=1.6, capsize=2,
    )  # fmt: skip
    axes.set_xticks(numbers)
