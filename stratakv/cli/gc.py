"""`stratakv gc`: remove what is past its time, what nothing refers to, and what a crash left behind.

Owns the command's options and what it tells; the work is `stratakv.engine.upkeep`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.cli.output import counted, human_bytes, print_json, print_line, progress_bar
from stratakv.cli.store_directory import add_arguments, existing_store

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "gc",
        help="remove what is expired, unreferenced or left by a crash",
        description="Removes expired keys and what a prunable namespace may lose, contents that no key names, packs "
        "without contents, and packs that a crash left. What is dead among the living goes with `stratakv compact`. "
        "Where the store absorbs a wrapped engine, run maintain() there instead: only the engine can confirm that it "
        "has no copy of an expired key left. Exit code 1: a process has the store open, or a step failed.",
    )
    add_arguments(parser, writes=True)
    parser.add_argument("--now", action="store_true", help="treat the grace period (storage.grace_seconds) as elapsed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Collect and print what was removed.

    Returns:
        0.

    Raises:
        ConfigurationError: There is no store in the directory.
        StoreLockedError: A process has the store open.
        StrataError: The disk is full, a tier cannot be reached, or something is damaged.
    """
    from stratakv.engine.store import Store
    from stratakv.engine.upkeep import collect

    config = existing_store(args)
    store = Store(config)
    try:
        with progress_bar(None, "collecting", unit=" steps", as_json=args.json) as bar:

            def step() -> None:
                bar.update()

            removed = collect(store, now=args.now, on_step=step)
    finally:
        store.close()
    freed = removed["disk_bytes_before"] - removed["disk_bytes_after"]
    if args.json:
        print_json({"directory": args.dir, **removed, "freed_bytes": freed})
        return 0
    print_line(
        f"removed {counted(removed['keys_expired'], 'expired key')}, {counted(removed['keys_pruned'], 'pruned key')}, "
        f"{counted(removed['contents'], 'content')}, {counted(removed['packs'], 'pack')}"
    )
    before, after = human_bytes(removed["disk_bytes_before"]), human_bytes(removed["disk_bytes_after"])
    print_line(f"freed {human_bytes(max(0, freed))}: {before} on disk before, {after} after")
    for line in waiting(removed, config.storage.grace_seconds, "stratakv gc --now"):
        print_line(line)
    dead = removed["dead_bytes_in_packs"]
    if dead:
        print_line(f"about {human_bytes(dead)} are dead among the living: `stratakv compact --all` gives them back")
    return 0


def waiting(removed: dict[str, int], grace: float, at_once: str) -> list[str]:
    """Say what a grace period still keeps, and which command does not wait for it."""
    kept = []
    if removed["contents_waiting"]:
        kept.append(counted(removed["contents_waiting"], "content"))
    if removed["pack_bytes_waiting"]:
        kept.append(f"{human_bytes(removed['pack_bytes_waiting'])} of packs")
    return [f"in their grace period of {grace:g} s: {', '.join(kept)}; at once: `{at_once}`"] if kept else []
