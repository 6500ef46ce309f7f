"""`stratakv restore`: build a store in a new directory from what its cold tier holds.

Owns the command's options, which cold tier a URL names, and how what came back is told; the work is
`stratakv.engine.restoration` and, without a backup, `stratakv.engine.scanning`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stratakv.cli.output import counted, print_json, print_line
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from stratakv.config import OptimizationConfig
    from stratakv.engine.manifest import Manifest
    from stratakv.engine.restoration import Restored

_KEYS_SHOWN = 10


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "restore",
        help="build a store anew from its cold tier",
        description="Builds a working store in a new directory from the cold tier alone, by its newest whole backup, "
        "and lists the keys whose values were not in the cold tier yet. Reads the cold tier and changes nothing "
        "there; opening the store makes it the tier's owner. Exit codes: 0 every key of the backup has its value; "
        "1 some have not, or nothing could be restored; 2 wrong usage.",
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="URL",
        required=True,
        help="s3://BUCKET/PREFIX, or the directory of a cold tier",
    )
    parser.add_argument(
        "--dir",
        metavar="D",
        help="the directory to build, missing or empty (default: storage.path of --config)",
    )
    parser.add_argument(
        "--store-id", metavar="ID", default="", help="which store, where several have left data in one place"
    )
    parser.add_argument("--config", metavar="FILE", help="YAML configuration; its cold tier's other settings are used")
    parser.add_argument("--endpoint-url", metavar="URL", help="address of an S3-compatible server")
    parser.add_argument("--region", metavar="R", help="region of the bucket")
    parser.add_argument("--profile", metavar="P", help="AWS profile with the credentials")
    parser.add_argument(
        "--scan",
        action="store_true",
        help="read all packs, for a tier whose backups are gone: says what it cannot know",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="let the store unpickle values later, where its configuration allows pickle: who can write to the tier "
        "can then run code",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Restore and print what came back.

    Returns:
        0 if every key has its value, 1 if some have not.

    Raises:
        ConfigurationError: The URL or the directory cannot be used, or there is no backup.
        CorruptionError: No backup is whole.
        TierUnavailableError: The cold tier cannot be reached.
    """
    from stratakv.backends.s3 import S3Backend
    from stratakv.cli.progress import Steps
    from stratakv.clock import SystemClock
    from stratakv.engine.claim import present_owner
    from stratakv.engine.restoration import restore
    from stratakv.engine.scanning import scan
    from stratakv.engine.tier_opening import open_cold
    from stratakv.files import Files

    config = _configuration(args)
    args.dir = args.dir or config.storage.path
    if args.dir is None:
        raise ConfigurationError("restore into which directory? name it: --dir D, or storage.path in --config")
    path = Path(args.dir).expanduser().absolute()
    cold = open_cold(config, path, Files(), read_only=True)
    build = scan if args.scan else restore
    try:
        if isinstance(cold, S3Backend):
            cold.check()
        with Steps("", scale=True, as_json=args.json) as steps:
            result = build(
                cold,
                path,
                now=int(SystemClock().now()),
                trust_pickle=args.trust_pickle,
                show=steps.show,
                store_id=args.store_id.lower(),
            )
        owner = present_owner(cold)
    finally:
        cold.close()
    if args.json:
        print_json(_as_json(args, result))
    else:
        _print(args, result, owner)
    return 1 if result.missing or result.damaged else 0


def _configuration(args: argparse.Namespace) -> OptimizationConfig:
    """Return the settings with the cold tier that the options name."""
    from stratakv.config import load_config

    url = urlsplit(args.source)
    cold = "tiered_storage.cold"
    if url.scheme == "s3":
        if "@" in url.netloc:
            raise ConfigurationError("the URL holds a user: credentials come from the AWS profile or the environment")
        if not url.netloc:
            raise ConfigurationError(f"{args.source} names no bucket: give s3://BUCKET or s3://BUCKET/PREFIX")
        overrides: dict[str, object] = {
            f"{cold}.backend": "s3",
            f"{cold}.bucket": url.netloc,
            f"{cold}.prefix": url.path.strip("/"),
            f"{cold}.path": None,
        }
        for name in ("endpoint_url", "region", "profile"):
            if getattr(args, name) is not None:
                overrides[f"{cold}.{name}"] = getattr(args, name)
    elif url.scheme in {"", "file"}:
        directory = Path(url.path if url.scheme else args.source).expanduser()
        if not args.source or not directory.is_dir():
            raise ConfigurationError(f"{args.source} is no directory: give that of a cold tier, or s3://BUCKET/PREFIX")
        overrides = {f"{cold}.backend": "directory", f"{cold}.path": str(directory), f"{cold}.bucket": None}
    else:
        raise ConfigurationError(f"{args.source} cannot be restored from: give s3://BUCKET/PREFIX or a directory")
    return load_config(args.config, overrides=overrides).config


def _as_json(args: argparse.Namespace, result: Restored) -> dict[str, object]:
    return {
        "directory": args.dir,
        "source": args.source,
        "store_id": result.store_id,
        "saved": result.saved,
        "keys": result.keys,
        "contents": result.contents,
        "packs": result.packs,
        "missing_keys": result.missing,
        "damaged": result.damaged,
        "unknown": result.unknown,
    }


def _print(args: argparse.Namespace, result: Restored, owner: Manifest | None) -> None:
    from stratakv.engine.moments import moment

    print_line(
        f"{args.dir}: {counted(result.keys, 'key')} restored, {counted(result.contents, 'content')} in "
        f"{counted(result.packs, 'pack')} of {args.source}"
    )
    if result.saved is not None:
        print_line(f"as of {moment(result.saved)}; what was written or deleted later is not in the backup")
    if result.missing:
        shown = ", ".join(map(repr, result.missing[:_KEYS_SHOWN]))
        more = len(result.missing) - _KEYS_SHOWN
        print_line(
            f"not found in the cold tier: the values of {counted(len(result.missing), 'key')}: {shown}"
            + (f" and {more:,} more (--json lists all)" if more > 0 else "")
        )
    for sentence in (*result.damaged, *result.unknown):
        print_line(sentence)
    if result.damaged and not args.scan:
        print_line("`stratakv restore --scan` into another directory may recover more: it reads every pack")
    if owner is not None and owner.store_id != result.store_id:
        print_line(
            f"another store, {owner.store_id[:16]}, owns the cold tier now: open this one once with --take-over "
            "(tiered_storage.cold.take_over: true) and the same cold tier; that makes it the tier's owner"
        )
    else:
        print_line("open it with the same cold tier in the configuration; that makes it the tier's owner")
    if owner is not None:
        print_line(
            f"the present owner opened it at {moment(owner.opened)}: if that process still runs, it only reads from "
            "then on"
        )
