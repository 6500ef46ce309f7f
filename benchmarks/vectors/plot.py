"""Owns the picture: for each table, recall over what is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.pictures import dress, panels
from benchmarks.vectors.summary import less

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Row = dict[str, Any]

_GREEN = "#0b6e4f"
_OTHERS = "#c96f53"
_WANTED = ((85, 0.985), (90, 0.965))


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw all tables.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    found = result["tables"]
    with panels(file, len(found), 6.4, 4.6) as (figure, axes):
        for each, table in zip(axes, found, strict=True):
            _panel(each, table)
        figure.tight_layout()


def _panel(axes: Any, table: dict[str, Any]) -> None:
    rotated = [row for row in table["rows"] if row["way"] == "rotated"]
    stores = [row for row in table["rows"] if row["way"] == "store, rotated"]
    others = [row for row in table["rows"] if not row["way"].startswith(("rotated", "store"))]
    _line(axes, table, rotated, "rotated, in blocks", "o-", lambda row: row["bytes"])
    _line(axes, table, rotated, "rotated, model counted", "s:", lambda row: row["bytes"] + row["model"])
    _line(axes, table, stores, "a store that learned on its way, models counted", "^", _with_model)
    for row in rotated:
        place = (100 * less(table, row["bytes"]), row["recall"])
        axes.annotate(f"{row['bound']:g}", place, (4, 4), textcoords="offset points", fontsize=6.5, color=_GREEN)
    for row in others:
        place = (100 * less(table, row["bytes"]), row["recall"])
        axes.plot(*place, "D", color=_OTHERS, markersize=5)
        axes.annotate(row["way"], place, (-6, -3), textcoords="offset points", fontsize=8, color=_OTHERS, ha="right")
    for number, (percent, recall) in enumerate(_WANTED):
        label = "wanted" if number == 0 else None
        axes.plot(percent, recall, "+", color="#444444", markersize=11, label=label)
    dress(axes, table["name"], "percent less than float32")
    axes.margins(x=0.18)  # room for names to the left
    axes.set_ylabel("recall@10", fontsize=9)
    axes.legend(loc="lower left", frameon=False, fontsize=8)


def _with_model(row: Row) -> float:
    return float(row["bytes"] + row["model"])


def _line(
    axes: Any, table: dict[str, Any], rows: list[Row], label: str, style: str, size: Callable[[Row], float]
) -> None:
    if rows:
        saved = [100 * less(table, size(row)) for row in rows]
        recalls = [row["recall"] for row in rows]
        axes.plot(saved, recalls, style, color=_GREEN, label=label, markersize=4, linewidth=1.6)
