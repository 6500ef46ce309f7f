"""The options of `stratakv simulate --cost`, apart from what answers them, which takes long to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
"""Seconds of each unit of time."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that go with `--cost`."""
    group = parser.add_argument_group("cost of a whole configuration over a trace's own time")
    add = group.add_argument
    add("--cost", action="store_true", help="print dollars and waiting instead of hit ratios; prices from --config")
    add("--time-unit", choices=tuple(UNITS), default="s", help="of the trace's times (s)")
    add("--duration", type=float, metavar="HOURS", help="spread a trace without times evenly over so long")
    add("--value-bytes", type=int, default=1024, metavar="N", help="size of values without sizes (1024)")
    add("--tuner", choices=("on", "off", "both"), default="both", help="whether thresholds are tuned (both)")
