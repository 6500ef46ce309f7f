"""Owns what pictures of several panels have in common. Needs matplotlib."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

_DPI = 150


def panels(file: Path, count: int, width: float, height: float) -> AbstractContextManager[tuple[Any, list[Any]]]:
    """Give a figure and its panels side by side, each of so many inches, to draw on; then the file is written.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    return _figure(file, 1, count, (width * count, height), [height])


def stacked(file: Path, width: float, heights: Sequence[float]) -> AbstractContextManager[tuple[Any, list[Any]]]:
    """Give a figure and its panels one below the other, each of its own height, as `panels` does.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    return _figure(file, len(heights), 1, (width, sum(heights)), heights)


@contextmanager
def _figure(
    file: Path, rows: int, columns: int, size: tuple[float, float], heights: Sequence[float]
) -> Iterator[tuple[Any, list[Any]]]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, grid = plt.subplots(rows, columns, figsize=size, dpi=_DPI, squeeze=False, height_ratios=heights)
    try:
        yield figure, list(grid.flat)
        figure.savefig(file, format="png")
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error
    finally:
        plt.close(figure)


def dress(axes: Any, title: str, abscissa: str) -> None:
    """Give a panel its title, the name of its abscissa, and thin lines."""
    axes.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axes.set_xlabel(abscissa, fontsize=8.5)
    axes.grid(color="#e3e3e3", linewidth=0.6)
    axes.tick_params(labelsize=7.5, color="#999999")
    axes.spines[["top", "right"]].set_visible(False)
