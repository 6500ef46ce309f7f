"""The entry point: parses the command line, runs one sub-command, turns errors into a line and a code.

Exit codes: 0 good; 1 found damage or failed; 2 wrong usage, configuration errors included; 130 interrupted. A
sub-command is a module with `add_parser(subparsers)` and `run(args) -> int`, which imports what is heavy. A
configuration error may have several lines, one for each problem. With `--json` a failure is an object on standard
output too: {"error": text}.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, TextIO

from stratakv import __version__
from stratakv.cli import (
    compact,
    config_command,
    demo,
    explain,
    gc,
    get,
    keys,
    load,
    migrate,
    restore,
    simulate,
    stats,
    tune,
    verify,
)
from stratakv.cli.output import print_error, print_json
from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GOOD = 0
FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130

_COMMANDS = (
    demo, load, keys, get, explain, migrate, stats, verify, gc, compact, restore, simulate, tune, config_command
)  # fmt: skip
_EXAMPLES = """\
examples:
  stratakv demo
  stratakv load records.jsonl.gz --dir store --key id
  stratakv keys --dir store --prefix k4
  stratakv get k42 --dir store
  stratakv explain k42 --dir store
  stratakv migrate --prefix old: --to cold --dir store
  stratakv stats --dir store --json
  stratakv verify --dir store
  stratakv restore --from s3://bucket/prefix --dir new-store
  stratakv gc --dir store
  stratakv compact --dir store --all
  stratakv tune --explain --dir store
  stratakv simulate trace.csv --policy all --capacity 10%
  stratakv config show --config memory.yaml

exit codes: 0 good, 1 found damage or failed, 2 wrong usage (configuration errors count as wrong usage),
130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all sub-commands."""
    parser = argparse.ArgumentParser(
        prog="stratakv",
        description="Keeps each value once, compressed, in the cheapest tier that is still fast enough.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"stratakv {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        known = set(subparsers.choices)
        command.add_parser(subparsers)
        for name in set(subparsers.choices) - known:
            subparsers.choices[name].set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments without the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    _escape_what_the_terminal_lacks(sys.stdout, sys.stderr)
    as_json = False
    try:
        args = build_parser().parse_args(argv)
        as_json = args.json
        run: Callable[[argparse.Namespace], int] = args.run
        code = run(args)
        sys.stdout.flush()
    except SystemExit as stop:  # argparse: --help, --version, wrong usage
        return stop.code if isinstance(stop.code, int) else WRONG_USAGE
    except ConfigurationError as error:
        return _failed(error, WRONG_USAGE, as_json=as_json)
    except StrataError as error:
        return _failed(error, FAILED, as_json=as_json)
    except BrokenPipeError:
        # The reader has gone (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        return _failed(error, FAILED, as_json=as_json)
    except KeyboardInterrupt as interrupt:
        return _failed(str(interrupt) or "interrupted", INTERRUPTED, as_json=as_json)
    return code


def _failed(problem: object, code: int, *, as_json: bool) -> int:
    print_error(f"stratakv: {problem}")
    if as_json:
        print_json({"error": str(problem)})
    return code


def _escape_what_the_terminal_lacks(*streams: TextIO) -> None:
    """A key in a script that the terminal's encoding lacks is printed escaped instead of failing."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
