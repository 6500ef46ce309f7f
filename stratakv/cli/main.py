"""The entry point: parses the command line, runs one sub-command, turns errors into a line and a code.

Exit codes: 0 good; 1 found damage or failed; 2 wrong usage or configuration; 130 interrupted. A sub-command
is a module with `add_parser(subparsers)` and `run(args) -> int`, which imports what is heavy. A configuration
error may have several lines, one for each problem.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, TextIO

from stratakv import __version__
from stratakv.cli import config_command, demo, get, load, stats, verify
from stratakv.cli.output import print_error
from stratakv.errors import ConfigurationError, StrataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GOOD = 0
FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130

_COMMANDS = (demo, load, get, stats, verify, config_command)
_EXAMPLES = """\
examples:
  stratakv demo
  stratakv load records.jsonl.gz --dir store --key id
  stratakv get k42 --dir store
  stratakv stats --dir store --json
  stratakv verify --dir store
  stratakv config show --config memory.yaml

exit codes: 0 good, 1 found damage or failed, 2 wrong usage or configuration
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
    try:
        args = build_parser().parse_args(argv)
        run: Callable[[argparse.Namespace], int] = args.run
        code = run(args)
        sys.stdout.flush()
    except SystemExit as stop:  # argparse: --help, --version, wrong usage
        return stop.code if isinstance(stop.code, int) else WRONG_USAGE
    except ConfigurationError as error:
        print_error(f"stratakv: {error}")
        return WRONG_USAGE
    except StrataError as error:
        print_error(f"stratakv: {error}")
        return FAILED
    except BrokenPipeError:
        # The reader has gone (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        print_error(f"stratakv: {error}")
        return FAILED
    except KeyboardInterrupt:
        print_error("stratakv: interrupted")
        return INTERRUPTED
    return code


def _escape_what_the_terminal_lacks(*streams: TextIO) -> None:
    """A key in a script that the terminal's encoding lacks is printed escaped instead of failing."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
