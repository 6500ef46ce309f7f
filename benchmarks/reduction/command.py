"""Owns the options, the order of a run and the exit codes: 0 good, 1 a value differed or the store failed, 2 usage."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.reduction.corpora import ROWS, Directory, demo_corpora
from benchmarks.reduction.founding import founding
from benchmarks.reduction.loss import losses_for, refusal
from benchmarks.reduction.peers import peer_bytes
from benchmarks.reduction.plot import check_matplotlib, plot
from benchmarks.reduction.rows import measure, prepare
from benchmarks.reduction.run import UnsettledError
from benchmarks.reduction.surroundings import machine, revision, versions
from benchmarks.reduction.table import report
from stratakv.cli.demonstration.workload import KINDS
from stratakv.cli.output import print_error
from stratakv.cli.progress import Steps
from stratakv.cli.records import RecordFileError
from stratakv.config import LEVELS
from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.reduction.corpora import Corpus
    from benchmarks.reduction.loss import Loss
    from benchmarks.reduction.rows import Prepared

_WHAT = (
    "Takes the values of each file through a store of its own, verifies every one, and tells what is saved: JSON lines "
    "one a value, tables as graphs of 10,000 rows, arrays whole, tables of floats also by row, with and without loss."
)
DIFFERENT = 1
USAGE = 2


def main(arguments: list[str]) -> int:
    """Measure, print, perhaps draw; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        result = _measured(options)
        if options.plot:
            plot(result["corpora"], Path(options.plot))
    except (ConfigurationError, RecordFileError) as error:
        print_error(f"error: {error}")
        return USAGE
    except (UnsettledError, StrataError) as error:
        print_error(f"error: {' '.join(getattr(error, '__notes__', []))}: {error}")
        return DIFFERENT
    if options.json:
        print(json.dumps(result))
    else:
        print("\n".join(report(result)))
    return DIFFERENT if any(row["differences"] for row in result["corpora"]) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reduction", description=_WHAT)
    add = parser.add_argument
    add(
        "--data",
        metavar="DIR|FILE",
        help="JSON lines, tables and arrays, or a folder `values` of them (default: the demo's)",
    )
    add("--only", metavar="NAME,...", help="only these corpora: names of files without endings")
    add("--level", choices=tuple(LEVELS), default="moderate", help="optimisation level (default: moderate)")
    add("--quick", action="store_true", help="only the beginning of each corpus")
    add("--json", action="store_true", help="print one JSON object")
    add("--plot", metavar="FILE.png", help="draw the reductions; needs matplotlib")
    return parser


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything that is asked for.

    Raises:
        ConfigurationError: The options name what is not there.
        RecordFileError: A file of the directory cannot be read.
        UnsettledError: A store does not come to rest.
    """
    if options.plot:
        check_matplotlib()
        if not Path(options.plot).resolve().parent.is_dir():
            raise ConfigurationError(f"there is no directory for {options.plot}")
    only = [name.strip() for name in (options.only or "").split(",") if name.strip()]
    left_out: list[str] = []
    rows: list[dict[str, Any]] = []
    with Steps() as steps:
        for corpus in _corpora(options, only, left_out):
            rows += _rows(corpus, options.level, left_out, steps)
    if not rows:
        raise ConfigurationError("there is no record to measure")
    return {
        "machine": machine(),
        "versions": versions(),
        "revision": revision(),
        "level": options.level,
        "quick": options.quick,
        "corpora": rows,
        "founding": founding(rows),
        "left_out": list(dict.fromkeys(left_out)),
    }


def _corpora(options: argparse.Namespace, only: list[str], left_out: list[str]) -> Iterator[Corpus]:
    directory = None if options.data is None else Directory(Path(options.data), skipped=left_out)
    known = list(KINDS) if directory is None else directory.names()
    unknown = [name for name in only if name.removesuffix(ROWS) not in known]
    if unknown:
        raise ConfigurationError(f"there is no {', '.join(unknown)}: known are {', '.join(known)}")
    found = (
        demo_corpora(only, quick=options.quick) if directory is None else directory.corpora(only, quick=options.quick)
    )
    for corpus in found:
        if corpus.items:
            yield corpus
        else:
            left_out.append(f"{corpus.name}: no records")


def _rows(corpus: Corpus, level: str, left_out: list[str], steps: Steps) -> Iterator[dict[str, Any]]:
    """Yield the corpus's row without loss, then those with each loss that this version offers."""
    steps.show(corpus.name, 0, 1)
    prepared = prepare(corpus)
    prepared.peers = peer_bytes(corpus.items.values(), prepared.plaintexts)
    yield _row(prepared, level, None, steps)
    for loss in losses_for(corpus):
        refused = refusal(level, loss)
        if refused is None:
            yield _row(prepared, level, loss, steps)
        else:
            left_out.append(f"with {loss.name} loss: {refused}")


def _row(prepared: Prepared, level: str, loss: Loss | None, steps: Steps) -> dict[str, Any]:
    name = f"{prepared.corpus.name} {loss.name}" if loss is not None else prepared.corpus.name
    if not sys.stderr.isatty():
        print_error(f"{name} ...")  # where no terminal shows the bars
    try:
        return measure(prepared, level, loss, lambda step, done, total: steps.show(f"{name}: {step}", done, total))
    except (UnsettledError, StrataError) as error:
        error.add_note(name)
        raise
