"""`stratakv load`: store users' files, one value a line, array or row, in a directory.

Owns the command's options and what it prints. Every file is read to its end before the first value is stored, so a bad
line changes nothing. Records are stored in batches, each wholly or not at all; on return all is durable.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from stratakv.cli.output import counted, print_json, print_line
from stratakv.cli.reduction import UNIT, at_rest, megabytes, said, too_small
from stratakv.cli.store_directory import add_arguments, new_or_existing_store
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from stratakv.cli.progress import Steps
    from stratakv.cli.records import RecordFile
    from stratakv.config import OptimizationConfig
    from stratakv.engine.middleware import OptimizationMiddleware

_EVERY = 256  # Records between two looks at the bar, and in a batch.
_BATCH_BYTES = 1 << 20
# Encoded values may be longer than the text they came from, and a batch must fit what may wait for a checkpoint.
_BATCH_SHARE = 16

_EXPLANATION = """\
keys:
  Without --key a record's key is the file's name without its endings and the line, as in tau_db:1, or the name of the
  array, as in points:xy. With --rows N each N rows of an array are one value under points/xy:0, points/xy:N ...
  (of an .npy file points:0 ...), rows counted from 0. A namespace is only a label for settings and statistics: it is
  no part of the key, and `stratakv get` does not ask for it.

A bad line is found before anything is stored: all files are read once to check them, then again to store them. Storing
itself is not all or nothing. What an interruption (Ctrl-C, exit code 130), a full disk or a kill cuts short keeps the
records stored so far; run the same command again to finish.

