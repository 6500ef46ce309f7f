"""Owns the picture: for each corpus, how much less it is without loss, by us and by others. Needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_SERIES = (
    ("stratakv, settled", None, "#0b6e4f"),
    ("xz, whole file", "xz whole", "#f2a541"),
    ("zstd-3, each value", "zstd-3", "#5b8fd6"),
    ("zlib-6, each value", "zlib-6", "#a9c6ee"),
    ("blosc2, each value", "blosc2", "#b8b8c8"),
)
_BAR = 0.16
_DPI = 150


def plot(result: dict[str, Any], file: Path) -> None:
    """Draw the lossless rows into a PNG file.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = [row for row in result["corpora"] if row["loss"] is None]
    shown.sort(key=lambda row: row["payload_reduction"] or 0.0)
    figure, axes = plt.subplots(figsize=(9.5, 1.5 + 0.6 * len(shown)), dpi=_DPI)
    try:
        for place, (label, peer, colour) in enumerate(_SERIES):
            _bars(axes, shown, (len(_SERIES) / 2 - 0.5 - place) * _BAR, peer, label, colour)
        _dress(axes, [row["corpus"] for row in shown])
        figure.tight_layout()
        figure.savefig(file, format="png")
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error
    finally:
        plt.close(figure)


def _bars(axes: Any, rows: list[dict[str, Any]], shift: float, peer: str | None, label: str, colour: str) -> None:
    shares = [row["payload_reduction"] if peer is None else row["peers"].get(peer) for row in rows]
    places = [number + shift for number in range(len(rows))]
    widths = [max(0.0, 100 * share) if share is not None else 0.0 for share in shares]
    axes.barh(places, widths, height=_BAR * 0.92, color=colour, label=label, zorder=2)
    if peer is not None:
        return
    for place, width, share in zip(places, widths, shares, strict=True):
        text = "-" if share is None else f"{100 * share:.0f}"
        axes.text(width + 0.7, place, text, va="center", fontsize=8, fontweight="bold", color=colour, zorder=3)


def _dress(axes: Any, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlim(0, 104)
    axes.set_xticks(range(0, 101, 10))
    axes.set_xlabel("percent less than the serialised values, without loss; more is better", fontsize=9)
    axes.set_title("What stratakv saves, beside other compressors", loc="left", fontsize=12, fontweight="bold", pad=26)
    axes.grid(axis="x", color="#dddddd", linewidth=0.7, zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8, color="#999999")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#999999")
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=len(_SERIES), frameon=False, fontsize=8,
        handlelength=1.1, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
