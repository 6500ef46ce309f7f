"""Owns the picture: for each number of threads, the rates of all contenders, with quartiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.durability.contenders import WAYS
from benchmarks.durability.turns import spread
from benchmarks.pictures import dress, panels

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS = {"not promised": "#b8b8c8", "kill -9": "#5b8fd6", "power loss": "#0b6e4f"}
_PLACES = {way.name: place for place, way in enumerate(WAYS)}
_OURS, _OTHERS = 1.0, 0.5


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw the rates.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    numbers = list(dict.fromkeys(row["threads"] for row in result["rows"]))
    with panels(file, len(numbers), 4.6, 3.6) as (figure, axes):
        for each, threads in zip(axes, numbers, strict=True):
            _panel(each, [row for row in result["rows"] if row["threads"] == threads])
            dress(each, f"{threads} threads" if threads > 1 else "1 thread", "acknowledged writes a second")
        for each in axes[1:]:
            each.set_yticklabels([])
        handles, labels = axes[0].get_legend_handles_labels()
        title = "survives (peers paler)"
        figure.legend(handles, labels, title=title, loc="upper center", ncols=3, frameon=False, fontsize=8.5)
        figure.tight_layout(rect=(0, 0, 1, 0.86))


def _panel(axes: Any, rows: list[dict[str, Any]]) -> None:
    told: set[str] = set()
    for row in rows:
        rate = spread(row["rates"])
        survives = row["survives"]
        axes.barh(
            _PLACES[row["name"]], rate["median"], height=0.7, color=_COLOURS[survives], capsize=2,
            alpha=_OURS if row["name"].startswith("stratakv") else _OTHERS,
            xerr=[[rate["median"] - rate["low"]], [rate["high"] - rate["median"]]], ecolor="#444444",
            label=None if survives in told else survives,
        )  # fmt: skip
        told.add(survives)
    axes.set_yticks(range(len(WAYS)), [way.name for way in WAYS])
    axes.set_ylim(len(WAYS) - 0.5, -0.5)
