"""`stratakv get`: print one value of a store, without changing the store.

Owns the command's options and how a value is shown: as JSON where that says all of it, else as Python would write it,
with bytes and arrays summarised.
"""

from __future__ import annotations

import json
import math
import pprint
import reprlib
from typing import TYPE_CHECKING, Any

from stratakv.cli.keys import nearest
from stratakv.cli.output import human_bytes, print_json, print_line
from stratakv.cli.store_directory import add_arguments, existing_store
from stratakv.errors import StrataError

if TYPE_CHECKING:
    import argparse

_WIDTH = 110
_FIRST_BYTES = 16


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "get",
        help="print one value of a store",
        description="Prints the value of a key: as JSON where that says all of it, else as Python would write it, "
        "with bytes and arrays summarised. Keys that `load` made are the file's stem and the line, as in tau_db:1, or "
        "the field named by --key; a namespace is a label and no part of a key. Exit code 1: there is no such key, or "
        "the store has an owner.",
    )
    add = parser.add_argument
    add("key", metavar="KEY", help="the key, as `stratakv keys` lists it")
    add_arguments(parser)
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the value.

    Returns:
        0.

    Raises:
        ConfigurationError: There is no store in the directory, or the key is no key.
        StoreLockedError: A process has the store open.
        StrataError: There is no such key, or its value is damaged or cannot be rebuilt here.
    """
    from stratakv.engine.store import Store

    store = Store(existing_store(args), read_only=True)
    try:
        found = store.read(args.key)
        others = nearest(store, args.key) if found is None else []
    finally:
        store.close()
    if found is None:
        raise StrataError(f"there is no key {args.key!r} in {args.dir}{_instead(others)}")
    value = found.value
    exact = is_json(value)
    if args.json:
        print_json(
            {
                "key": args.key,
                "type": type(value).__name__,
                "tier": found.tier,
                "version": found.version,
                "expires": found.expires / 1000 if found.expires else None,
                "exact": exact,
                "value": value if exact else "\n".join(readable(value)),
            }
        )
    else:
        for line in readable(value):
            print_line(line)
    return 0


def _instead(others: list[str]) -> str:
    return f"; it has {', '.join(map(repr, others))}; `stratakv keys` lists them" if others else ": it has no keys"


def is_json(value: object) -> bool:
    """Tell whether JSON says all of a value: types, order and keys included."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind is dict:
            if any(type(key) is not str for key in part):  # type: ignore[attr-defined]  # is a dict
                return False
            waiting += part.values()  # type: ignore[attr-defined]
        elif kind is list:
            waiting += part  # type: ignore[arg-type]  # is a list
        elif kind is float:
            if not math.isfinite(part):  # type: ignore[arg-type]  # is a float
                return False
        elif part is not None and kind not in (str, int, bool):
            return False
    return True


def readable(value: object) -> list[str]:
    """Return lines that show a value to a person."""
    if is_json(value):
        text = json.dumps(value, indent=2, ensure_ascii=False)
    else:
        text = pprint.pformat(_summarised(value), width=_WIDTH, sort_dicts=False)
    return text.split("\n")


class _Summary:
    """Stands for something that is told in a few words; pprint asks for its repr."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _summarised(value: Any) -> Any:
    """Return the value with bytes and arrays, also nested ones, replaced by summaries."""
    kind = type(value)
    if kind is dict:
        return {_summarised(key): _summarised(inner) for key, inner in value.items()}
    if kind is list or kind is tuple:
        return kind(map(_summarised, value))
    if kind is bytes or kind is bytearray:
        if len(value) <= _FIRST_BYTES:
            return value
        return _Summary(f"<{kind.__name__} of {human_bytes(len(value))}: {bytes(value[:_FIRST_BYTES]).hex(' ')} ...>")
    if hasattr(value, "dtype") and hasattr(value, "shape") and value.shape != ():
        shape = " x ".join(map(str, value.shape))
        if kind.__module__.partition(".")[0] == "scipy":
            return _Summary(f"<{kind.__name__} of {shape} {value.dtype}, {value.nnz:,} stored>")
        start = ", ".join(reprlib.repr(item) for item in value.ravel()[:3].tolist())
        return _Summary(f"<array of {shape} {value.dtype}, {human_bytes(value.nbytes)}: {start}{_more(value.size)}>")
    return value


def _more(size: int) -> str:
    return ", ..." if size > 3 else ""
