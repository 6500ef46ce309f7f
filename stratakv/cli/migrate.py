"""`stratakv migrate`: carry keys to a tier now, and tell where they lie afterwards.

Owns the command's options, the slices in which many keys travel, and what is told. Asking and carrying are the store's:
this command asks, then runs the background work on its own thread.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from stratakv.cli.output import counted, print_error, print_json, print_line, progress_bar
from stratakv.cli.store_directory import add_arguments, existing_store
from stratakv.engine.records import TIERS
from stratakv.errors import CapacityError, ConfigurationError
from stratakv.types import StorageTier

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from stratakv.config import OptimizationConfig
    from stratakv.engine.store import Store

# A slice fills several packs, so that few are cut short, and needs little RAM.
_SLICE_BYTES = 64 << 20
_SLICE_KEYS = 20_000
_SHOWN = 10
_KEPT = 1000

_BRIEF_RAM = (
    "RAM ends with this command, so --to hot leaves values where they lie; with --pin they come into RAM with their "
    "first read after each opening, and stay there"
)


@dataclass(slots=True)
class _Outcome:
    """What became of the keys.

    Attributes:
        moved: How many lie in another tier than before.
        lie: How many keys lie in which tier below RAM now.
        pinned: How many are pinned to the tier that was asked for.
        missing: Keys that the store does not have.
        stayed: Keys that lie elsewhere than asked for, with the reason; not all of them where there are many.
        staying: How many those are.
        refused: How many pins did not fit into RAM.
    """

    moved: int = 0
    lie: Counter[str] = field(default_factory=Counter)
    pinned: int = 0
    missing: list[str] = field(default_factory=list)
    stayed: dict[str, str] = field(default_factory=dict)
    staying: int = 0
    refused: int = 0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "migrate",
        help="move values to another tier",
        description="Moves the contents of keys to warm or cold, now and however recently they were used. Keys that "
        "share a content move together. A key's pin outranks what is asked; --pin replaces it. " + _BRIEF_RAM + ". "
        "Exit code 1: a key does not exist, a pin does not fit into RAM, or a process has the store open.",
    )
    add = parser.add_argument
    add("keys", metavar="KEY", nargs="*", help="keys, as `stratakv keys` lists them")
    add("--prefix", metavar="P", help="instead of keys: all that begin with P")
    add("--to", metavar="TIER", required=True, choices=[tier.value for tier in StorageTier], help="hot, warm or cold")
    add("--pin", action="store_true", help="keep them there: a pin survives overwrites and restarts")
    add_arguments(parser, writes=True)
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Move the keys and print where they lie.

    Returns:
        0, or 1 where a key does not exist or could not be pinned.

    Raises:
        ConfigurationError: Neither keys nor a prefix are named, or both; there is no store in the directory; its tiers
            are turned off.
        StoreLockedError: A process has the store open.
        StrataError: The disk is full, a tier cannot be reached, or something is damaged.
    """
    from stratakv.engine.store import Store

    if bool(args.keys) == (args.prefix is not None):
        raise ConfigurationError("which keys? name them, or give --prefix P: one of the two")
    tier = StorageTier(args.to)
    config = existing_store(args)
    _check_tiers(config, tier)
    store = Store(config)
    try:
        outcome = _migrate(store, args, tier)
    finally:
        store.close()
    if args.json:
        print_json(_as_json(args, outcome))
    else:
        _print(args, outcome)
    if tier is StorageTier.HOT and not args.pin:
        print_error(f"stratakv: {_BRIEF_RAM}")
    if outcome.missing:
        print_error(f"stratakv: not in {args.dir}: {_some(outcome.missing)}")
    return 1 if outcome.missing or outcome.refused else 0


def _check_tiers(config: OptimizationConfig, tier: StorageTier) -> None:
    if tier is not StorageTier.HOT and not (config.enable_tiered_storage and config.tiered_storage.enabled):
        raise ConfigurationError(
            "nothing moves: tiered storage is off in this configuration (enable_tiered_storage, tiered_storage.enabled)"
        )


