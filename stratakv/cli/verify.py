"""`stratakv verify`: read everything a store holds and list what is damaged. Changes nothing.

Owns the command's options and how findings are told; the checks are `stratakv.engine.verification`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.cli.output import counted, print_json, print_line
from stratakv.cli.store_directory import add_arguments, existing_store

if TYPE_CHECKING:
    import argparse

    from stratakv.engine.pack_verification import Finding
    from stratakv.engine.verification import Verification

_KEYS_SHOWN = 10


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "verify",
        help="read and check everything a store holds",
        description="Reads and checks every blob, reference count, pack, dictionary and journal record, and the "
        "catalog itself. Changes nothing. Exit codes: 0 sound; 1 damage found, or a process has the store open; "
        "2 wrong usage.",
    )
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Check the store and print what was found.

    Returns:
        0 if it is sound, 1 if something is damaged.

    Raises:
        ConfigurationError: There is no store in the directory, or its cold packs lie elsewhere than configured.
        StoreLockedError: A process has it open.
        TierUnavailableError: Its cold tier cannot be reached.
    """
    from stratakv.cli.progress import Steps
    from stratakv.engine.verification import verify_directory

    config = existing_store(args)
    with Steps("", scale=True, as_json=args.json) as steps:
        found = verify_directory(config, steps.show)
    if args.json:
        print_json(_as_json(args.dir, found))
    else:
        _print(args.dir, found)
    return 0 if found.sound else 1


def _as_json(directory: str, found: Verification) -> dict[str, object]:
    return {
        "directory": directory,
        "sound": found.sound,
        "checked": found.checked,
        "damage": [
            {
                "what": finding.what,
                "message": finding.message,
                "keys": finding.keys,
                "tier": finding.tier,
                "pack": finding.pack,
            }
            for finding in found.damage
        ],
        "leftovers": found.leftovers,
    }


def _print(directory: str, found: Verification) -> None:
    checked = found.checked
    for finding in found.damage:
        print_line(_line(finding))
    for leftover in found.leftovers:
        print_line(f"left by a crash, harmless: {leftover}")
    print_line(
        f"checked {counted(checked['keys'], 'key')}, {counted(checked['blobs'], 'content')} in "
        f"{counted(checked['packs'], 'pack')}, {counted(checked['dictionaries'], 'dictionary', 'dictionaries')}, "
        f"{counted(checked['journal_records'], 'journal record')}"
    )
    places = counted(len(found.damage), "place")
    print_line(f"{directory}: {'sound' if found.sound else f'damaged in {places}'}")


def _line(finding: Finding) -> str:
    where = f" {finding.pack} ({finding.tier})" if finding.pack else ""
    line = f"damaged {finding.what}{where}: {finding.message}"
    if finding.keys:
        shown = ", ".join(map(repr, finding.keys[:_KEYS_SHOWN]))
        more = len(finding.keys) - _KEYS_SHOWN
        line += f"; keys: {shown}" + (f" and {more:,} more" if more > 0 else "")
    return line
