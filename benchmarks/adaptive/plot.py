"""Owns the picture: what rules cost in each setting beside hindsight, and ways to share RAM. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.adaptive.jobs import WAYS
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


_RULES = (
    ("founding", "1 h / 24 h", "#b8b8c8"),
    ("break_even", "break-even", "#a9c6ee"),
    ("pooled", "tuned by size only", "#f2a541"),
    ("tuned", "tuned", "#0b6e4f"),
)
_COLOURS = ("#0b6e4f", "#a9c6ee", "#5b8fd6")
_TICKS = (0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50)
_DPI = 150


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw what there is; nothing where no costs were compared.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    rows = result["rows"]
    if not any(rows.values()):
        return
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 4.2), dpi=_DPI, width_ratios=(3, 2))
    try:
        _thresholds(left, rows["thresholds"] + rows["joined"])
        _ram(right, rows["ram"])
        for axes in (left, right):
            axes.grid(axis="y", color="#e3e3e3", linewidth=0.6)
            axes.tick_params(labelsize=8, color="#999999")
            axes.axhline(1.0, color="#999999", linewidth=0.8)
            axes.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
        figure.tight_layout()
        figure.savefig(file, format="png")
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error
    finally:
        plt.close(figure)


def _thresholds(axes: Any, rows: list[dict[str, Any]]) -> None:
    ordered = sorted(rows, key=lambda row: float(row["tuned"]))
    for rule, label, colour in _RULES:
        axes.plot([row[rule] for row in ordered], ".", color=colour, label=label, markersize=5)
    axes.set_yscale("log")
    least, most = axes.get_ylim()
    axes.set_yticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
    axes.minorticks_off()
    axes.set_ylim(least, most)
    axes.set_title("Cost of thresholds, hindsight's best is 1", loc="left", fontsize=10, fontweight="bold", pad=22)
    axes.set_xlabel("settings where something is at stake, by the tuner's cost", fontsize=8)


def _ram(axes: Any, rows: list[dict[str, Any]]) -> None:
    for place, (way, colour) in enumerate(zip(WAYS, _COLOURS, strict=True)):
        places = [number + (place - 1) * 0.27 for number in range(len(rows))]
        axes.bar(places, [row[way] for row in rows], width=0.25, color=colour, label=way)
    axes.set_xticks(range(len(rows)), [f"{row['share']:.0%}" for row in rows], fontsize=7, rotation=60)
    axes.set_title("Cost of a shared RAM, one global LRU is 1", loc="left", fontsize=10, fontweight="bold", pad=22)
    axes.set_xlabel("cases, by the share of all bytes that fits", fontsize=8)
