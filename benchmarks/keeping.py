"""Owns what benchmarks that keep their result have in common: options, order of a run, the two files, exit codes.

The result goes as JSON and as a picture into a directory; `python -m benchmarks.readme NAME --result FILE` takes it
from there. Exit codes: 0 measured, whether goals are met or not; 1 a value differed or a store failed; 2 usage.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.surroundings import machine, revision, versions
from stratakv.cli.output import print_error
from stratakv.cli.records import RecordFileError
from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = Path(__file__).resolve().parent / "results"
FAILED = 1
USAGE = 2
_WRONG_USE = (ConfigurationError, RecordFileError)


DATA = "recorded data (default: made with a fixed seed)"


class RunError(Exception):
    """Nothing that was measured is worth telling."""


class DifferenceError(RunError):
    """A value came back other than it may be."""


class Benchmark(NamedTuple):
    """A benchmark that keeps its result.

    Attributes:
        name: As it is called on the command line, and the name of its files.
        about: What it does and how long it takes.
        parts: What can be asked for on its own.
        add_options: Adds options of its own to a parser.
        measured: Returns the result for options and parts, without what is known of the surroundings.
        report: Returns a result as lines.
        plot: Draws a result into a file.
        data: What `--data` takes, and what is measured without it.
    """

    name: str
    about: str
    parts: tuple[str, ...]
    add_options: Callable[[argparse.ArgumentParser], None]
    measured: Callable[[argparse.Namespace, tuple[str, ...]], dict[str, Any]]
    report: Callable[[dict[str, Any]], list[str]]
    plot: Callable[[dict[str, Any], Path], None]
    data: str = DATA


def run(benchmark: Benchmark, arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    options = _parser(benchmark).parse_args(arguments)
    try:
        parts = _parts(options.parts, benchmark.parts)
        directory = _directory(options.results)
        if options.plot:
            _check_matplotlib()
        about = {"machine": machine(), "versions": versions(), "revision": revision(), "quick": options.quick}
        result = about | benchmark.measured(options, parts)
        (directory / f"{benchmark.name}.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
        if options.plot:
            benchmark.plot(result, directory / f"{benchmark.name}.png")
    except _WRONG_USE as error:
        print_error(_said(error))
        return USAGE
    except (RunError, StrataError) as error:
        print_error(_said(error))
        return FAILED
    print(json.dumps(result) if options.json else "\n".join(benchmark.report(result)))
    return 0


def _said(error: Exception) -> str:
    """Return the message; what was noted on the error's way, such as what was measured, stands before it."""
    return ": ".join(["error", *getattr(error, "__notes__", []), str(error)])


def _check_matplotlib() -> None:
    """Find out before anything is measured.

    Raises:
        ConfigurationError: matplotlib is missing.
    """
    try:
        import matplotlib  # noqa: F401, ICN001 -- only whether it is there
    except ImportError as error:
        raise ConfigurationError(
            "the picture needs matplotlib: install it with: pip install 'stratakv[plots]', or take --no-plot"
        ) from error


def _parser(benchmark: Benchmark) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark.name}", description=benchmark.about)
    parts = ",".join(benchmark.parts)
    parser.add_argument("--data", metavar="DIR|FILE", help=benchmark.data)
    parser.add_argument(
        "--only", metavar="NAME,...", default="", help="only these: names of files without endings, or of traces"
    )
    parser.add_argument("--parts", metavar="PART,...", default=parts, help=f"what is measured (default: {parts})")
    parser.add_argument("--quick", action="store_true", help="little data and few rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--results", metavar="DIR", default=str(RESULTS), help="where JSON and picture go")
    parser.add_argument(
        "--no-plot", dest="plot", action="store_false", help="no picture; matplotlib is not needed then"
    )
    benchmark.add_options(parser)
    return parser


def names_in(text: str) -> list[str]:
    """Read a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _parts(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    asked = names_in(text)
    if unknown := [part for part in asked if part not in known]:
        raise ConfigurationError(f"there is no part {', '.join(unknown)}: known are {', '.join(known)}")
    return tuple(part for part in known if part in asked)


def _directory(text: str) -> Path:
    directory = Path(text)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot make the directory {text}: {error.strerror}") from error
    return directory


def libraries(result: dict[str, Any]) -> str:
    """Say what was measured and with which libraries."""
    of = result["versions"]
    named = [f"{name} {of[name]}" for name in ("python", "numpy", "zstandard") if of.get(name)]
    return f"{result['what']}; {', '.join(named)}"


def source(result: dict[str, Any]) -> str:
    """Say where a result comes from: data, libraries, machine and revision."""
    quick = ", only the beginning" if result["quick"] else ""
    cpu = f"{result['machine']['cpu']}, {result['machine']['cpus']} processors"
    return f"{libraries(result)}; {cpu}; revision {result['revision']}{quick}"