examples:
  stratakv load records.jsonl.gz --dir store --key id
  stratakv load embeddings.npy --dir store --rows 1
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "load",
        help="store the records of files in a directory",
        description="Stores each line (.jsonl, .ndjson, .tsv) or array (.npz, .npy) of the files, which may "
        "be compressed (.gz, .xz, .zst).",
        epilog=_EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="what to store")
    add_arguments(parser, "; made if it is not there", writes=True)
    add("--namespace", metavar="N", help="label all these records with a namespace")
    add(
        "--key",
        metavar="FIELD",
        help="JSON field (dotted) or .tsv column of the key (default: file and line)",
    )
    add(
        "--rows",
        type=int,
        metavar="N",
        help="rows that make one value, of .tsv files (default 1) and of arrays (default: the whole array)",
    )
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Load the files and print what was stored.

    Returns:
        0: all is stored and durable.

    Raises:
        ConfigurationError: A file is missing or of no known kind, an option cannot be used, or the directory holds
            what is no store.
        StrataError: A record cannot be read, or the store failed.
        KeyboardInterrupt: The user stopped it; the message says how much is stored.
    """
    from stratakv.cli.progress import Steps
    from stratakv.cli.records import RecordFile

    config = new_or_existing_store(args)
    files = [RecordFile(path, args.key, args.rows) for path in args.files]
    _refuse_equal_stems(files, args.key)
    load = _Load(files, args.namespace)
    with Steps("B", scale=True, as_json=args.json) as steps:
        load.check(steps)
        load.store(config, steps)
    loaded = {"directory": args.dir, **load.told(), **_measured(config)}
    if args.json:
        print_json(loaded)
    else:
        for line in _lines(loaded, load.example):
            print_line(line)
    return 0


def _lines(loaded: dict[str, Any], example: str | None) -> list[str]:
    packed = " of compressed files" if loaded["compressed_files"] else " of files"
    rows = f", {counted(loaded['array_rows'], 'row')} of arrays," if loaded["array_rows"] else ""
    files, disk, values = (megabytes(loaded[f"{what}_bytes"]) for what in ("file", "disk", "plaintext"))
    stored, keys = counted(loaded["records"], "record"), counted(loaded["keys"], "key")
    lines = [
        f"stored {stored}{rows} from {files} MB{packed} in {loaded['directory']} ({UNIT})",
        f"it has {keys} and takes {disk} MB of disk for {values} MB of serialised values",
        said(loaded["disk_bytes"], loaded["plaintext_bytes"]),
    ]
    if example is not None:
        lines.append(f"keys look like {example}; `stratakv keys` lists them, `stratakv get KEY` prints a value")
    return lines


def _refuse_equal_stems(files: list[RecordFile], key_field: str | None) -> None:
    first: dict[str, RecordFile] = {}
    for file in files:
        if key_field is None and (other := first.setdefault(file.stem, file)) is not file:
            raise ConfigurationError(
                f"{other.path} and {file.path} would give the same keys ({file.stem}:1 ...); "
                "rename one, or name the field with the key: --key"
            )


class _Load:
    """One run over the files.

    Attributes:
        example: A key that was stored; None where there is no record.
    """

    def __init__(self, files: list[RecordFile], namespace: str | None) -> None:
        self._files = files
        self._namespace = namespace
        self._bytes = sum(file.size for file in files)
        self._array_rows = 0
        self._records = 0
        self._stored = 0
        self.example: str | None = None

    def told(self) -> dict[str, Any]:
        """Return what was stored."""
        return {
            "records": self._stored,
            "array_rows": self._array_rows,
            "file_bytes": self._bytes,
            "compressed_files": sum(file.is_compressed for file in self._files),
            "example_key": self.example,
        }

    def check(self, steps: Steps) -> None:
        """Read everything once, so that a bad record is found before anything is stored."""
        from stratakv.cli.records import RecordFileError

        owner: dict[str, RecordFile] = {}
        before = 0
        several = len(self._files) > 1
        try:
            for file in self._files:
                for number, (key, _) in enumerate(file):
                    if several and (other := owner.setdefault(key, file)) is not file:
                        raise RecordFileError(f"{file.path}: the key {key!r} stands in {other.path} already")
                    if number % _EVERY == 0:
                        steps.show("checking", before + file.position, self._bytes)
                        self.example = self.example or key
                    self._records += 1
                before += file.size
                self._array_rows += file.array_rows
        except KeyboardInterrupt:
            raise KeyboardInterrupt("interrupted: nothing was stored") from None

    def store(self, config: OptimizationConfig, steps: Steps) -> None:
        """Store everything, batch by batch; the store is closed, and all of it durable, on return."""
        from stratakv.engine.middleware import OptimizationMiddleware

        most = min(_BATCH_BYTES, int(config.storage.dirty_limit_mb * (1 << 20)) // _BATCH_SHARE)
        before = 0
        try:
            with OptimizationMiddleware(config=config) as memory:
                had_some = len(memory) > 0
                for file in self._files:
                    batch: dict[str, Any] = {}
                    start = 0
                    for key, value in file:
                        batch[key] = value
                        if len(batch) == _EVERY or file.content_bytes - start >= most:
                            self._put(memory, batch)
                            batch, start = {}, file.content_bytes
                            steps.show("storing", before + file.position, self._bytes)
                    self._put(memory, batch)
                    before += file.size
                if had_some:
                    # Small loads, one after the other, leave small packs and replaced values: those are tidied up.
                    memory.maintain()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted: {self._stored:,} of {self._records:,} records are stored and safe; "
                "run the same command again to finish"
            ) from None

    def _put(self, memory: OptimizationMiddleware, batch: dict[str, Any]) -> None:
        if len(batch) == 1:
            # Alone, a value may be of any size; in a batch it would count against what may wait for a checkpoint.
            for key, value in batch.items():
                memory.store(key, value, namespace=self._namespace)
        elif batch:
            memory.store_many(batch, namespace=self._namespace)
        self._stored += len(batch)


def _measured(config: OptimizationConfig) -> dict[str, Any]:
    """Return the store's sizes as `stratakv stats` tells them: nobody has it open any more."""
    from stratakv.engine.store import Store

    store = Store(config, read_only=True)
    try:
        statistics = at_rest(store.statistics.all())
        keys = len(store)
    finally:
        store.close()
    overall = statistics["overall"]
    return {
        "keys": keys,
        "plaintext_bytes": overall["plaintext_bytes"],
        "disk_bytes": statistics["storage"]["disk_bytes"],
        "memory_reduction_percent": overall["memory_reduction_percent"],
        "too_small_to_judge": too_small(overall["plaintext_bytes"]),
    }
