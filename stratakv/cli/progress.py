"""Owns showing which step of a long command is under way: a bar on a terminal, else perhaps lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Self

from stratakv.cli.output import print_error, progress_bar

if TYPE_CHECKING:
    from types import TracebackType

    from tqdm import tqdm


class Steps:
    """Shows one step's bar at a time; a new step's bar replaces the last one's.

    A context manager: at its end nothing of a bar is left on the screen.

    Args:
        unit: What is counted.
        scale: Count in k, M, G, as for bytes.
        as_json: True shows nothing.
        lines: Where no terminal shows the bars, print a line to standard error as each step begins.
    """

    def __init__(self, unit: str = "", *, scale: bool = False, as_json: bool = False, lines: bool = False) -> None:
        self._unit = unit
        self._scale = scale
        self._as_json = as_json
        self._lines = lines and not as_json and not sys.stderr.isatty()
        self._bar: tqdm[None] | None = None
        self._step = ""

    def show(self, step: str, done: int, total: int) -> None:
        """Tell how far a step is; `done` beyond `total` is shown as the end."""
        bar = self._bar
        if bar is None or step != self._step:
            self._close()
            bar = progress_bar(total, step, unit=self._unit, scale=self._scale, as_json=self._as_json)
            if self._lines and step != self._step:
                print_error(f"{step} ...")
            self._bar, self._step = bar, step
        bar.update(min(done, total) - bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
