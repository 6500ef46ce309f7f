"""Owns the picture: hit ratios over capacities, one line for each policy. Needs matplotlib.

A question such as "what would 2 GB of RAM bring?" is answered by the height of the lines over 2 GB.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stratakv.cli.output import human_bytes
from stratakv.cli.simulation.runs import BELADY
from stratakv.errors import ConfigurationError
from stratakv.policies.eviction import known_policies

if TYPE_CHECKING:
    from stratakv.cli.simulation.curves import Curve, Panel

_COLOURS = (
    "#0b6e4f", "#d1495b", "#9aa0a6", "#f2a541", "#7d5ba6", "#00a6a6", "#2e86de", "#8d6e4c", "#e377c2", "#b5bd00",
    "#5b3a29",
)  # fmt: skip
"""One for each of our policies, the same in every picture."""
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)))
_BOUND_COLOUR = "#222222"
_DPI = 140
_PANEL_INCHES = (7.2, 4.4)
_LEGEND_INCHES = 1.9
_MOST_TICKS = 9


def check_plot(file: str) -> None:
    """Find out before anything is replayed.

    Raises:
        ConfigurationError: matplotlib is missing, the file's directory is, or its name does not end in .png.
    """
    path = Path(file).expanduser()
    if path.suffix.lower() != ".png" or path.is_dir():
        raise ConfigurationError(f"--plot writes a picture: name a file that ends in .png, not {file!r}")
    if not path.parent.is_dir():
        raise ConfigurationError(f"--plot cannot write {file}: there is no directory {path.parent}")
    try:
        import matplotlib  # noqa: F401, ICN001 -- only whether it is there
    except ImportError as error:
        raise ConfigurationError("--plot needs matplotlib: install it with: pip install 'stratakv[plots]'") from error


def draw(file: str, panels: list[Panel]) -> None:
    """Draw a row of panels for each trace: hits, and by bytes beside them their bytes.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = 2 if panels[0].by_bytes else 1
    width, height = _PANEL_INCHES
    figure, grid = plt.subplots(
        len(panels), columns, squeeze=False, dpi=_DPI, layout="constrained",
        figsize=(width * columns + _LEGEND_INCHES, height * len(panels)),
    )  # fmt: skip
    try:
        for panel, row in zip(panels, grid, strict=True):
            for place, axes in enumerate(row):
                _draw_panel(axes, panel, of_bytes=place == 1)
        figure.savefig(Path(file).expanduser(), format="png")
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error
    finally:
        plt.close(figure)


def _draw_panel(axes: Any, panel: Panel, *, of_bytes: bool) -> None:
    part = 2 if of_bytes else 1
    names = known_policies()
    # The legend runs from the highest line to the lowest, as they lie in the picture.
    for curve in sorted(panel.curves, key=lambda curve: -sum(spot[part] for spot in curve.line)):
        _draw_curve(axes, curve, part, names.index(curve.policy) if curve.policy != BELADY else 0)
    axes.set_xscale("log")
    low = min(spot[0] for curve in panel.curves for spot in curve.line)
    high = max(spot[0] for curve in panel.curves for spot in curve.line)
    ticks = _ticks(low, high, by_bytes=panel.by_bytes)
    label = human_bytes if panel.by_bytes else "{:,}".format
    axes.set_xticks(ticks, [label(tick) for tick in ticks], fontsize=8)
    axes.minorticks_off()
    axes.set_xlim(low, high)
    axes.set_ylim(bottom=0)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, min(top, 101))
    for capacity in sorted({spot[0] for curve in panel.curves for spot in curve.asked}):
        axes.axvline(capacity, color="#999999", linewidth=0.8, linestyle=":", zorder=1)
        axes.annotate(
            label(capacity), (capacity, 0), xycoords=("data", "axes fraction"), xytext=(0, 4), rotation=90,
            textcoords="offset points", ha="center", va="bottom", fontsize=7.5, color="#555555", zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2},
        )  # fmt: skip
    _dress(axes, panel, of_bytes=of_bytes)


def _draw_curve(axes: Any, curve: Curve, part: int, number: int) -> None:
    is_bound = curve.policy == BELADY
    colour = _BOUND_COLOUR if is_bound else _COLOURS[number % len(_COLOURS)]
    axes.plot(
        [spot[0] for spot in curve.line],
        [100 * spot[part] for spot in curve.line],
        color=colour,
        linewidth=1.2 if is_bound else 1.6,
        linestyle="--" if is_bound else _DASHES[number // len(_COLOURS) % len(_DASHES)],
        label=curve.policy,
        zorder=2,
    )
    axes.plot(
        [spot[0] for spot in curve.asked],
        [100 * spot[part] for spot in curve.asked],
        marker="o", markersize=3.5, linestyle="none", color=colour, zorder=3,
    )  # fmt: skip


def _ticks(low: int, high: int, *, by_bytes: bool) -> list[int]:
    """Return round capacities of the range: powers of 2 for bytes, else 1, 2 and 5 times powers of 10."""
    if by_bytes:
        ticks = [1 << power for power in range(64)]
    else:
        ticks = [digit * 10**power for power in range(18) for digit in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    step = -(-len(inside) // _MOST_TICKS) if inside else 1
    return inside[::step]


def _dress(axes: Any, panel: Panel, *, of_bytes: bool) -> None:
    what = "requested bytes that hit" if of_bytes else "requests that hit"
    axes.set_title(f"{panel.trace.name}: {what}", loc="left", fontsize=11, fontweight="bold", pad=8)
    axes.set_ylabel(f"{what}, %", fontsize=9)
    room = "room, 1 MB = 1,048,576 bytes" if panel.by_bytes else "room, number of objects"
    estimated = "; lines estimated from a sample of the keys, dots exact" if panel.is_sampled else ""
    axes.set_xlabel(room + estimated, fontsize=8.5)
    axes.grid(color="#e3e3e3", linewidth=0.7, zorder=0)
    axes.tick_params(labelsize=8, color="#999999")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#999999")
    if panel.by_bytes == of_bytes:
        # The last panel of the row has the legend for all of it.
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=8.5, borderaxespad=0)
