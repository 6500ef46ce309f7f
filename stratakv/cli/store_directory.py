"""Which directory a command works on, and whether a store lies in it.

Owns the options `--dir` and `--config`, and what a directory must hold to count as a store. It only looks: nothing is
made, locked or written here, so a directory that is none stays as it was.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from stratakv.config import OptimizationConfig

# Every opened store has several of them; one alone may be anybody's.
_PARTS = ("LOCK", "catalog.db", "journal", "warm", "cold", "reserve", "bloom.filter", "statistics.json")
_ENOUGH = 2


def add_arguments(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, made: str = "", *, writes: bool = False
) -> None:
    """Add `--dir` and `--config`, and `--take-over` to a command that opens the store for writing.

    Args:
        parser: The sub-command's.
        made: What to say where the command makes a missing directory.
        writes: Whether it opens the store for writing.
    """
    parser.add_argument(
        "--dir", metavar="D", help=f"the store's directory{made} (default: storage.path of the configuration)"
    )
    parser.add_argument("--config", metavar="FILE", help="YAML configuration of the store")
    if writes:
        parser.add_argument(
            "--take-over",
            action="store_true",
            help="become the owner of a bucket that another store owns; only where that one is gone for good",
        )


def configuration(args: argparse.Namespace) -> OptimizationConfig:
    """Return the settings of the store that the options name; `args.dir` is its directory from now on.

    Raises:
        ConfigurationError: The settings are wrong, or neither they nor `--dir` name a directory.
    """
    from stratakv.config import load_config

    overrides: dict[str, object] = {} if args.dir is None else {"storage.path": args.dir}
    if getattr(args, "take_over", False):
        overrides["tiered_storage.cold.take_over"] = True
    config = load_config(args.config, overrides=overrides).config
    if config.storage.path is None:
        raise ConfigurationError("which store? name its directory: --dir D, or storage.path in the file of --config")
    args.dir = config.storage.path
    return config


def existing_store(args: argparse.Namespace) -> OptimizationConfig:
    """Return the settings as `configuration`, of a store that is there already.

    Raises:
        ConfigurationError: Also where there is no such directory, or it is no store.
    """
    config = configuration(args)
    path = Path(args.dir).expanduser()
    if not path.exists():
        raise ConfigurationError(f"there is no store in {args.dir}: there is no such directory, check the path")
    if not _is_store(path):
        empty = ": it is empty" if path.is_dir() and not _names(path) else ""
        raise ConfigurationError(f"{args.dir} is not a stratakv store{empty}; check the path")
    return config


def new_or_existing_store(args: argparse.Namespace) -> OptimizationConfig:
    """Return the settings as `configuration`, of a store that is there or can be made without mixing it with others.

    Raises:
        ConfigurationError: Also where the directory holds what is no store's.
    """
    config = configuration(args)
    path = Path(args.dir).expanduser()
    # What an opening left that was killed at once is no reason to refuse.
    if path.is_dir() and not _is_store(path) and _names(path) - set(_PARTS):
        raise ConfigurationError(
            f"{args.dir} is not empty and is not a stratakv store: name a new directory, or that of a store"
        )
    return config


def _is_store(path: Path) -> bool:
    return len(_names(path) & set(_PARTS)) >= _ENOUGH if path.is_dir() else False


def _names(path: Path) -> set[str]:
    try:
        return set(os.listdir(path))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
