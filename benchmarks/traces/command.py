"""Owns what the commands of benchmarks over recorded traces have in common: options, order of a run, exit codes.

Exit codes: 0 measured, whether goals are met or not; 1 a simulation failed; 2 usage.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.reduction.plot import check_matplotlib
from benchmarks.reduction.surroundings import machine, revision, versions
from benchmarks.traces.processes import WORKERS
from benchmarks.traces.sources import SHARED, Found, in_directory, of_demo
from stratakv.cli.output import print_error
from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAILED = 1
USAGE = 2


class Benchmark(NamedTuple):
    """A benchmark over recorded traces.

    Attributes:
        name: As it is called on the command line.
        about: What it does and how long it takes.
        parts: The comparisons that can be asked for.
        measured: Returns the rest of the result for traces, parts and options.
        report: Returns a result as lines.
        plot: Draws a result's rows into a file.
    """

    name: str
    about: str
    parts: tuple[str, ...]
    measured: Callable[[Found, list[str], argparse.Namespace], dict[str, Any]]
    report: Callable[[dict[str, Any]], list[str]]
    plot: Callable[[Any, Path], None]


def run(benchmark: Benchmark, arguments: list[str]) -> int:
    """Measure, print, perhaps draw; return the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark.name}", description=benchmark.about)
    _add_options(parser, benchmark.parts)
    options = parser.parse_args(arguments)
    try:
        parts = _checked(options, benchmark)
        with tempfile.TemporaryDirectory(prefix=f"stratakv-{benchmark.name}-") as directory:
            found = _found(options, Path(directory))
            about = {"machine": machine(), "versions": versions(), "revision": revision(), "what": found.what}
            result = about | {"quick": options.quick} | benchmark.measured(found, parts, options)
        if options.plot:
            benchmark.plot(result["rows"], _picture(options.plot, benchmark.name))
    except ConfigurationError as error:
        print_error(f"error: {error}")
        return USAGE
    except StrataError as error:
        print_error(f"error: {error}")
        return FAILED
    print(json.dumps(result) if options.json else "\n".join(benchmark.report(result)))
    return 0


def _add_options(parser: argparse.ArgumentParser, parts: Sequence[str]) -> None:
    add = parser.add_argument
    add(
        "--data",
        metavar="DIR|FILE",
        help="a directory with traces and perhaps reference_hit_ratios.json, or one trace "
        "(default: ../shared/data, without it the reads of the demo's replay)",
    )
    add("--only", metavar="NAME,...", help="only these traces: names of files without endings")
    add("--parts", metavar="PART,...", default=",".join(parts), help=f"which comparisons (default: {','.join(parts)})")
    add("--quick", action="store_true", help="only small traces and few settings: less than a minute")
    add("--workers", type=int, default=WORKERS, help=f"processes that replay ({WORKERS})")
    add("--json", action="store_true", help="print one JSON object")
    add("--plot", metavar="DIR|FILE.png", help="draw it; needs matplotlib")


def _checked(options: argparse.Namespace, benchmark: Benchmark) -> list[str]:
    """Return the parts that are asked for, or refuse what would fail after minutes.

    Raises:
        ConfigurationError: An option cannot be used.
    """
    if options.plot:
        check_matplotlib()
        _picture(options.plot, benchmark.name)
    if options.workers < 1:
        raise ConfigurationError(f"--workers is at least 1, not {options.workers}")
    parts = _names(options.parts)
    if unknown := [part for part in parts if part not in benchmark.parts]:
        raise ConfigurationError(f"there is no part {', '.join(unknown)}: known are {', '.join(benchmark.parts)}")
    return parts


def _names(text: str | None) -> list[str]:
    """Read a list with commas."""
    return [name for name in map(str.strip, (text or "").split(",")) if name]


def _picture(plot: str, name: str) -> Path:
    """Return the file that a picture goes to: the one that is named, or one with this name in the directory that is.

    Raises:
        ConfigurationError: There is no directory for it.
    """
    path = Path(plot)
    if path.is_dir():
        return path / f"{name}.png"
    if not path.resolve().parent.is_dir():
        raise ConfigurationError(f"there is no directory for {plot}")
    return path


def _found(options: argparse.Namespace, directory: Path) -> Found:
    """Return the traces that are asked for; the demo's is written into a directory.

    Raises:
        ConfigurationError: There are none, or there is none of a name.
    """
    if options.data is not None:
        there = in_directory(Path(options.data))
    else:
        there = in_directory(SHARED) if SHARED.is_dir() else of_demo(directory, quick=options.quick)
    only = _names(options.only)
    if unknown := [name for name in only if name not in there.sources]:
        raise ConfigurationError(f"there is no {', '.join(unknown)}: known are {', '.join(there.sources)}")
    if not only:
        return there
    return there._replace(sources={name: there.sources[name] for name in only}, what=f"traces {', '.join(only)}")
