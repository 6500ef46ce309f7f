"""`stratakv config`: shows every setting with its origin, and lists everything wrong with a file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stratakv.cli.output import print_json, print_line, print_table

if TYPE_CHECKING:
    from stratakv.config.sources import Problem

_EXAMPLES = """\
examples:
  stratakv config show
  stratakv config show --config memory.yaml --set tiered_storage.hot_capacity_mb=64
  STRATAKV__STORAGE__DURABILITY=sync stratakv config show --json
  stratakv config validate memory.yaml
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the sub-command and its arguments."""
    parser = subparsers.add_parser(
        "config",
        help="show settings and where they come from, or check a file",
        description="Show every setting and where its value came from, or check a configuration file.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="every value and where it came from")
    show.add_argument("--config", metavar="FILE", help="YAML file to load")
    show.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="settings",
        help="override a setting; may be repeated",
    )  # fmt: skip
    validate = actions.add_parser(
        "validate",
        help="list everything wrong with a file",
        description="Check a file on its own, without the environment. Exit code 0: valid; 1: not valid.",
    )
    validate.add_argument("file", metavar="FILE", help="YAML file to check")
    for action in (show, validate):
        action.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Carry the command out and return the exit code.

    Raises:
        ConfigurationError: What `show` should load is not valid.
    """
    return _show(args) if args.action == "show" else _validate(args)


def _show(args: argparse.Namespace) -> int:
    from stratakv.config.explain import explain
    from stratakv.config.loading import load_config
    from stratakv.config.model import OptimizationConfig
    from stratakv.config.text_layer import read_arguments

    rows = explain(load_config(args.config, overrides=read_arguments(args.settings, OptimizationConfig)))
    if args.json:
        print_json(
            {
                row.key: {
                    "value": row.value,
                    "source": str(row.source),
                    "source_kind": row.source.kind,
                    "meaning": row.meaning,
                }
                for row in rows
            }
        )
    else:
        print_table(("key", "value", "from"), [(row.key, row.value, row.source) for row in rows])
    return 0


def _validate(args: argparse.Namespace) -> int:
    from stratakv.config.loading import read_config

    _, problems = read_config(args.file, environ={})
    if args.json:
        print_json({"file": args.file, "valid": not problems, "problems": [_as_json(p) for p in problems]})
    elif problems:
        for problem in problems:
            print_line(str(problem))
    else:
        print_line(f"{args.file}: valid")
    return 1 if problems else 0


def _as_json(problem: Problem) -> dict[str, object]:
    _, _, line = problem.source.detail.rpartition(":")
    return {"key": problem.key, "line": int(line) if line.isdigit() else None, "message": problem.message}
