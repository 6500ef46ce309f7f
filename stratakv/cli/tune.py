"""`stratakv tune`: what the adaptive engine has set, what it changed lately and why.

Owns the command's options and words. The figures are those of the statistics, section `adaptive`: beside a live owner
of its last snapshot, else as the store keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stratakv.cli.output import human_bytes, print_json, print_line, print_table
from stratakv.cli.stats import statistics_of
from stratakv.cli.store_directory import add_arguments, existing_store
from stratakv.engine.moments import moment, span
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "tune",
        help="what the adaptive engine has set, and why",
        description="Shows the thresholds that the adaptive engine has set; with --explain also each change that it "
        "made: what, from, to, why, and what was measured before it. Changes nothing. Beside a process that has the "
        "store open the figures are those of its last snapshot.",
    )
    add_arguments(parser)
    parser.add_argument("--explain", action="store_true", help="tell the last changes and their reasons")
    parser.add_argument("--json", action="store_true", help="print all of it as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print what was tuned.

    Returns:
        0.

    Raises:
        ConfigurationError: There is no store in the directory.
        StoreLockedError: A process has it open that has not written a snapshot yet.
        CorruptionError: What is told of it is damaged.
        StrataError: The store cannot be read.
    """
    config = existing_store(args)
    statistics, source = statistics_of(config, args.dir)
    adaptive = statistics.get("adaptive")
    if not isinstance(adaptive, dict) or not adaptive:
        raise CorruptionError(
            f"the statistics of {args.dir} say nothing of the adaptive engine: they are damaged or old"
        )
    if args.json:
        print_json(adaptive)
        return 0
    print_line(source)
    try:
        _print(adaptive, explain=args.explain)
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise CorruptionError(f"the statistics of {args.dir} are damaged: {failure!r}") from failure
    return 0


def _print(adaptive: dict[str, Any], *, explain: bool) -> None:
    print_line(_state(adaptive))
    print_line()
    _print_thresholds(adaptive)
    _print_moves(adaptive)
    if explain:
        _print_changes(adaptive["last_changes"])


def _state(adaptive: dict[str, Any]) -> str:
    on = "on" if adaptive["enabled"] else "off (adaptive.enabled: false): what it set before stays"
    retunes = adaptive["retunes"]
    return f"the adaptive engine is {on}; it has retuned {retunes:,} time{'' if retunes == 1 else 's'}"


def _print_thresholds(adaptive: dict[str, Any]) -> None:
    thresholds = adaptive["thresholds"]
    if thresholds:
        print_table(
            ("namespace", "edge", "idle time of 1 KB that nobody has read again"),
            [(name, edge, span(seconds)) for name, edges in thresholds.items() for edge, seconds in edges.items()],
        )
    else:
        print_line("no idle time is tuned yet: the configured ones hold")
    shares = adaptive["shares"]
    if shares:
        print_line()
        print_table(("namespace", "share of RAM"), [(name, human_bytes(share)) for name, share in shares.items()])
    accesses, eviction = adaptive["accesses"], adaptive["eviction"]
    print_line()
    print_line(f"eviction: {_eviction(eviction)}")
    print_line(
        f"uses that bring a value from cold to warm: {accesses['to_warm']}, from warm to hot: {accesses['to_hot']}"
    )
    weight, factor = adaptive["rent_weight"], adaptive["codec_factor"]
    if weight != 1 or factor != 1:
        print_line(
            f"to reach its targets: rent counts {weight:.3g} times, background codecs may spend {factor:.3g} times"
        )


def _eviction(eviction: dict[str, Any]) -> str:
    """Say which policy evicts, and what it has set by itself."""
    policy, share = str(eviction["policy"]), eviction.get("small_share")
    if share is None or not eviction.get("switches"):
        return policy
    return f"{policy}, which tries new values in {100 * share:.0f}% of the room (changed {eviction['switches']} times)"


def _print_moves(adaptive: dict[str, Any]) -> None:
    moves = adaptive["moves"]
    if not any(sum(counts.values()) for counts in moves.values()):
        return
    print_line()
    print_table(
        ("edge", "down", "came back too soon", "up", "went down unread"),
        [(edge, c["down"], c["down_regretted"], c["up"], c["up_regretted"]) for edge, c in moves.items()],
    )


def _print_changes(changes: list[dict[str, Any]]) -> None:
    print_line()
    if not changes:
        print_line("nothing was changed yet")
    for change in changes:
        where = f" of namespace {change['namespace']!r}" if change["namespace"] is not None else ""
        before, after = _figure(change, "before"), _figure(change, "after")
        print_line(f"{moment(change['at'])}  {change['what']}{where}: {before} -> {after}")
        print_line(f"    because {change['why']}")
        measured = {name: figure for name, figure in change["measured"].items() if figure is not None}
        if measured:
            print_line("    measured before: " + ", ".join(f"{name} {figure:.3g}" for name, figure in measured.items()))


def _figure(change: dict[str, Any], when: str) -> str:
    """Say a setting's value: idle times as times, sizes in bytes, all else as numbers."""
    value = change[when]
    if change["what"].startswith("idle seconds"):
        return span(value)
    if "RAM" in change["what"]:
        return human_bytes(value)
    return f"{value:.4g}"
