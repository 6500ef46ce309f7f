"""`stratakv stats`: what a store says about itself; beside a live owner from the owner's last snapshot.

Owns the command's options and which figures a person sees first. The figures themselves are the engine's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.cli.cold_rows import cold_rows
from stratakv.cli.output import print_json, print_line, print_table
from stratakv.cli.reduction import TOO_SMALL, UNIT, at_rest, judged, megabytes
from stratakv.cli.store_directory import add_arguments, existing_store
from stratakv.errors import StoreLockedError

if TYPE_CHECKING:
    import argparse

    from stratakv.config import OptimizationConfig


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "stats",
        help="what a store holds and saves",
        description="Shows what a store holds and saves. A store that nobody has open holds its bytes on disk. Beside "
        "a process that has it open the figures are those of its last snapshot, written soon after opening and at each "
        "maintenance, and its RAM is held too. Exit code 1: that process has written none yet.",
    )
    add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print all statistics as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the statistics.

    Returns:
        0.

    Raises:
        ConfigurationError: There is no store in the directory.
        StoreLockedError: A process has it open that has not written a snapshot yet.
        StrataError: The store cannot be read.
    """
    config = existing_store(args)
    statistics, source = statistics_of(config, args.dir)
    statistics = judged(statistics)
    if args.json:
        print_json(statistics)
    else:
        print_line(source)
        print_line(f"sizes in MB, {UNIT}")
        for title, rows in sections(statistics):
            print_line()
            print_line(title)
            for name, figure in rows:
                print_line(f"  {name:<22}{figure}")
        _print_namespaces(statistics["namespaces"])
    return 0


def statistics_of(config: OptimizationConfig, directory: str) -> tuple[dict[str, Any], str]:
    """Return the statistics of a store, and words for where they come from; errors as `run`."""
    from stratakv.engine.store import Store

    try:
        store = Store(config, read_only=True)
    except StoreLockedError as locked:
        statistics = _last_snapshot(directory, locked)
        return statistics, f"last snapshot of process {locked.pid}, which has {directory} open"
    try:
        return at_rest(store.statistics.all()), f"read from {directory}; nobody has it open"
    finally:
        store.close()


def _last_snapshot(directory: str, locked: StoreLockedError) -> dict[str, Any]:
    from pathlib import Path

    from stratakv.engine.snapshot import SNAPSHOT_FILE, read_snapshot

    path = Path(directory).expanduser()
    if not (path / SNAPSHOT_FILE).exists():
        raise StoreLockedError(
            f"process {locked.pid} has {directory} open and has written no statistics yet: it does so soon after "
            "opening and then at each maintenance; try again in a few seconds",
            locked.pid,
        )
    return read_snapshot(path)


def sections(statistics: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (title, rows of name and figure) in the order in which people ask."""
    overall, storage = statistics["overall"], statistics["storage"]
    tiered, dedup = statistics["tiered_storage"], statistics["deduplication"]
    middleware, background = statistics["middleware"], statistics["background"]
    reads = middleware["total_reads"]
    hits = f"{100 * middleware['cache_hits'] / reads:.1f}% of {reads:,} reads" if reads else "- (no reads counted)"
    reached = "reached" if overall["target_achieved"] else "missed"
    percent = overall["memory_reduction_percent"]
    if overall["too_small_to_judge"]:
        judgement = [("reduction", TOO_SMALL)]
    else:
        judgement = [
            ("less" if percent >= 0 else "more", f"{abs(percent):.1f}%"),
            ("target", f"{overall['memory_reduction_target_percent']:g}% less, {reached}"),
        ]
    return [
        (
            "reduction",
            [
                ("held", megabytes(overall["held_bytes"])),
                ("serialised values", megabytes(overall["plaintext_bytes"])),
                *judgement,
            ],
        ),
        (
            "bytes by tier",
            [
                (
                    "hot (RAM)",
                    f"{megabytes(tiered['hot_usage_bytes'])}, {tiered['hot_usage_percent']:.1f}% of its room",
                ),
                ("warm (disk)", megabytes(tiered["warm_usage_bytes"])),
                ("cold", megabytes(tiered["cold_usage_bytes"])),
                ("journal", megabytes(storage["journal_bytes"])),
                ("catalog", megabytes(storage["catalog_bytes"])),
                ("other on disk", megabytes(storage["other_disk_bytes"])),
                ("other in RAM", megabytes(storage["other_ram_bytes"] + storage["catalog_cache_bytes"])),
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
                ("saves", f"{dedup['space_saved_percent']:.1f}% of the serialised values"),
            ],
        ),
        *([("cold tier", far)] if (far := cold_rows(tiered["cold"])) else []),
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
        ("namespace", "keys", "contents", "serialised", "hot", "warm", "cold"),
        [
            (name, f"{row['keys']:,}", f"{row['contents']:,}", *(megabytes(row[f"{part}_bytes"]) for part in _PARTS))
            for name, row in namespaces.items()
        ],
    )


_PARTS = ("plaintext", "hot", "warm", "cold")
