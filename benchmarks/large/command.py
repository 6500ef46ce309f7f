"""Owns the options, and what a run measures in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import Benchmark, names_in, run
from benchmarks.large.costs import costs
from benchmarks.large.costs import rounds_of as cost_rounds
from benchmarks.large.documents import documents
from benchmarks.large.peers import peer_bytes
from benchmarks.large.plot import plot
from benchmarks.large.ranges import ranges
from benchmarks.large.ranges import rounds_of as range_rounds
from benchmarks.large.report import report
from benchmarks.large.sizes import empty_bytes, rounds_of, sizes_of
from benchmarks.large.streams import streamed
from benchmarks.large.summary import goals, summary
from stratakv import OptimizationConfig
from stratakv.cli.progress import Steps
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from benchmarks.large.documents import Document

PARTS = ("sizes", "ranges", "costs", "stream")
MEGABYTES = 256
QUICK_MEGABYTES = 32
CUT_BYTES = 1024 * OptimizationConfig().deduplication.large_value_kb

_WHAT = (
    "Stores versions of documents, verifies every one, and tells what they take at rest after each, beside zstd and "
    "deduplicated 4 KB chunks; what a part of a large value costs beside the whole, storing one beside its floor; and "
    "the RAM of a process that streams a value. About two minutes; --quick takes a quarter of one."
)


def main(arguments: list[str]) -> int:
    """Measure, keep, print; return the exit code."""
    return run(Benchmark("large", _WHAT, PARTS, _add_options, _measured, report, plot), arguments)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--megabytes", type=int, help=f"length of the stream ({MEGABYTES}; quick: {QUICK_MEGABYTES})")
    parser.add_argument("--gb", type=float, help="the same in GB")


def _measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
    megabytes = _megabytes(options)
    what, found = documents(options.data, names_in(options.only), quick=options.quick)
    result: dict[str, Any] = {"what": what, "documents": [], "empty": None, "ranges": None, "costs": None}
    with Steps(as_json=options.json, lines=True) as steps:
        if "sizes" in parts:
            result["empty"] = empty_bytes()
            result["documents"] = [_row(document, steps) for document in found]
        if "ranges" in parts:
            result["ranges"] = ranges(quick=options.quick, progress=_counting(steps, "ranges", range_rounds()))
        if "costs" in parts:
            number = cost_rounds(quick=options.quick)
            result["costs"] = costs(quick=options.quick, progress=_counting(steps, "costs", number))
        if "stream" in parts:
            steps.show("stream", 0, 1)
    result["stream"] = streamed(megabytes) if "stream" in parts else None
    result["summary"] = summary(result) if result["documents"] else None
    return result | {"goals": goals(result)}


def _megabytes(options: argparse.Namespace) -> int:
    asked = options.megabytes if options.gb is None else round(1024 * options.gb)
    megabytes = int(asked if asked is not None else QUICK_MEGABYTES if options.quick else MEGABYTES)
    if megabytes < 1:
        raise ConfigurationError("a stream has a megabyte at the least")
    return megabytes


def _row(document: Document, steps: Steps) -> dict[str, Any]:
    ours = sizes_of(document, _counting(steps, document.name, rounds_of(document)))
    return {
        "name": document.name,
        "versions": len(document.versions),
        "bytes": sum(map(len, document.versions)),
        "cut": sum(len(version) >= CUT_BYTES for version in document.versions),
        "ours": ours,
        "peers": peer_bytes(document.versions),
    }


def _counting(steps: Steps, name: str, total: int) -> Any:
    """Return what is called at every step of so many."""
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        steps.show(name, done, total)

    return step
