"""`stratakv load`: store users' files, one value a line or array, in a directory.

Owns the command's options and what it prints. Every file is read to its end before the first value is stored,
so a bad line changes nothing; on return all is durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.cli.output import print_json, print_line
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from stratakv.cli.progress import Steps
    from stratakv.cli.records import RecordFile

_EVERY = 256  # Records between two looks at the bar.


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "load",
        help="store the records of files in a directory",
        description="Stores each line (.jsonl, .ndjson, .tsv) or array (.npz, .npy) of the files, which may "
        "be compressed (.gz, .xz, .zst). All files are read and checked before anything is stored.",
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="what to store")
    add("--dir", required=True, metavar="D", help="the store's directory; made if it is not there")
    add("--config", metavar="FILE", help="YAML configuration of the store")
    add("--namespace", metavar="N", help="label all these records with a namespace")
    add(
        "--key",
        metavar="FIELD",
        help="JSON field (dotted) or .tsv column of the key (default: file and line)",
    )
    add("--rows", type=int, default=1, metavar="N", help=".tsv rows that make one value (default 1)")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Load the files and print what was stored.

    Returns:
        0: all is stored and durable.

    Raises:
        ConfigurationError: A file is missing or of no known kind, or an option cannot be used.
        StrataError: A record cannot be read, or the store failed.
    """
    from stratakv.cli.progress import Steps
    from stratakv.cli.records import RecordFile

    files = [RecordFile(path, args.key, args.rows) for path in args.files]
    _refuse_equal_stems(files, args.key)
    with Steps("B", scale=True, as_json=args.json) as steps:
        _check(files, steps)
        loaded = _load(files, args, steps)
    if args.json:
        print_json(loaded)
    else:
        print_line(
            f"stored {loaded['records']:,} records from {loaded['file_bytes'] / 1e6:.2f} MB of files in {args.dir}"
        )
        less = 100 * (1 - loaded["disk_bytes"] / loaded["plaintext_bytes"]) if loaded["plaintext_bytes"] else 0
        print_line(
            f"it has {loaded['keys']:,} keys and takes {loaded['disk_bytes'] / 1e6:.2f} MB of disk, "
            f"{abs(less):.1f}% {'less' if less >= 0 else 'more'} than their serialised values "
            f"({loaded['plaintext_bytes'] / 1e6:.2f} MB)"
        )
    return 0


def _refuse_equal_stems(files: list[RecordFile], key_field: str | None) -> None:
    first: dict[str, RecordFile] = {}
    for file in files:
        if key_field is None and (other := first.setdefault(file.stem, file)) is not file:
            raise ConfigurationError(
                f"{other.path} and {file.path} would give the same keys ({file.stem}:1 ...); "
                "rename one, or name the field with the key: --key"
            )


def _check(files: list[RecordFile], steps: Steps) -> None:
    """Read everything once, so that a bad record is found before anything is stored."""
    from stratakv.cli.records import RecordFileError

    owner: dict[str, RecordFile] = {}
    total = sum(file.size for file in files)
    before = 0
    for file in files:
        for number, (key, _) in enumerate(file):
            if len(files) > 1 and (other := owner.setdefault(key, file)) is not file:
                raise RecordFileError(f"{file.path}: the key {key!r} stands in {other.path} already")
            if number % _EVERY == 0:
                steps.show("checking", before + file.position, total)
        before += file.size


def _load(files: list[RecordFile], args: argparse.Namespace, steps: Steps) -> dict[str, Any]:
    from stratakv.engine.middleware import OptimizationMiddleware

    total = sum(file.size for file in files)
    before = stored = 0
    with OptimizationMiddleware(config_path=args.config, path=args.dir) as memory:
        for file in files:
            for key, value in file:
                memory.store(key, value, namespace=args.namespace)
                stored += 1
                if stored % _EVERY == 0:
                    steps.show("storing", before + file.position, total)
            before += file.size
        memory.flush()
        memory.maintain()
        statistics = memory.get_statistics()
        return {
            "directory": args.dir,
            "records": stored,
            "file_bytes": total,
            "keys": len(memory),
            "plaintext_bytes": statistics["overall"]["plaintext_bytes"],
            "disk_bytes": statistics["storage"]["disk_bytes"],
            "memory_reduction_percent": statistics["overall"]["memory_reduction_percent"],
        }
