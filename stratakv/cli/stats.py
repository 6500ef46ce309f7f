"""`stratakv stats`: what a store says about itself; beside a live owner from the owner's last snapshot.

Owns the command's options and which figures a person sees first. The figures themselves are the engine's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.cli.output import human_bytes, print_json, print_line, print_table
from stratakv.errors import StoreLockedError

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "stats",
        help="what a store holds and saves",
        description="Shows what a store holds and saves. Beside a process that has the store open the figures are "
        "those of its last snapshot, written at each maintenance.",
    )
    add = parser.add_argument
    add("--dir", required=True, metavar="D", help="the store's directory")
    add("--config", metavar="FILE", help="YAML configuration of the store")
    add("--json", action="store_true", help="print all statistics as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the statistics.

    Returns:
        0.

    Raises:
        ConfigurationError: There is no store in the directory, or no snapshot yet.
        StrataError: The store cannot be read.
    """
    from pathlib import Path

    from stratakv.config import load_config
    from stratakv.engine.snapshot import read_snapshot
    from stratakv.engine.store import Store

    config = load_config(args.config, overrides={"storage.path": args.dir}).config
    source = f"read from {args.dir}; nobody has it open"
    try:
        store = Store(config, read_only=True)
    except StoreLockedError as locked:
        statistics = read_snapshot(Path(args.dir).expanduser())
        source = f"last snapshot of process {locked.pid}, which has {args.dir} open"
    else:
        try:
            statistics = store.statistics.all()
        finally:
            store.close()
    if args.json:
        print_json(statistics)
    else:
        print_line(source)
        for title, rows in sections(statistics):
            print_line()
            print_line(title)
            for name, figure in rows:
                print_line(f"  {name:<22}{figure}")
        _print_namespaces(statistics["namespaces"])
    return 0


def sections(statistics: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (title, rows of name and figure) in the order in which people ask."""
    overall, storage = statistics["overall"], statistics["storage"]
    tiered, dedup = statistics["tiered_storage"], statistics["deduplication"]
    middleware, background = statistics["middleware"], statistics["background"]
    reads = middleware["total_reads"]
    hits = f"{100 * middleware['cache_hits'] / reads:.1f}% of {reads:,} reads" if reads else "- (no reads counted)"
    reached = "reached" if overall["target_achieved"] else "not reached"
    return [
        (
            "reduction",
            [
                ("held", human_bytes(overall["held_bytes"])),
                ("plain", human_bytes(overall["plaintext_bytes"])),
                ("less", f"{overall['memory_reduction_percent']:.1f}%"),
                ("target", f"{overall['memory_reduction_target_percent']:g}%, {reached}"),
            ],
        ),
        (
            "bytes by tier",
            [
                (
                    "hot (RAM)",
                    f"{human_bytes(tiered['hot_usage_bytes'])}, {tiered['hot_usage_percent']:.1f}% of its room",
                ),
                ("warm (disk)", human_bytes(tiered["warm_usage_bytes"])),
                ("cold", human_bytes(tiered["cold_usage_bytes"])),
                ("journal", human_bytes(storage["journal_bytes"])),
                ("catalog", human_bytes(storage["catalog_bytes"])),
                ("other on disk", human_bytes(storage["other_disk_bytes"])),
                ("other in RAM", human_bytes(storage["other_ram_bytes"] + storage["catalog_cache_bytes"])),
            ],
        ),
        (
            "keys",
            [
                ("with a value", f"{dedup['total_references']:,}"),
                ("not checkpointed yet", f"{background['dirty_keys']:,}"),
                ("in RAM", f"{tiered['hot_keys']:,}"),
                ("hit rate", hits),
            ],
        ),
        (
            "deduplication",
            [
                ("contents", f"{dedup['unique_contents']:,}"),
                ("spared", f"{100 * dedup['dedup_ratio']:.1f}% of the contents that keys name"),
                ("saves", f"{dedup['space_saved_percent']:.1f}% of the plain bytes"),
            ],
        ),
        ("trouble", _trouble(background)),
    ]


def _trouble(background: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("damaged values read", f"{background['corruptions']:,}")]
    told = (
        ("last failure", "last_failure"),
        ("journal", "journal_failure"),
        ("pruning paused", "pruning_paused"),
    )
    return rows + [(name, str(background[key])) for name, key in told if background.get(key)]


def _print_namespaces(namespaces: dict[str, dict[str, int]]) -> None:
    if not namespaces:
        return
    print_line()
    print_table(
        ("namespace", "keys", "contents", "plain", "hot", "warm", "cold"),
        [
            (name, row["keys"], row["contents"], *(human_bytes(row[f"{part}_bytes"]) for part in _PARTS))
            for name, row in namespaces.items()
        ],
    )


_PARTS = ("plaintext", "hot", "warm", "cold")