def _migrate(store: Store, args: argparse.Namespace, tier: StorageTier) -> _Outcome:
    outcome = _Outcome()
    keys = iter(dict.fromkeys(args.keys)) if args.keys else store.keys(args.prefix)
    total = len(set(args.keys)) or (len(store) if not args.prefix else None)
    with progress_bar(total, f"moving to {tier.value}", unit=" keys", as_json=args.json) as bar:
        while keys_of_slice := list(_next_slice(store, keys)):
            _move(store, keys_of_slice, tier, pin=args.pin, outcome=outcome)
            bar.update(len(keys_of_slice))
    return outcome


def _next_slice(store: Store, keys: Iterator[str]) -> Iterator[str]:
    size = 0
    for key in islice(keys, _SLICE_KEYS):
        yield key
        state = store.state(key)
        if state is not None and state.blob is not None and state.place is not None:
            size += store.parts.catalog.large_size(state.blob) or state.place.size
        if size >= _SLICE_BYTES:
            return


def _move(store: Store, keys: list[str], tier: StorageTier, *, pin: bool, outcome: _Outcome) -> None:
    """Ask for some keys in a tier, have them carried there, and note what became of them."""
    before: dict[str, str] = {}
    for key in keys:
        lay = _lies_in(store, key)
        try:
            known = store.move(key, tier, pin=True if pin else None)
        except CapacityError as full:
            if not pin or tier is not StorageTier.HOT:
                raise
            outcome.refused += 1
            _stay(outcome, key, str(full))
            outcome.lie[lay] += 1
            continue
        if known:
            before[key] = lay
        else:
            outcome.missing.append(key)
    store.maintain()
    for key, lay in before.items():
        lies = _lies_in(store, key)
        outcome.lie[lies] += 1
        outcome.moved += lies != lay
        outcome.pinned += pin
        if tier is not StorageTier.HOT and lies != tier.value:
            _stay(outcome, key, _why(store, key))


def _lies_in(store: Store, key: str) -> str:
    """Return the tier below RAM in which a key lies; what is only journaled lies in the journal."""
    state = store.state(key)
    if state is None or state.digest is None:
        return "nowhere"
    found = store.parts.catalog.find_blob(state.digest)
    return "journal" if found is None else TIERS[found.tier].value


def _why(store: Store, key: str) -> str:
    """Return why a key lies elsewhere than it was asked to."""
    from stratakv.engine.explanation import explain

    found = explain(store, key)
    if found.pinned_by:
        other, tier = min(found.pinned_by.items(), key=lambda pin: ("hot", "warm", "cold").index(pin[1]))
        return f"{'it' if other == key else f'{other!r}, which shares its content,'} is pinned to {tier}"
    return found.trouble or ("it is damaged" if found.damaged else "it was asked for elsewhere meanwhile")


def _stay(outcome: _Outcome, key: str, why: str) -> None:
    outcome.staying += 1
    if len(outcome.stayed) < _KEPT:
        outcome.stayed[key] = why


def _as_json(args: argparse.Namespace, outcome: _Outcome) -> dict[str, Any]:
    return {
        "directory": args.dir,
        "to": args.to,
        "pin": args.pin,
        "keys": sum(outcome.lie.values()),
        "moved": outcome.moved,
        "pinned": outcome.pinned,
        "lie_in": dict(outcome.lie),
        "stayed": outcome.stayed,
        "missing": outcome.missing,
        "note": _BRIEF_RAM if args.to == "hot" and not args.pin else None,
    }


def _print(args: argparse.Namespace, outcome: _Outcome) -> None:
    for key, why in list(outcome.stayed.items())[:_SHOWN]:
        print_line(f"{key!r} stays: {why}")
    if outcome.staying > _SHOWN:
        print_line(f"and {outcome.staying - _SHOWN:,} more stay")
    keys = sum(outcome.lie.values())
    pinned = f", {outcome.pinned:,} pinned to {args.to}" if args.pin else ""
    print_line(f"moved {outcome.moved:,} of {counted(keys, 'key')}{pinned}")
    if keys:
        print_line("they lie in: " + ", ".join(f"{tier} {count:,}" for tier, count in sorted(outcome.lie.items())))
    elif args.prefix is not None:
        print_error(f"stratakv: no key begins with {args.prefix!r}")


def _some(keys: list[str]) -> str:
    more = len(keys) - _SHOWN
    return ", ".join(map(repr, keys[:_SHOWN])) + (f" and {more:,} more" if more > 0 else "")
