"""`stratakv explain`: where one key lies, in which form, and when it will move and why. Changes nothing.

Owns the command's options and how the answer is laid out; the answer itself is `stratakv.engine.explanation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.cli.keys import nearest
from stratakv.cli.output import human_bytes, print_error, print_json, print_line
from stratakv.cli.store_directory import add_arguments, existing_store
from stratakv.errors import StrataError

if TYPE_CHECKING:
    import argparse

    from stratakv.engine.explanation import Explanation, Form
    from stratakv.engine.large_standing import LargeStanding
    from stratakv.engine.outlook import Prospect

_SHARERS_SHOWN = 5
_TITLES = {
    "checkpoint": "checkpoint",
    "move": "asked move",
    "enter_ram": "into RAM",
    "leave_ram": "out of RAM",
    "promote": "to warm",
    "demote": "to cold",
    "expire": "expires",
    "prune": "pruned",
    "forget": "forgotten",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "explain",
        help="where a key lies, and when it will move and why",
        description="Tells where a key lies, its codec, pack and references, what was asked of it, and when it will "
        "move, expire or be pruned, and why. The rules are those of --config: name the file that the store's owner "
        "uses. Nothing moves while nobody has the store open; the moments are the earliest ones after somebody opens "
        "it. Changes nothing and counts as no read. Exit code 1: the key has no value, or a process has the store "
        "open.",
    )
    add = parser.add_argument
    add("key", metavar="KEY", help="the key, as `stratakv keys` lists it")
    add_arguments(parser)
    add("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the explanation.

    Returns:
        0, or 1 where something is known of the key but it has no value.

    Raises:
        ConfigurationError: There is no store in the directory, or the key is no key.
        StoreLockedError: A process has the store open.
        StrataError: Nothing is known of the key, or the catalog is damaged.
    """
    from stratakv.engine.explanation import explain
    from stratakv.engine.store import Store

    store = Store(existing_store(args), read_only=True)
    try:
        found = explain(store, args.key)
        others = nearest(store, args.key) if found.status == "unknown" else []
    finally:
        store.close()
    if found.status == "unknown":
        instead = f"; it has {', '.join(map(repr, others))}" if others else ": it has no keys"
        raise StrataError(f"there is no key {args.key!r} in {args.dir}{instead}")
    if args.json:
        print_json({"directory": args.dir, **found.as_dict()})
    else:
        _print(found)
    if not found.exists:
        print_error(f"stratakv: the key {args.key!r} has no value: it is {_without_value(found)}")
    return 0 if found.exists else 1


def _without_value(found: Explanation) -> str:
    return "past its time" if found.status == "expired" else "deleted"


def _print(found: Explanation) -> None:
    document = found.as_dict()
    rows = [("key", repr(found.key)), ("status", found.status + (", not checkpointed yet" if found.dirty else ""))]
    if found.namespace is not None:
        rows.append(("namespace", found.namespace))
    rows.append(("version", f"{found.version:,}"))
    if found.written is not None:
        rows.append(("written", str(document["written_utc"])))
    if found.digest is not None:
        rows += [("digest", found.digest), ("named by", _references(found)), *_places(found, document)]
        last = f", last {document['last_read_utc']}" if found.last_read is not None else ""
        rows.append(("reads below RAM", f"{found.reads:,} since it was placed{last}"))
    if found.pinned_by:
        pins = [f"{key!r} to {tier}" for key, tier in list(found.pinned_by.items())[:_SHARERS_SHOWN]]
        rows.append(("pinned", ", ".join(pins) + (" and more" if len(found.pinned_by) > len(pins) else "")))
    if found.asked is not None:
        rows.append(("asked for", found.asked))
    if found.damaged:
        rows.append(("damage", "found damaged; storing it again heals it"))
    if found.trouble is not None:
        rows.append(("trouble", found.trouble))
    for name, text in rows:
        print_line(f"{name:<17}{text}")
    print_line()
    print_line("what will become of it")
    for prospect in found.future:
        print_line(f"  {_TITLES[prospect.what]:<15}{_when(prospect)}{prospect.because}")


def _when(prospect: Prospect) -> str:
    from stratakv.engine.moments import moment

    named = prospect.at is not None and moment(prospect.at) not in prospect.because
    return f"{moment(prospect.at)}: " if named and prospect.at is not None else ""


def _references(found: Explanation) -> str:
    return "this key alone" if found.references <= 1 else f"{found.references:,} keys, which share the content"


def _places(found: Explanation, document: dict[str, dict[str, object]]) -> list[tuple[str, str]]:
    size = found.plaintext_bytes
    rows = [("size", "-" if size is None else f"{human_bytes(size)} serialised")]
    if found.large is not None:
        rows.append(("large value", _chunks(found.large)))
    manifest = "its manifest " if found.large is not None else ""
    if found.ram is not None:
        pinned = ", pinned" if found.ram.pinned else ""
        rows.append(("in RAM", f"{_form(found.ram.form)}; last used {document['ram']['used_utc']}{pinned}"))
    if found.journal is not None:
        rows.append(("in the journal", manifest + _form(found.journal)))
    if found.pack is not None:
        pack = found.pack
        rows += [
            (f"in {pack.tier}", manifest + _form(pack.form)),
            ("pack", f"{pack.name}, block {pack.block}"),
            ("packed", f"{document['pack']['created_utc']}, {100 * pack.live:.0f}% of the pack is live"),
        ]
    return rows


def _chunks(large: LargeStanding) -> str:
    lie = ", ".join(f"{count:,} in {tier}" for tier, count in large.tiers.items())
    shared = f"; {human_bytes(large.shared_bytes)} of them shared with other values" if large.shared_bytes else ""
    return f"{large.chunks:,} chunks ({lie}){shared}"


def _form(form: Form | None) -> str:
    if form is None:
        return "form unknown"
    dictionary = f" with dictionary {form.dictionary}" if form.dictionary else ""
    return f"{human_bytes(form.encoded_bytes)}, {form.codec}{dictionary}"
