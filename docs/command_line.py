"""Writes the page of the command line from its own parser: every command, argument and option."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stratakv.cli.main import build_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

_INTRODUCTION = """\
# Command line

Written from the parser by `python -m docs.build_reference`; a test compares.

All commands take `--json`, and then print failures as JSON too. Exit codes: 0 good, 1 found damage or failed, 2 wrong
usage, 130 interrupted. The directory may come from `storage.path` of `--config` instead of `--dir`.

`stratakv load` names each record after file and line: the first line of `events.jsonl.gz` has the key `events:1`; with
`--key FIELD` the field's value is the key. `--namespace N` adds a label, nothing to the key.
"""


def command_line() -> str:
    """Return the page."""
    lines = [_INTRODUCTION]
    for name, command, about in _commands(build_parser(), "stratakv"):
        lines += [f"## {name}", "", command.description or about, ""]
        if rows := list(_rows(command)):
            lines += ["| argument | meaning |", "|---|---|", *rows, ""]
    return "\n".join(lines).rstrip() + "\n"


def _commands(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """Yield name, parser and short help of each command that does something."""
    for action in parser._actions:  # noqa: SLF001  # argparse has no public way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for word, command in action.choices.items():
                below = list(_commands(command, f"{name} {word}"))
                yield from below or [(f"{name} {word}", command, helps.get(word, ""))]


def _rows(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:  # noqa: SLF001
        if isinstance(action, argparse._HelpAction) or action.help is argparse.SUPPRESS:  # noqa: SLF001
            continue
        meaning = (action.help or "") % (vars(action) | {"prog": command.prog})
        yield f"| `{_usage(action)}` | {meaning.replace('|', chr(92) + '|')} |"


def _usage(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else None
    if value is None and action.choices is not None:
        value = "{" + ",".join(str(choice) for choice in action.choices) + "}"
    if not action.option_strings:
        value = value or action.dest
        return f"{value}..." if action.nargs in ("+", "*") else value
    names = ", ".join(action.option_strings)
    if action.nargs == 0:
        return names
    value = value or action.dest.upper()
    return f"{names} {value}{'...' if action.nargs in ('+', '*') else ''}"
