"""`stratakv demo`: the main job on real input, from this machine's own Python or the user's files.

Owns the command's options and exit code; what is done stands in `stratakv.cli.demonstration`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from stratakv.cli.output import print_json, print_line
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from stratakv.cli.demonstration.workload import Workload
    from stratakv.cli.progress import Steps

# A standard library has 12 MB of source without its tests; far more would not be done within a minute.
_MOST_BYTES = 16 << 20
_QUICK_BYTES = 400 << 10


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "demo",
        help="wrap a dict of real records, let days pass, and show what is saved",
        description="Makes records of this machine's Python standard library (or takes yours), loads them "
        "into a plain dict, wraps it, replays accesses, lets days pass on a clock of its own, and reports "
        "sizes, times and whether every value came back exactly. Nothing is downloaded.",
    )
    add = parser.add_argument
    add(
        "--data",
        nargs="+",
        metavar="FILE",
        help="your own records instead: .jsonl, .tsv, .npz, .npy, also .gz, .xz, .zst",
    )
    add("--key", metavar="FIELD", help="with --data: the field that holds the key (default: file and line)")
    add(
        "--rows",
        type=int,
        metavar="N",
        help="with --data: rows that make one value, of .tsv files (default 1) and of arrays (default: all)",
    )
    add("--dir", metavar="D", help="keep the store in this new or empty directory (default: a temporary one)")
    add("--quick", action="store_true", help="a few modules only, in a few seconds")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the demo and print its report.

    Returns:
        0 if every value came back exactly, 1 if not.

    Raises:
        ConfigurationError: Options that do not go together, a missing file, no scipy.
        StrataError: A record cannot be read, or the store failed.
    """
    from stratakv.cli.demonstration.flow import play
    from stratakv.cli.progress import Steps

    started = time.perf_counter()
    _refuse_what_does_not_fit(args)
    with Steps(as_json=args.json, lines=True) as steps:
        report = play(_workload(args, steps), args.dir, steps.show)
        report.seconds = round(time.perf_counter() - started, 2)
    if args.json:
        print_json(report.as_dict())
    else:
        for line in report.as_lines():
            print_line(line)
    return 0 if report.exact else 1


def _refuse_what_does_not_fit(args: argparse.Namespace) -> None:
    if args.data is None and (args.key is not None or args.rows is not None):
        raise ConfigurationError("--key and --rows go with --data")
    if args.data is not None and args.quick:
        raise ConfigurationError("--quick goes with the demo's own records, not with --data")
    if args.dir is not None and Path(args.dir).is_dir() and any(Path(args.dir).iterdir()):
        raise ConfigurationError(f"{args.dir} is not empty; what is in it would be counted too: name a new one")


def _workload(args: argparse.Namespace, steps: Steps) -> Workload:
    from stratakv.cli.demonstration.modules import standard_library
    from stratakv.cli.demonstration.workload import workload_from_files, workload_from_python
    from stratakv.cli.records import RecordFile

    if args.data is None:
        most_bytes = _QUICK_BYTES if args.quick else _MOST_BYTES
        return workload_from_python(
            standard_library(), most_bytes, lambda done, total: steps.show("reading modules", done, total)
        )
    files = [RecordFile(path, args.key, args.rows) for path in args.data]
    return workload_from_files(files, lambda file: steps.show(f"reading {file.stem}", file.position, file.size))
