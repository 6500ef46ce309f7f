"""`stratakv keys`: list the keys of a store, without loading a value or changing the store.

Owns the command's options, and which keys are offered to somebody who asked for one that is not there.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from stratakv.cli.output import print_error, print_json, print_line
from stratakv.cli.store_directory import add_arguments, existing_store
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from stratakv.engine.store import Store

_LIMIT = 100


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "keys",
        help="list the keys of a store",
        description="Lists keys, one a line. A namespace is a label and no part of a key: keys are listed whatever "
        "their namespace.",
    )
    add_arguments(parser)
    add = parser.add_argument
    add("--prefix", metavar="P", default="", help="only keys that begin with P")
    add("--limit", type=int, metavar="N", default=_LIMIT, help=f"at most N keys; 0: all (default {_LIMIT})")
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the keys.

    Returns:
        0, also where there are none.

    Raises:
        ConfigurationError: There is no store in the directory, or the limit is negative.
        StoreLockedError: A process has the store open.
    """
    from stratakv.engine.store import Store

    if args.limit < 0:
        raise ConfigurationError(f"--limit is 0 or more, not {args.limit}")
    store = Store(existing_store(args), read_only=True)
    try:
        found = store.keys(args.prefix)
        keys = list(islice(found, args.limit)) if args.limit else list(found)
        more = bool(args.limit) and next(found, None) is not None
        total = len(store)
    finally:
        store.close()
    if args.json:
        print_json({"directory": args.dir, "prefix": args.prefix, "keys": keys, "more": more, "keys_in_store": total})
        return 0
    for key in keys:
        print_line(key)
    if more:
        print_error(f"stratakv: there are more; all of them: --limit 0 (the store has {total:,} keys)")
    elif not keys:
        print_error(f"stratakv: no key begins with {args.prefix!r} (the store has {total:,} keys)")
    return 0


def nearest(store: Store, key: str, most: int = 3) -> list[str]:
    """Return up to `most` keys that begin as `key` does, as far as any key does; else the store's first ones."""
    for prefix in _beginnings(key):
        if found := list(islice(store.keys(prefix), most)):
            return found
    return []


def _beginnings(key: str) -> Iterator[str]:
    """Yield the key and what is left of it as its end is cut off, ever more at a time: few looks for a long key."""
    length = len(key)
    yield key
    while length:
        length = min(length - 1, length * 3 // 4) if length > 16 else length - 1
        yield key[:length]
