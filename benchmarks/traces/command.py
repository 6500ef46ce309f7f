"""Owns what benchmarks over recorded traces ask for beside the common options: which traces, how many processes."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.keeping import names_in
from benchmarks.traces.processes import WORKERS
from benchmarks.traces.sources import in_directory, of_demo
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from benchmarks.traces.sources import Found

DATA = (
    "a directory with traces and perhaps reference_hit_ratios.json, or one trace "
    "(default: the reads of the demo's replay)"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the common options lack."""
    parser.add_argument("--workers", type=int, default=WORKERS, help=f"processes that replay ({WORKERS})")


@contextmanager
def traces(options: argparse.Namespace) -> Iterator[Found]:
    """Give the traces that are asked for; the demo's lies in a temporary directory.

    Raises:
        ConfigurationError: There are none, or there is none of a name; or nobody may replay them.
    """
    if options.workers < 1:
        raise ConfigurationError(f"--workers is at least 1, not {options.workers}")
    with tempfile.TemporaryDirectory(prefix="stratakv-traces-") as directory:
        yield _chosen(_found(options, Path(directory)), names_in(options.only))


def _found(options: argparse.Namespace, directory: Path) -> Found:
    if options.data is not None:
        return in_directory(Path(options.data))
    return of_demo(directory, quick=options.quick)


def _chosen(there: Found, only: list[str]) -> Found:
    if unknown := [name for name in only if name not in there.sources]:
        raise ConfigurationError(f"there is no {', '.join(unknown)}: known are {', '.join(there.sources)}")
    if not only:
        return there
    return there._replace(sources={name: there.sources[name] for name in only}, what=f"traces {', '.join(only)}")
