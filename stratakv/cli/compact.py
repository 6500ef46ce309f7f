"""`stratakv compact`: give back the dead space of packs and of the catalog.

Owns the command's options and what it tells; the work is `stratakv.engine.upkeep`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.cli.gc import waiting
from stratakv.cli.output import counted, human_bytes, print_json, print_line, progress_bar
from stratakv.cli.store_directory import add_arguments, existing_store

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "compact",
        help="give back dead space in packs and catalog",
        description="Rewrites packs of which less than half is live, in which something has been dead for "
        "storage.erase_within_days, or of which there are many small ones, and gives the catalog's free pages back. "
        "Needs room for the copies until the old packs are gone. Exit code 1: a process has the store open, or a step "
        "failed.",
    )
    add_arguments(parser, writes=True)
    parser.add_argument(
        "--all",
        action="store_true",
        help="take every pack with a dead byte and any two small ones, and treat the grace period as elapsed",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Compact and print what changed.

    Returns:
        0.

    Raises:
        ConfigurationError: There is no store in the directory.
        StoreLockedError: A process has the store open.
        StrataError: The disk is full, a tier cannot be reached, or something is damaged.
    """
    from stratakv.engine.store import Store
    from stratakv.engine.upkeep import compact

    config = existing_store(args)
    store = Store(config)
    try:
        with progress_bar(None, "compacting", unit=" steps", as_json=args.json) as bar:

            def step() -> None:
                bar.update()

            changed = compact(store, everything=args.all, on_step=step)
    finally:
        store.close()
    if args.json:
        print_json({"directory": args.dir, **changed})
        return 0
    print_line(
        f"rewrote {counted(changed['packs_compacted'], 'pack')}: there were {changed['packs_before']:,}, "
        f"there are {changed['packs_after']:,}"
    )
    for name, part in (("store", "disk_bytes"), ("its catalog", "catalog_bytes")):
        before, after = changed[f"{part}_before"], changed[f"{part}_after"]
        print_line(f"{name} on disk: {human_bytes(before)} before, {human_bytes(after)} after")
    for line in waiting(changed, config.storage.grace_seconds, "stratakv compact --all"):
        print_line(line)
    return 0
