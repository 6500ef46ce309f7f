"""Owns the options, and what a run measures in which order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import Benchmark, DifferenceError, RunError, names_in, run
from benchmarks.reduction.corpora import ROWS, Directory, demo_corpora
from benchmarks.reduction.founding import founding
from benchmarks.reduction.loss import losses_for, refusal
from benchmarks.reduction.peers import peer_bytes
from benchmarks.reduction.plot import plot
from benchmarks.reduction.rows import measure, prepare
from benchmarks.reduction.table import report, title
from stratakv.cli.demonstration.workload import KINDS
from stratakv.cli.progress import Steps
from stratakv.config import LEVELS
from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from benchmarks.reduction.corpora import Corpus
    from benchmarks.reduction.loss import Loss
    from benchmarks.reduction.rows import Prepared

PARTS = ("corpora",)

_WHAT = (
    "Takes the values of each file through a store of its own, verifies every one, and tells what is saved: JSON lines "
    "one a value, tables as graphs of 10,000 rows, arrays whole, tables of floats also by row, with and without loss."
)
_DATA = "JSON lines, tables and arrays, or a folder `values` of them (default: the demo's)"


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("reduction", _WHAT, PARTS, _add_options, _measured, report, plot, _DATA), arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    levels = tuple(LEVELS)
    parser.add_argument("--level", choices=levels, default="moderate", help="optimisation level (default: moderate)")


def _measured(options: argparse.Namespace, _: tuple[str, ...]) -> dict[str, Any]:
    """Run everything that is asked for.

    Raises:
        ConfigurationError: The options name what is not there.
        RecordFileError: A file of the directory cannot be read.
        UnsettledError: A store does not come to rest.
        DifferenceError: Values came back other than they may be.
    """
    left_out: list[str] = []
    rows: list[dict[str, Any]] = []
    with Steps(as_json=options.json, lines=True) as steps:
        for corpus in _corpora(options, names_in(options.only), left_out):
            rows += _rows(corpus, options.level, left_out, steps)
    if not rows:
        raise ConfigurationError("there is no record to measure")
    if different := [row for row in rows if row["differences"]]:
        raise DifferenceError("\n".join(map(_differences, different)))
    return {
        "what": _what(options, len({row["corpus"] for row in rows})),
        "level": options.level,
        "corpora": rows,
        "founding": founding(rows),
        "left_out": list(dict.fromkeys(left_out)),
    }


def _what(options: argparse.Namespace, corpora: int) -> str:
    of = "the demo's records" if options.data is None else "recorded values"
    number = "1 corpus" if corpora == 1 else f"{corpora} corpora"
    return f"{number} of {of} at level {options.level}, each in a store of its own"


def _differences(row: dict[str, Any]) -> str:
    return f"{row['differences']} values in {title(row)}, among them: {'; '.join(row['first_differences'])}"


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
    try:
        return measure(prepared, level, loss, lambda step, done, total: steps.show(f"{name}: {step}", done, total))
    except (RunError, StrataError) as error:
        error.add_note(name)
        raise
