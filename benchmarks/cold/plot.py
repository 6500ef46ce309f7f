"""Owns the picture: what a cold read is made of, beside a raw GET of the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.pictures import dress, panels

if TYPE_CHECKING:
    from pathlib import Path

_PARTS = {
    "our GET": "#a9c6ee",
    "look-up": "#f2a541",
    "check": "#8f6fb5",
    "decode": "#0b6e4f",
    "digest": "#7fb89f",
    "deserialise": "#d98c7a",
}


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw the medians.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    times = result["reads"]["microseconds"]
    with panels(file, 1, 9, 2.6) as (figure, (axes,)):
        axes.barh("raw GET", times["raw GET"], color="#a9c6ee")
        axes.barh("retrieve", times["retrieve"], color="#b8b8c8")
        left = 0.0
        for part, colour in _PARTS.items():
            axes.barh("its parts", times[part], left=left, label=part, color=colour)
            left += times[part]
        dress(axes, "", "median microseconds")
        axes.legend(ncols=len(_PARTS), frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0, 1))
        figure.tight_layout()
